"""Fixtures that the tests of storage share."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.fixtures.postgres import postgres_folder


@pytest.fixture
def folder() -> Generator[Path, None, None]:
    """A folder for a Postgres of the test."""
    with postgres_folder() as path:
        yield path
