"""Reads the versions of a file from git's history."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Commits that were changed before their branch landed; one hash a line.
UNLANDED = ".ci/unlanded"


class NoHistoryError(Exception):
    """The clone does not have the whole history."""


def versions(path: str, root: Path = ROOT) -> Iterator[tuple[str, bytes]]:
    """Yields each landed version of a file with its commit, the newest first.

    Raises NoHistoryError in a shallow clone, which may lack a version.
    """
    if git(root, "rev-parse", "--is-shallow-repository").strip() == b"true":
        raise NoHistoryError("the clone is shallow and lacks landed versions: git fetch --unshallow")
    unlanded = (root / UNLANDED).read_text().split() if (root / UNLANDED).is_file() else []
    # Merges of their branch may contain the same versions.
    seen = {_blob(root, commit, path) for commit in unlanded} | {""}
    # Without --full-history git leaves out versions that a merge dropped.
    for commit in git(root, "log", "--full-history", "--format=%H", "--", path).decode().split():
        blob = _blob(root, commit, path)
        if blob not in seen:
            seen.add(blob)
            yield commit, git(root, "cat-file", "blob", blob)


def _blob(root: Path, commit: str, path: str) -> str:
    return git(root, "rev-parse", "--verify", "--quiet", f"{commit}:{path}").decode().strip()


def git(root: Path, *arguments: str) -> bytes:
    """Returns git's output; nothing if git fails, as it does outside of a repository."""
    return subprocess.run(["git", *arguments], cwd=root, check=False, capture_output=True).stdout  # noqa: S607
