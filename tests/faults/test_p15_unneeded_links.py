"""Promises 8, 15: a silent service delays no call that does not need it, except for one wait of the whole process."""

from __future__ import annotations

import asyncio
import base64
import json
import statistics
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

import grpc
import pytest
from aichat.v1 import billing_pb2, billing_pb2_grpc, chat_pb2, conversations_pb2, usage_pb2, usage_pb2_grpc
from aichat_sandbox.standins import STRIPE, settings_for

from tests.faults.bounds import FAULTS, ROOM, read_bounds
from tests.faults.link import Link, link_to
from tests.faults.linked import run_linked
from tests.faults.load import MODELS, Turn, follow, marked, reason_of
from tests.faults.rig import Replica, Rig
from tests.faults.scale import IS_FULL, SCALE
from tests.fixtures.auth import Auth
from tests.fixtures.server import ApiKey
from tests.fixtures.stripe import SECRET_KEY, Stripe
from tests.fixtures.tally import Measured
from tests.integration.conversations.asking import eventually

CLAUDE, OPENAI, _ = MODELS
CALLS = 9
# How much longer the median call may take during a silence: waiting for it would take seconds, each time.
TIMES, SECONDS = 4, 0.5
# Two for the collector and two for Sentry, with room for a busy machine.
STOP_SECONDS = 9.0


@dataclass(frozen=True)
class Server:
    """A server with every optional service, and its links by name."""

    replica: Replica
    links: dict[str, Link]

    async def chat(self, key: ApiKey) -> None:
        assert await follow(Turn(key, marked(words=2), CLAUDE), self.replica) == ""

    async def ask_openai(self, key: ApiKey) -> None:
        await follow(Turn(key, marked(words=2), OPENAI), self.replica)

    async def read(self, key: ApiKey) -> None:
        request = conversations_pb2.ListConversationsRequest(page_size=1)
        await self.replica.conversations.ListConversations(request, metadata=key.metadata)

    async def read_quotas(self, key: ApiKey) -> None:
        stub: usage_pb2_grpc.UsageServiceAsyncStub = usage_pb2_grpc.UsageServiceStub(self.replica.channel)
        await stub.GetQuotas(usage_pb2.GetQuotasRequest(), metadata=key.metadata)

    async def begin_checkout(self, key: ApiKey) -> None:
        stub: billing_pb2_grpc.BillingServiceAsyncStub = billing_pb2_grpc.BillingServiceStub(self.replica.channel)
        urls = dict.fromkeys(("success_url", "cancel_url"), "https://app.example.com/")
        request = billing_pb2.CreateCheckoutSessionRequest(plan="pro", **urls)
        await stub.CreateCheckoutSession(request, metadata=key.metadata)

    async def sign_in(self, _key: ApiKey) -> None:
        """Signs in with a token of an unknown key: the server requests the list of keys."""
        metadata = (("authorization", f"Bearer {_token()}"),)
        await self.replica.conversations.ListConversations(
            conversations_pb2.ListConversationsRequest(page_size=1), metadata=metadata
        )


Call = Callable[[Server, ApiKey], Awaitable[None]]


def _token() -> str:
    parts = ({"alg": "ES256", "kid": "unknown", "typ": "JWT"}, {"sub": "somebody"})
    coded = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
    return ".".join([*coded, "c2lnbmF0dXJl"])


@pytest.fixture(scope="module")
async def server(_rig: Rig, _auth_process: Auth, _stripe_process: Stripe) -> AsyncGenerator[Server, None]:
    await _rig.up()
    urls = {
        "auth": str(_auth_process.client.base_url),
        "Stripe": _stripe_process.url,
        # None of these tests needs a real service behind the others.
        **dict.fromkeys(("OpenAI", "collector", "Sentry"), _rig.vendors.url),
    }
    async with AsyncExitStack() as stack:
        links = {name: await stack.enter_async_context(link_to(url)) for name, url in urls.items()}
        linked = await stack.enter_async_context(
            run_linked(
                _rig,
                OPENAI_BASE_URL=f"http://{links['OpenAI'].address}/openai/v1",
                SUPABASE_URL=f"http://{links['auth'].address}",
                OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{links['collector'].address}",
                SENTRY_DSN=f"http://public@{links['Sentry'].address}/7",
                AICHAT_PROVIDER_STALL_SECONDS="8",
                AICHAT_RETURN_ORIGINS="https://app.example.com",
                **settings_for([STRIPE], f"http://{links['Stripe'].address}") | {STRIPE.key: SECRET_KEY},
            )
        )
        yield Server(linked.replica, {**links, "Postgres": linked.postgres, "Redis": linked.redis})


async def _seconds(server: Server, key: ApiKey, calls: tuple[Call, ...]) -> float:
    """Returns the time of the median call."""
    taken = []
    for _ in range(CALLS):
        began = time.monotonic()
        for call in calls:
            await call(server, key)
        taken.append(time.monotonic() - began)
    return statistics.median(taken)


@pytest.mark.parametrize(
    ("name", "calls", "needing"),
    [
        ("Redis", (Server.chat, Server.read), Server.chat),
        ("OpenAI", (Server.chat, Server.read), Server.ask_openai),
        ("auth", (Server.chat, Server.read), Server.sign_in),
        ("Stripe", (Server.chat, Server.read_quotas), Server.begin_checkout),
        ("collector", (Server.chat, Server.read), Server.chat),
        ("Sentry", (Server.chat, Server.read), Server.chat),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_calls_that_do_not_need_it_stay_fast(
    server: Server, key: ApiKey, name: str, calls: tuple[Call, ...], needing: Call
) -> None:
    before = await _seconds(server, key, calls)
    server.links[name].silence()
    waiting = [asyncio.ensure_future(needing(server, key)) for _ in range(5)]
    try:
        during = await _seconds(server, key, calls)
    finally:
        for call in waiting:
            call.cancel()
            with suppress(asyncio.CancelledError, grpc.aio.AioRpcError):
                await call
        server.links[name].heal()
    assert during <= before * TIMES + SECONDS


async def test_text_keeps_streaming_while_nothing_can_be_stored(server: Server, key: ApiKey) -> None:
    turn = Turn(key, marked(words=40, interval_ms=50), CLAUDE)
    reading = asyncio.create_task(follow(turn, server.replica))

    async def seen() -> int:
        return len(turn.seen)

    await eventually(seen, bool)
    server.links["Postgres"].silence()
    try:
        await eventually(seen, lambda length: length == len("".join(f"word{n} " for n in range(40))))
        assert turn.completed is None
        models = await server.replica.chat.ListModels(chat_pb2.ListModelsRequest(), metadata=key.metadata)
        assert models.models
    finally:
        server.links["Postgres"].heal()
    assert await reading == ""
    assert turn.completed is not None


@pytest.mark.parametrize("fault", FAULTS if IS_FULL else ["gone"])
@pytest.mark.parametrize(("name", "call"), [("auth", Server.sign_in), ("Stripe", Server.begin_checkout)])
async def test_calls_that_need_it_fail_in_time(
    server: Server, key: ApiKey, name: str, call: Call, fault: str, measured: Measured
) -> None:
    bound, link = read_bounds()[f"server ↔ {name}", fault], server.links[name]
    healthy = await reason_of_failure(call, server, key)
    await _break(link, fault)
    saw, longest, broken = set[str](), 0.0, time.monotonic()
    while time.monotonic() < broken + SCALE.broken_seconds:
        began = time.monotonic()
        saw.add(await reason_of_failure(call, server, key))
        longest = max(longest, time.monotonic() - began)
        await asyncio.sleep(0.1)
    link.heal()
    await link.restore()
    healed = time.monotonic()
    while await reason_of_failure(call, server, key) != healthy:
        await asyncio.sleep(0.1)
    well = time.monotonic() - healed
    seen = ", ".join(sorted(saw - {healthy})) or "nothing"
    measured(f"server ↔ {name}", fault, seen, longest, bound.within, well, bound.back)
    assert saw <= {healthy, *bound.reasons}
    assert longest <= bound.within * ROOM
    assert well <= bound.back * ROOM


async def reason_of_failure(call: Call, server: Server, key: ApiKey) -> str:
    """Returns the reason of the call's failure."""
    try:
        await call(server, key)
    except grpc.aio.AioRpcError as error:
        return reason_of(error) or error.code().name
    return ""


async def _break(link: Link, fault: str) -> None:
    match fault:
        case "silent":
            link.silence()
        case "slow":
            link.slow_down(bytes_per_second=50)
        case "cut":
            link.cut_each_within(100)
            link.cut()
        case _:
            await link.remove()


async def test_a_shutdown_does_not_wait_for_observability(server: Server, key: ApiKey) -> None:
    """The last test of this server."""
    await server.chat(key)
    for name in ("collector", "Sentry"):
        server.links[name].silence()
    await server.chat(key)
    async with asyncio.timeout(STOP_SECONDS):
        assert await server.replica.drain() == 0
