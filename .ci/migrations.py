"""Checks that landed migrations never change: `.ci/migrations.sha256` lists their hashes, and that list only grows.

`python .ci/migrations.py --add` adds the new ones. Do that in the commit that lands them, because it is final.
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
    """Checks the list or adds to it; prints what is wrong and exits 1."""
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
    """Yields each landed migration that changed or disappeared, by the list and all its earlier versions."""
    there, today = _there(root), _listed((root / LIST).read_bytes())
    for commit, listed in versions(LIST, root):
        for path, digest in _listed(listed).items():
            if today.get(path) != digest:
                yield (
                    f"{LIST}: {path} differs from the list of {commit}, and the list only grows; if that commit never "
                    f"landed, squash it, or name it in {UNLANDED}"
                )
    for path, digest in today.items():
        if there.get(path) != digest:
            yield f"{path} changed after it landed: undo that, and add a migration"


def unlisted(root: Path) -> Iterator[str]:
    """Yields each migration that the list does not have."""
    for path in sorted(_there(root).keys() - _listed((root / LIST).read_bytes()).keys()):
        yield f"{path} is not listed: python .ci/migrations.py --add, in the commit that lands it"


def add(root: Path) -> None:
    """Adds new migrations to the list; leaves the others as they are."""
    listed = _listed((root / LIST).read_bytes())
    lines = sorted((_there(root) | listed).items())
    (root / LIST).write_text("".join(f"{digest}  {path}\n" for path, digest in lines))


def _there(root: Path) -> dict[str, str]:
    files = [file for file in (root / MIGRATIONS).rglob("*") if file.suffix in WRITTEN]
    return {str(file.relative_to(root)): sha256(file.read_bytes()).hexdigest() for file in files}


def _listed(text: bytes) -> dict[str, str]:
    """Returns hashes by path, from lines in the format of `sha256sum`."""
    pairs = [line.split("  ", 1) for line in text.decode().splitlines()]
    return {path: digest for digest, path in pairs}


if __name__ == "__main__":
    sys.exit(main())
