"""docs/promises.md lists exactly the promises that have tests, and for each promise exactly its tests."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
DOCUMENT = TESTS.parent / "docs" / "promises.md"
SECTION = re.compile(r"^## (\d+)\. .+?\n(.+?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
NAME = re.compile(r"test_p(\d\d)_\w+")


def _listed() -> dict[int, set[str]]:
    """Returns the names of the test files in the document, by promise."""
    sections = SECTION.findall(DOCUMENT.read_text())
    assert len(sections) == len({number for number, _ in sections})
    return {int(number): {name[0] for name in NAME.finditer(text)} for number, text in sections}


def _files() -> Iterator[tuple[int, Path]]:
    """Yields each test file that has a promise in its name, with the promise's number."""
    for file in sorted(TESTS.glob("**/test_p[0-9][0-9]_*.py")):
        name = NAME.fullmatch(file.stem)
        assert name
        yield int(name[1]), file


def test_the_document_lists_what_tests_carry() -> None:
    carried = defaultdict(set)
    for number, file in _files():
        carried[number].add(file.stem)
    assert _listed() == carried


@pytest.mark.parametrize(("number", "file"), list(_files()), ids=lambda value: getattr(value, "name", None))
def test_a_file_says_which_promise_it_proves(number: int, file: Path) -> None:
    text = file.read_text()
    assert re.search(r"^(async )?def test_", text, re.MULTILINE), "it has no tests"
    assert re.search(rf"[Pp]romises? (\d+, )*{number}\b", text.split('"""')[1]), "it does not say what for"
