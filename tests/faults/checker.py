"""An independent judge of what faults leave: it takes what callers recorded, and asks the database by its own SQL.

It knows none of the server's code. What it is given: every event that callers read, and every `completed` that they
were sent. What it reads: the tables, as the superuser, once nothing runs any more.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg

from tests.faults.load import Reading, Turn
from tests.integration.storage.rows import connection

QUIET_SECONDS = 90.0
"""How long answers that lost their server may take to be ended: a lease, a run of the job, and a busy machine."""

_TABLES = (
    "generations", "messages", "usage_events", "holds", "leases", "quota_usage", "usage_hourly", "open_hours",
)  # fmt: skip
_PRICED = {
    "input_tokens": "input",
    "cache_read_tokens": "cache_read",
    "cache_write_tokens": "cache_write",
    "cache_write_1h_tokens": "cache_write_1h",
    "output_tokens": "output",
}
_USED = (*_PRICED, "web_searches")
_INPUT = tuple(name for name in _PRICED if name != "output_tokens")

Row = dict[str, Any]


@dataclass(frozen=True)
class Books:
    """All rows of one organisation, and the prices."""

    tables: dict[str, list[Row]]
    prices: list[Row]

    def __getitem__(self, table: str) -> list[Row]:
        return self.tables[table]

    @property
    def generations(self) -> dict[UUID, Row]:
        return {row["generation_id"]: row for row in self["generations"]}

    @property
    def is_quiet(self) -> bool:
        """Whether nothing runs or is held any more."""
        running = [row for row in self["generations"] if row["state"] == "running"]
        return not (running or self["holds"] or self["leases"])


async def faults_in(
    owner_url: str, org_id: str, turns: Sequence[Turn], *, quiet_seconds: float = QUIET_SECONDS
) -> list[str]:
    """What is wrong with an organisation whose turns these were, once it is quiet or had its time. Empty: nothing."""
    books = await read_books(owner_url, org_id)
    with suppress(TimeoutError):
        async with asyncio.timeout(quiet_seconds):
            while not books.is_quiet:
                await asyncio.sleep(0.2)
                books = await read_books(owner_url, org_id)
    seen = (left(books), acknowledged(books, turns), sequences(turns), once(books, turns), ledger(books), sums(books))
    return [fault for faults in seen for fault in faults]


async def read_books(owner_url: str, org_id: str) -> Books:
    """The rows as they are now, all at one moment."""
    async with connection(owner_url) as owner, owner.transaction(isolation="repeatable_read"):
        tables = {
            table: _rows(await owner.fetch(f"SELECT * FROM aichat.{table} WHERE org_id = $1", UUID(org_id)))  # noqa: S608
            for table in _TABLES
        }
        return Books(tables, _rows(await owner.fetch("SELECT * FROM aichat.prices")))


def left(books: Books) -> Iterator[str]:
    """Nothing is running, held or leased any more."""
    for row in books["generations"]:
        if row["state"] == "running":
            yield f"generation {row['generation_id']} runs"
    for row in books["messages"]:
        if row["running"]:
            yield f"message {row['message_id']} is being written"
    for table in ("holds", "leases"):
        for row in books[table]:
            yield f"{table}: {row['generation_id']} is left"


def acknowledged(books: Books, turns: Iterable[Turn]) -> Iterator[str]:
    """What callers were told is complete is stored once, with the same text, and charged once at the same cost."""
    for turn in turns:
        told = turn.completed
        if told is None:
            continue
        text = "".join(part.text.text for part in told.parts)
        cost = told.cost.units * 10**9 + told.cost.nanos
        generation_id = UUID(told.generation_id)
        answers = [row for row in books["messages"] if row["generation_id"] == generation_id]
        if [(str(row["message_id"]), row["state"], _text(row)) for row in answers] != [
            (told.message_id, "complete", text)
        ]:
            yield f"answer {told.message_id} was told as {text!r}, and is stored as {[_text(row) for row in answers]}"
        charges = [row["cost_nano_usd"] for row in books["usage_events"] if row["generation_id"] == generation_id]
        if charges != [cost]:
            yield f"generation {generation_id} was told to cost {cost}, and is charged {charges}"
        if turn.seen != text:
            yield f"answer {told.message_id} was shown as {turn.seen!r}, and told as {text!r}"


def sequences(turns: Iterable[Turn]) -> Iterator[str]:
    """No reader saw a gap or a repeat, and whatever a request's readers were shown is the beginning of one answer."""
    for turn in turns:
        shown = [turn.seen]
        for reading in turn.readings:
            numbers = [number for number, _ in reading.events]
            if numbers != [*range(reading.after + 1, reading.after + 1 + len(numbers))]:
                yield f"a reader of {reading.generation_id} after {reading.after} got {numbers}"
            # One that goes on from where another broke off belongs to it.
            before = shown.pop() if reading.after and len(shown) > 1 else ""
            shown.append(before + "".join(text for _, text in reading.events))
        longest = max(shown, key=len)
        for text in shown:
            if not longest.startswith(text):
                yield f"request {turn.request_id} was shown {text!r}, and {longest!r}"


def once(books: Books, turns: Iterable[Turn]) -> Iterator[str]:
    """No request ran twice: one generation at most that showed its callers anything, and one that was charged."""
    asked = {row["message_id"]: _text(row) for row in books["messages"] if row["role"] == "user"}
    charged = {row["generation_id"] for row in books["usage_events"]}
    runs = Counter(asked.get(row["user_message_id"]) for row in books["generations"] if row["generation_id"] in charged)
    requests = Counter(str(row["request_id"]) for row in books["generations"] if row["request_id"] is not None)
    for turn in turns:
        ids = {reading.generation_id for reading in turn.readings if _said_anything(reading)}
        if len(ids) > 1:
            yield f"request {turn.request_id} was answered by {sorted(ids)}"
        if runs[turn.text] > 1 or requests[turn.request_id] > 1:
            yield f"request {turn.request_id} ran {max(runs[turn.text], requests[turn.request_id])} times"


def ledger(books: Books) -> Iterator[str]:
    """The ledger has each generation that used anything once, and no other, at what its tokens cost by the prices."""
    charges = Counter(row["generation_id"] for row in books["usage_events"])
    for generation_id, generation in books.generations.items():
        used = any(generation[name] for name in _USED) or generation["state"] == "complete"
        if charges[generation_id] != used:
            yield f"generation {generation_id}, {generation['state']}, is {charges[generation_id]} times in the ledger"
    for row in books["usage_events"]:
        found = books.generations.get(row["generation_id"])
        if found is None:
            yield f"the ledger charges {row['generation_id']}, which is not there"
            continue
        if any(row[name] != found[name] for name in (*_USED, "cost_nano_usd", "model")):
            yield f"the ledger and generation {row['generation_id']} differ"
        cost = _price(books, row)
        # One that broke off is charged no more than was held for it.
        if row["cost_nano_usd"] > cost or (found["state"] == "complete" and row["cost_nano_usd"] != cost):
            yield f"generation {row['generation_id']} costs {cost} by its tokens, and is charged {row['cost_nano_usd']}"


def sums(books: Books) -> Iterator[str]:
    """Counters of quotas are the sum of the ledger in their period, and so is each hour that is closed."""
    for row in books["quota_usage"]:
        whose = {"organization": "org_id", "member": "member_id", "key": "key_id"}[row["scope"]]
        begins = row["period_start"]
        # Periods are UTC's, and so are the database's times here.
        ends = begins + timedelta(days=1) if row["period"] == "day" else (begins + timedelta(days=31)).replace(day=1)
        spent = sum(
            event["cost_nano_usd"]
            for event in books["usage_events"]
            if event[whose] == row["scope_id"] and begins <= event["occurred_at"] < ends
        )
        if spent != row["charged_nano_usd"]:
            yield f"a quota by {row['scope']} and {row['period']} counts {row['charged_nano_usd']}, the ledger {spent}"
    opened = {row["hour"] for row in books["open_hours"]}
    booked, summed = Counter[Any](), Counter[Any]()
    for row in books["usage_events"]:
        booked[row["occurred_at"].replace(minute=0, second=0, microsecond=0)] += row["cost_nano_usd"]
    for row in books["usage_hourly"]:
        summed[row["hour"]] += row["cost_nano_usd"]
    for hour in (booked.keys() | summed.keys()) - opened:
        if booked[hour] != summed[hour]:
            yield f"hour {hour} is summed up as {summed[hour]}, the ledger has {booked[hour]}"


def _price(books: Books, event: Row) -> int:
    """What the tokens of a row of the ledger cost, in nano-dollars, by the price that it names."""
    asked = sum(event[name] for name in _INPUT)
    tiers = [
        price
        for price in books.prices
        if (price["provider"], price["model"], price["valid_from"])
        == (event["provider"], event["model"], event["price_version"])
        and (price["above_tokens"] == 0 or price["above_tokens"] < asked)
    ]
    tier = max(tiers, key=lambda price: price["above_tokens"])
    micro = sum(event[tokens] * tier[price] for tokens, price in _PRICED.items())
    micro += event["web_searches"] * tier["web_search"] * 10**6
    return int(-(-micro // 10**6))


def _said_anything(reading: Reading) -> bool:
    return any(text for _, text in reading.events)


def _text(row: Row) -> str:
    parts = row["parts"] if isinstance(row["parts"], list) else json.loads(row["parts"])
    return "".join(part["text"] for part in parts if "text" in part)


def _rows(records: Iterable[asyncpg.Record]) -> list[Row]:
    return [dict(record) for record in records]
