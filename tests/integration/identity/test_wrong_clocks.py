"""A server's clock may be set while it works: access begins and ends as if it had not been."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from aichat.v1 import conversations_pb2 as pb
from aichat.v1 import conversations_pb2_grpc
from aichat_sandbox.ports import free_ports
from aichat_server.core.database.database import Database
from aichat_server.core.errors import Reason
from aichat_server.identity.service.organizations import MintedKey, Organizations

from tests.fixtures.auth import Auth
from tests.fixtures.nursery import fork
from tests.fixtures.rpc import bearer, refusal
from tests.fixtures.server import is_serving
from tests.integration.conversations.asking import eventually

if TYPE_CHECKING:
    from aichat.v1.conversations_pb2_grpc import ConversationServiceAsyncStub as Stub

HOUR = 3600


@asynccontextmanager
async def serving(settings: dict[str, str], clock: Path) -> AsyncGenerator[Stub, None]:
    """A server with that clock."""
    address = f"127.0.0.1:{free_ports(1)[0]}"
    environment = settings | {"AICHAT_LISTEN": address}
    process = await fork(environment, clock.parent, "aichat_server", "serve", errors="log", clock=clock)
    try:
        async with grpc.aio.insecure_channel(address) as channel:
            assert await is_serving(channel)
            yield conversations_pb2_grpc.ConversationServiceStub(channel)
    finally:
        process.terminate()
        await process.wait()


async def ending(stub: Stub, credentials: str) -> Reason | None:
    """Returns how a call ends; None: successfully."""
    try:
        await stub.ListConversations(pb.ListConversationsRequest(), metadata=bearer(credentials))
    except grpc.aio.AioRpcError as error:
        return refusal(error).reason
    return None


@pytest.mark.parametrize(("first", "then"), [(HOUR, -HOUR), (-HOUR, HOUR)])
async def test_access_does_not_depend_on_a_clock_that_can_be_set(
    server_settings: dict[str, str], tmp_path: Path, database: Database, key: MintedKey, auth: Auth,
    first: int, then: int,
) -> None:  # fmt: skip
    clock = tmp_path / "clock"
    clock.write_text(str(first))
    sign_in = str(auth.client.base_url).rstrip("/")
    settings = server_settings | {"SUPABASE_URL": sign_in, "AICHAT_AUTH_CACHE_SECONDS": "2"}
    async with serving(settings, clock) as stub:
        assert "this machine's clock is wrong" in (tmp_path / "log").read_text()
        short = await Organizations(database).mint_another_key(key.org_id, expires_in=timedelta(minutes=30))
        assert short is not None
        good, over = (key.api_key, short.api_key, await auth.mint()), await auth.mint(exp=1)
        assert [await ending(stub, one) for one in good] == [None] * 3
        clock.write_text(str(then))
        assert [await ending(stub, one) for one in (*good, await auth.mint())] == [None] * 4
        assert await ending(stub, over) is Reason.CREDENTIALS_EXPIRED
        await Organizations(database).revoke_key(key.org_id, key.key_id)
        await eventually(partial(ending, stub, key.api_key), lambda told: told is Reason.CREDENTIALS_REVOKED)
