"""A silent, slow or broken sign-in service has a reason of its own, and soon fails only the callers who need it.

Known callers have keys that the server has seen; callers with an API key need no sign-in service at all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import cast

import grpc
import pytest
from aichat.v1 import conversations_pb2 as pb
from aichat_server.core.errors import Reason

from tests.faults.bounds import ROOM, read_bounds
from tests.faults.link import Link, Way, link_to
from tests.fixtures.auth import Auth
from tests.fixtures.rpc import bearer, refusal
from tests.fixtures.server import ApiKey, RunServer, ServerUnderTest
from tests.fixtures.tally import Measured
from tests.integration.conversations.asking import eventually

LINK = "server ↔ auth"
BOUNDS = read_bounds()
CALLERS = 40


@dataclass(frozen=True)
class Place:
    """A server, and the link to its sign-in service."""

    server: ServerUnderTest
    auth: Auth
    link: Link

    async def token(self) -> str:
        """Returns a token that this server accepts."""
        return await self.auth.mint(iss=f"http://{self.link.address}/auth/v1")

    async def new_token(self) -> str:
        """Returns a token that is signed with a key unknown to the server."""
        await self.auth.rotate("ES256")
        return await self.token()

    async def call(self, token: str) -> float:
        """Makes a call; returns its duration in seconds."""
        began = time.monotonic()
        request = pb.ListConversationsRequest()
        await self.server.conversations.ListConversations(request, metadata=bearer(token), timeout=60)
        return time.monotonic() - began

    async def refused(self, token: str) -> float:
        """Makes a call that fails because sign-in is unavailable; returns its duration."""
        began = time.monotonic()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.call(token)
        refused = refusal(caught.value)
        assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, Reason.SIGN_IN_UNAVAILABLE)
        assert len(refused.status.details) == 2, "and when to retry"
        return time.monotonic() - began

    async def signs_in(self, token: str) -> bool:
        """Whether a call with it succeeds."""
        with suppress(grpc.aio.AioRpcError):
            await self.call(token)
            return True
        return False


@asynccontextmanager
async def placed(run_server: RunServer, auth: Auth) -> AsyncGenerator[Place, None]:
    async with link_to(str(auth.client.base_url)) as link:
        settings = {"SUPABASE_URL": f"http://{link.address}", "AICHAT_AUTH_CACHE_SECONDS": "0"}
        async with run_server(**settings) as server:
            yield Place(server, auth, link)


BREAKS: dict[str, tuple[str, Callable[[Link], object]]] = {
    "silent both ways": ("silent", Link.silence),
    "silent from the peer": ("silent", lambda link: link.silence(Way.DOWN)),
    "20 bytes a second": ("slow", lambda link: link.slow_down(bytes_per_second=20)),
    "reset": ("cut", lambda link: link.cut_each_within(200)),
    "gone": ("gone", Link.remove),
}
"""Each with its kind of fault in docs/faults.md."""


@pytest.mark.parametrize("condition", BREAKS)
async def test_only_callers_with_new_keys_get_an_error(
    run_server: RunServer, auth: Auth, api_key: ApiKey, condition: str, measured: Measured
) -> None:
    fault, breaks = BREAKS[condition]
    bound = BOUNDS[LINK, fault]
    async with placed(run_server, auth) as place:
        known = await place.token()
        await place.call(known)
        new = await place.new_token()
        tried = place.link.accepted
        if (breaking := breaks(place.link)) is not None:
            await cast("Awaitable[None]", breaking)
        waiting = [asyncio.create_task(place.refused(new)) for _ in range(CALLERS)]
        others = [await place.call(token) for token in (known, api_key.api_key) * 5]
        refused = max(await asyncio.gather(*waiting))
        tries = place.link.accepted - tried
        place.link.heal()
        await place.link.restore()
        healed = time.monotonic()
        await eventually(lambda: place.signs_in(new), bool)
        well = time.monotonic() - healed
    measured(LINK, condition, Reason.SIGN_IN_UNAVAILABLE, refused, bound.within, well, bound.back)
    assert bound.reasons == {Reason.SIGN_IN_UNAVAILABLE}
    assert refused < bound.within * ROOM
    assert well < bound.back * ROOM
    assert tries <= 2, "all share one try"
    assert max(others) < bound.within / 2, "they are not held up by those who are"


async def test_silent_connections_cost_nothing_while_new_ones_work(run_server: RunServer, auth: Auth) -> None:
    async with placed(run_server, auth) as place:
        await place.call(await place.token())
        place.link.silence_open()
        await place.call(await place.new_token())


async def test_a_server_starts_and_stops_while_the_sign_in_service_is_silent(
    run_server: RunServer, auth: Auth, api_key: ApiKey
) -> None:
    async with link_to(str(auth.client.base_url)) as link:
        link.silence()
        async with run_server(SUPABASE_URL=f"http://{link.address}") as server:
            place = Place(server, auth, link)
            await place.call(api_key.api_key)
            await place.refused(await place.token())
