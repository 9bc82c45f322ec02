"""Promise 19: a request is counted before it is decoded, and its caller is identified before that."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import grpc
import pytest
from aichat.v1 import billing_pb2, chat_pb2, messages_pb2, notifications_pb2, usage_pb2
from aichat_sandbox.stripe.webhooks import signature
from aichat_server.core.errors import Reason
from aichat_server.identity.service.organizations import MintedKey
from aichat_server.limits.domain.limits import PUBLIC_REQUESTS_PER_MINUTE
from google.protobuf.timestamp_pb2 import Timestamp

from tests.fixtures.rpc import SIGNING_SECRET, Client, Headers, bearer, refusal

UNSUBSCRIBE = "/aichat.v1.NotificationService/ShowUnsubscribe"
WEBHOOK = "/aichat.v1.BillingService/StripeWebhook"
CHAT = "/aichat.v1.ChatService/StreamChat"
USAGE = "/aichat.v1.UsageService/QueryUsage"
TOKEN = notifications_pb2.ShowUnsubscribeRequest(token="x").SerializeToString()


def at(address: str) -> Headers:
    """Returns the header in which the edge states the caller's address."""
    return (("x-aichat-client-address", address),)


async def refused(client: Client, method: str, raw: bytes, metadata: Headers = ()) -> tuple[Reason, dict[str, str]]:
    call: Any = client.channel.unary_unary(method)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(raw, metadata=metadata)
    told = refusal(caught.value)
    return told.reason, dict(told.metadata)


async def flood(client: Client, method: str, raw: bytes, metadata: Headers) -> list[Reason]:
    calls = (refused(client, method, raw, metadata) for _ in range(PUBLIC_REQUESTS_PER_MINUTE + 1))
    return [reason for reason, _ in await asyncio.gather(*calls)]


@pytest.mark.parametrize("method", [CHAT, USAGE])
async def test_a_strangers_request_is_not_even_decoded(client: Client, method: str) -> None:
    assert (await refused(client, method, b"\xff" * 100))[0] is Reason.CREDENTIALS_MISSING


@pytest.mark.parametrize(("method", "most"), [(WEBHOOK, 1114112), (UNSUBSCRIBE, 8192)])
async def test_the_contract_says_how_much_a_call_may_be(client: Client, method: str, most: int) -> None:
    told = (Reason.REQUEST_TOO_LARGE, {"limit_bytes": str(most)})
    assert await refused(client, method, b"\xff" * (most + 1)) == told
    assert (await refused(client, method, b"\xff" * most))[0] is Reason.REQUEST_MALFORMED


async def test_lists_are_counted_first(client: Client, key: MintedKey) -> None:
    webhook = billing_pb2.StripeWebhookRequest()
    webhook.event.extensions.add()
    assert (await refused(client, WEBHOOK, webhook.SerializeToString()))[0] is Reason.REQUEST_INVALID
    parts = chat_pb2.StreamChatRequest(model="m", parts=[messages_pb2.Part()] * 100_000).SerializeToString()
    assert (await refused(client, CHAT, parts, bearer(key.api_key)))[0] is Reason.REQUEST_INVALID


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (Timestamp(seconds=253402300799), Timestamp(seconds=1767225600)),
        (Timestamp(seconds=2**62), Timestamp(seconds=-(2**62))),
        (Timestamp(seconds=1767225600, nanos=-5), Timestamp(seconds=1767225700)),
        (Timestamp(seconds=1767225600), Timestamp(seconds=1767225700, nanos=2_000_000_000)),
    ],
    ids=["far apart", "no time", "nanos below", "nanos above"],
)
async def test_values_beyond_the_rules_are_invalid(
    client: Client, key: MintedKey, start: Timestamp, end: Timestamp
) -> None:
    query = usage_pb2.QueryUsageRequest(start_time=start, end_time=end, bucket=usage_pb2.USAGE_BUCKET_HOUR)
    raw = query.SerializeToString()
    assert (await refused(client, USAGE, raw, bearer(key.api_key)))[0] is Reason.REQUEST_INVALID


async def test_calls_that_need_no_credentials_are_limited_by_address(client: Client) -> None:
    reasons = await flood(client, UNSUBSCRIBE, TOKEN, at("192.0.2.1"))
    assert reasons.count(Reason.RATE_LIMITED) == 1
    reason, metadata = await refused(client, UNSUBSCRIBE, TOKEN, at("192.0.2.1"))
    assert (reason, metadata["scope"], metadata["remaining"]) == (Reason.RATE_LIMITED, "address", "0")
    assert (await refused(client, UNSUBSCRIBE, TOKEN, at("192.0.2.2")))[0] is Reason.UNSUBSCRIBE_TOKEN_INVALID
    # Without an edge, the connection's address counts.
    assert (await refused(client, UNSUBSCRIBE, TOKEN))[0] is Reason.UNSUBSCRIBE_TOKEN_INVALID


async def test_one_customers_ipv6_network_is_one_address(client: Client) -> None:
    await flood(client, UNSUBSCRIBE, TOKEN, at("2001:db8:1:2::1"))
    assert (await refused(client, UNSUBSCRIBE, TOKEN, at("2001:db8:1:2:ffff::9")))[0] is Reason.RATE_LIMITED
    assert (await refused(client, UNSUBSCRIBE, TOKEN, at("2001:db8:1:3::1")))[0] is Reason.UNSUBSCRIBE_TOKEN_INVALID


async def test_signed_webhooks_come_in_bursts_and_others_do_not(client: Client) -> None:
    event = {"id": "evt_1", "object": "event", "type": "a.b", "created": 1, "data": {"object": {"id": "x"}}}
    body = json.dumps(event).encode()
    webhook = billing_pb2.StripeWebhookRequest()
    webhook.event.data = body
    raw, proxy = webhook.SerializeToString(), at("192.0.2.3")
    reasons = await flood(client, WEBHOOK, raw, proxy)
    assert (reasons.count(Reason.WEBHOOK_INVALID), reasons.count(Reason.RATE_LIMITED)) == (len(reasons) - 1, 1)
    signed = (*proxy, ("stripe-signature", signature(body, SIGNING_SECRET, int(time.time()))))
    call: Any = client.channel.unary_unary(WEBHOOK)
    await asyncio.gather(*(call(raw, metadata=signed) for _ in range(PUBLIC_REQUESTS_PER_MINUTE + 1)))
