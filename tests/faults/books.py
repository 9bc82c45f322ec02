"""Compares the history, the ledger and the vendors' bills."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
from aichat.v1 import conversations_pb2, messages_pb2

from tests.faults.load import Turn
from tests.faults.rig import Replica, Rig
from tests.fixtures.rows import connection
from tests.fixtures.server import ApiKey

Buckets = tuple[int, int, int, int]
"""Tokens: input, read from the cache, written to the cache, output."""

_LEDGER = """
SELECT u.*, g.state, m.parts->0->>'text' AS asked
FROM aichat.usage_events AS u
JOIN aichat.generations AS g USING (org_id, generation_id)
JOIN aichat.turns AS t USING (org_id, generation_id)
LEFT JOIN aichat.messages AS m ON m.org_id = u.org_id AND m.message_id = t.user_message_id
WHERE u.org_id = $1
"""
_PRICE = """
SELECT input, cache_read, cache_write, output FROM aichat.prices
WHERE provider = $1 AND model = $2 AND valid_from <= now() AND (above_tokens = 0 OR above_tokens < $3)
ORDER BY valid_from DESC, above_tokens DESC LIMIT 1
"""
_READERS = 20


@dataclass(frozen=True, slots=True)
class Audit:
    """The result of comparing what senders saw with what is stored."""

    acknowledged: int
    lost: int
    """Acknowledged answers that history or ledger do not have in the same form."""
    double_billed: int
    """Messages that the ledger charges more than once."""


async def ledger(rig: Rig, key: ApiKey) -> list[asyncpg.Record]:
    """Returns the organisation's usage events, with the state of each generation and the text of its question."""
    async with connection(rig.owner_url) as owner:
        return await owner.fetch(_LEDGER, UUID(key.organization_id))


async def audit(rig: Rig, key: ApiKey, turns: Sequence[Turn]) -> Audit:
    """Compares the turns with the database; all turns belong to the key's organisation."""
    events = await ledger(rig, key)
    acknowledged = [turn for turn in turns if turn.completed is not None]
    charged = Counter(event["generation_id"] for event in events)
    costs = {event["generation_id"]: event["cost_nano_usd"] for event in events}
    replica = next(replica for replica in rig.replicas if replica.is_up)
    limit = asyncio.Semaphore(_READERS)

    async def is_kept(turn: Turn) -> bool:
        assert turn.completed is not None
        generation_id = UUID(turn.completed.generation_id)
        async with limit:
            found = [one for one in await history_of(replica, turn) if one.message_id == turn.completed.message_id]
        return (
            found == [turn.completed]
            and turn.completed.state == messages_pb2.MESSAGE_STATE_COMPLETE
            and turn.seen == "".join(part.text.text for part in turn.completed.parts)
            and charged[generation_id] == 1
            and costs[generation_id] == turn.completed.cost.units * 10**9 + turn.completed.cost.nanos
        )

    kept = await asyncio.gather(*map(is_kept, acknowledged))
    asked = Counter(event["asked"] for event in events if event["asked"] is not None)
    twice = sum(count > 1 for count in (*asked.values(), *charged.values()))
    return Audit(len(acknowledged), kept.count(False), twice)


async def history_of(replica: Replica, turn: Turn) -> list[messages_pb2.Message]:
    """Returns the messages of a turn's conversation."""
    known = turn.completed or turn.started
    assert known is not None
    request = conversations_pb2.ListMessagesRequest(conversation_id=known.conversation_id)
    return list((await replica.conversations.ListMessages(request, metadata=turn.key.metadata)).messages)


async def billed(rig: Rig) -> dict[tuple[str, Buckets, int], int]:
    """Returns what the vendors bill: the number of replies by model, tokens and cost in nano-dollars."""
    bills: Counter[tuple[str, Buckets, int]] = Counter()
    async with connection(rig.owner_url) as owner:
        for bill in rig.vendors.bills():
            buckets = _BUCKETS[bill["vendor"]](bill["usage"])
            prices = await owner.fetchrow(_PRICE, bill["vendor"], bill["model"], sum(buckets[:3]))
            assert prices is not None
            micro = sum(tokens * price for tokens, price in zip(buckets, prices, strict=True))
            bills[bill["model"], buckets, -(-micro // 10**6)] += bill["replies"]
    return dict(bills)


async def booked(rig: Rig, key: ApiKey) -> dict[tuple[str, Buckets, int], int]:
    """Returns the same from the ledger."""
    names = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens")
    events = await ledger(rig, key)
    return dict(
        Counter((event["model"], tuple(event[name] for name in names), event["cost_nano_usd"]) for event in events)
    )


async def prices(rig: Rig) -> dict[str, tuple[int, int]]:
    """Returns the price of a million tokens of input and of output in the first tier, in nano-dollars, by model."""
    query = "SELECT model, input, output FROM aichat.prices WHERE above_tokens = 0 ORDER BY valid_from"
    async with connection(rig.owner_url) as owner:
        return {row["model"]: (row["input"], row["output"]) for row in await owner.fetch(query)}


async def running(rig: Rig, key: ApiKey) -> set[UUID]:
    """Returns the generations that have not ended; checks that these, and no others, have a hold."""
    query = "SELECT generation_id FROM aichat.{} WHERE org_id = $1{}"
    async with connection(rig.owner_url) as owner:
        org_id = UUID(key.organization_id)
        found = [
            {row["generation_id"] for row in await owner.fetch(query.format(table, more), org_id)}
            for table, more in (("generations", " AND state = 'running'"), ("holds", ""))
        ]
    assert found[0] == found[1]
    return found[0]


def _anthropic(usage: Mapping[str, Any]) -> Buckets:
    read, written = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
    return usage["input_tokens"], read, written, usage["output_tokens"]


def _openai(usage: Mapping[str, Any]) -> Buckets:
    details = usage["input_tokens_details"]
    read, written = details["cached_tokens"], details["cache_write_tokens"]
    return usage["input_tokens"] - read - written, read, written, usage["output_tokens"]


def _gemini(usage: Mapping[str, Any]) -> Buckets:
    cached = usage.get("cachedContentTokenCount", 0)
    asked = usage["promptTokenCount"] + usage.get("toolUsePromptTokenCount", 0) - cached
    return asked, cached, 0, usage["candidatesTokenCount"] + usage.get("thoughtsTokenCount", 0)


_BUCKETS = {"anthropic": _anthropic, "openai": _openai, "gemini": _gemini}
