"""pytest-grpc's fixtures, connected to the real server through the edge."""

from __future__ import annotations

import pytest
from aichat_sandbox.platform import Platform

from tests.e2e.calls import Metadata


@pytest.fixture(scope="module")
def grpc_addr(platform: Platform) -> str:
    return platform.grpc


@pytest.fixture(scope="module")
def grpc_server(platform: Platform) -> Platform:
    return platform


@pytest.fixture(scope="module")
def metadata(platform: Platform) -> Metadata:
    """The credentials of native calls."""
    return (("authorization", f"Bearer {platform.key['api_key']}"),)
