"""A client of the platform with observability."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import httpx
import pytest

from tests.fixtures.seen import SeenPlatform


@pytest.fixture
async def http(seen: SeenPlatform) -> AsyncGenerator[httpx.AsyncClient, None]:
    """A client of its edge."""
    headers = {"authorization": f"Bearer {seen.platform.key['api_key']}"}
    async with httpx.AsyncClient(base_url=seen.platform.http, headers=headers, timeout=20) as client:
        yield client
