"""Checks that migrations stay as they landed: `.ci/migrations.sha256` lists their hashes, and that list only grows.

`python .ci/migrations.py --add` lists those that are new. That is done when they land, since it is for good.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from history import ROOT, UNLANDED, NoHistoryError, versions

LIST = ".ci/migrations.sha256"
MIGRATIONS = "server/migrations/versions"
WRITTEN = (".py", ".sql")


def main() -> int:
    """Checks, or adds; prints what is wrong and exits 1."""
    if sys.argv[1:] == ["--add"]:
        add(ROOT)
        return 0
    try:
        wrong = [*changed(ROOT), *unlisted(ROOT)]
    except NoHistoryError as error:
        wrong = [str(error)]
    for line in wrong:
        sys.stderr.write(f"{line}\n")
    return 1 if wrong else 0


def changed(root: Path) -> Iterator[str]:
    """What is not as it landed, or is gone, by the list as it is and as it ever was."""
    there, today = _there(root), _listed((root / LIST).read_bytes())
    for commit, listed in versions(LIST, root):
        for path, digest in _listed(listed).items():
            if today.get(path) != digest:
                yield (
                    f"{LIST}: {path} is not as {commit} listed it, and the list only grows; if that commit never "
                    f"landed, squash it, or name it in {UNLANDED}"
                )
    for path, digest in today.items():
        if there.get(path) != digest:
            yield f"{path} has landed, and changed since: undo that, and add a migration"


def unlisted(root: Path) -> Iterator[str]:
    """What nothing would hold to its present form."""
    for path in sorted(_there(root).keys() - _listed((root / LIST).read_bytes()).keys()):
        yield f"{path} is not listed: python .ci/migrations.py --add, in the commit that lands it"


def add(root: Path) -> None:
    """Lists what is new, and leaves all else as it is."""
    listed = _listed((root / LIST).read_bytes())
    lines = sorted((_there(root) | listed).items())
    (root / LIST).write_text("".join(f"{digest}  {path}\n" for path, digest in lines))


def _there(root: Path) -> dict[str, str]:
    files = [file for file in (root / MIGRATIONS).rglob("*") if file.suffix in WRITTEN]
    return {str(file.relative_to(root)): sha256(file.read_bytes()).hexdigest() for file in files}


def _listed(text: bytes) -> dict[str, str]:
    """Hashes by path: the lines are those of `sha256sum`."""
    pairs = [line.split("  ", 1) for line in text.decode().splitlines()]
    return {path: digest for digest, path in pairs}


if __name__ == "__main__":
    sys.exit(main())
