"""What has ever been committed: of a file, each of its versions."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Commits of a branch that were mended before it landed; a hash a line.
UNLANDED = ".ci/unlanded"


class NoHistoryError(Exception):
    """Git does not have all of it here."""


def versions(path: str, root: Path = ROOT) -> Iterator[tuple[str, bytes]]:
    """Each version of a file, the newest first, with the commit that brought it; without those that never landed.

    NoHistoryError in a shallow clone, in which a version may be missing.
    """
    if git(root, "rev-parse", "--is-shallow-repository").strip() == b"true":
        raise NoHistoryError("the clone is shallow, and what landed is compared with: git fetch --unshallow")
    unlanded = (root / UNLANDED).read_text().split() if (root / UNLANDED).is_file() else []
    # What these brought may have gone through merges of their branch, too.
    seen = {_blob(root, commit, path) for commit in unlanded} | {""}
    # Without --full-history git leaves out what a merge did not keep.
    for commit in git(root, "log", "--full-history", "--format=%H", "--", path).decode().split():
        blob = _blob(root, commit, path)
        if blob not in seen:
            seen.add(blob)
            yield commit, git(root, "cat-file", "blob", blob)


def _blob(root: Path, commit: str, path: str) -> str:
    return git(root, "rev-parse", "--verify", "--quiet", f"{commit}:{path}").decode().strip()


def git(root: Path, *arguments: str) -> bytes:
    """What git says; nothing where it fails, as outside of a repository."""
    return subprocess.run(["git", *arguments], cwd=root, check=False, capture_output=True).stdout  # noqa: S607
