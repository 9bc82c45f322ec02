"""One rig for all fault tests; each test starts with all its parts running."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from tests.faults.rig import Rig, run_rig
from tests.fixtures.server import ApiKey


@pytest.fixture(scope="session")
async def _rig() -> AsyncGenerator[Rig, None]:
    async with run_rig() as rig:
        yield rig


@pytest.fixture
async def rig(_rig: Rig) -> Rig:
    """Starts all parts, and clears the vendors' log."""
    await _rig.up()
    _rig.vendors.clear_log()
    return _rig


@pytest.fixture
async def key(rig: Rig) -> ApiKey:
    """Creates a key of a new organisation."""
    return await rig.key()
