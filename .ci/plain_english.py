"""Checks the prose: prints each phrase that has a plainer word (CONTRIBUTING.md), with its place, and exits 1."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

from house import LANDED, NARROW, NOT_OURS, ROOT, files

# Plainer: again, continue, resume, result, above, compare with, unpaid, forever, anybody, report, in progress.
PHRASES = (
    "anew", "came of", "come of", "comes of", "for ever", "gone on with", "gone over to", "go on with", "goes on with",
    "held against", "in vain", "is no more", "tell of", "tells of", "to be had", "told of", "what is off", "whoever",
    "whomever",
)  # fmt: skip
PHRASE = re.compile(rf"\b({'|'.join(PHRASES)})\b", re.IGNORECASE)
PROSE = (*NARROW, ".py", ".example")


def main() -> int:
    """Checks every hand-written file except landed migrations and this one."""
    paths = [path for path in files() if path.endswith(PROSE) and not path.startswith((*NOT_OURS, *LANDED))]
    complaints = [complaint for path in paths if path != ".ci/plain_english.py" for complaint in _check(path)]
    sys.stderr.writelines(complaint + "\n" for complaint in sorted(complaints))
    return 1 if complaints else 0


def _check(path: str) -> Iterator[str]:
    for number, line in enumerate((ROOT / path).read_text().splitlines(), 1):
        for phrase in PHRASE.findall(line):
            yield f"{path}:{number}: say {phrase!r} in plainer words"


if __name__ == "__main__":
    sys.exit(main())
