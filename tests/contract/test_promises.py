"""Every promise that the platform makes so far has tests that carry its number."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
PROMISES = (*range(1, 17), *range(18, 23))


@pytest.mark.parametrize("number", PROMISES)
def test_it_is_tested_under_its_number(number: int) -> None:
    files = list(TESTS.glob(f"**/test_p{number:02}_*.py"))
    assert files
    for file in files:
        text = file.read_text()
        assert re.search(r"^(async )?def test_", text, re.MULTILINE), f"{file} has no tests"
        assert re.search(rf"[Pp]romises? (\d+, )*{number}\b", text.split('"""')[1]), f"{file} does not say what for"
