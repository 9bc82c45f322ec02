"""Checks independently what faults leave behind: from what callers recorded, and from the database by its own SQL.

It uses no code of the server. Its input is every event that callers read and every `completed` that they received. It
reads the tables as the superuser, once nothing runs any more.
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
from tests.fixtures.rows import connection

QUIET_SECONDS = 90.0
"""The longest time until answers of lost servers are ended: a lease, a run of the job, and a busy machine."""

_TABLES = (
    "generations", "requests", "turns", "messages", "usage_events", "holds", "leases", "quota_usage", "usage_hourly",
    "open_hours",
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
        """Whether nothing is running or held."""
        running = [row for row in self["generations"] if row["state"] == "running"]
        return not (running or self["holds"] or self["leases"])


async def faults_in(
    owner_url: str, org_id: str, turns: Sequence[Turn], *, quiet_seconds: float = QUIET_SECONDS
) -> list[str]:
    """Returns what is wrong with the organisation of these turns, once it is quiet or the time is over.

    Empty: nothing.
    """
    books = await read_books(owner_url, org_id)
    with suppress(TimeoutError):
        async with asyncio.timeout(quiet_seconds):
            while not books.is_quiet:
                await asyncio.sleep(0.2)
                books = await read_books(owner_url, org_id)
    seen = (left(books), acknowledged(books, turns), sequences(turns), once(books, turns), ledger(books), sums(books))
    return [fault for faults in seen for fault in faults]


async def read_books(owner_url: str, org_id: str) -> Books:
    """Returns the current rows, all in one snapshot."""
    async with connection(owner_url) as owner, owner.transaction(isolation="repeatable_read"):
        tables = {
            table: _rows(await owner.fetch(f"SELECT * FROM aichat.{table} WHERE org_id = $1", UUID(org_id)))  # noqa: S608
            for table in _TABLES
        }
        return Books(tables, _rows(await owner.fetch("SELECT * FROM aichat.prices")))


def left(books: Books) -> Iterator[str]:
    """Yields what is still running, held or leased."""
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
    """Yields acknowledged answers that are not stored once with the same text, or not charged once at the same cost."""
    for turn in turns:
        completed = turn.completed
        if completed is None:
            continue
        text = "".join(part.text.text for part in completed.parts)
        cost = completed.cost.units * 10**9 + completed.cost.nanos
        generation_id = UUID(completed.generation_id)
        answers = [row for row in books["messages"] if row["generation_id"] == generation_id]
        if [(str(row["message_id"]), row["state"], _text(row)) for row in answers] != [
            (completed.message_id, "complete", text)
        ]:
            stored = [_text(row) for row in answers]
            yield f"answer {completed.message_id} was acknowledged as {text!r}, and is stored as {stored}"
        charges = [row["cost_nano_usd"] for row in books["usage_events"] if row["generation_id"] == generation_id]
        if charges != [cost]:
            yield f"generation {generation_id} was reported to cost {cost}, and is charged {charges}"
        if turn.seen != text:
            yield f"answer {completed.message_id} was shown as {turn.seen!r}, and acknowledged as {text!r}"


def sequences(turns: Iterable[Turn]) -> Iterator[str]:
    """Yields readers that saw a gap or a repeat, and requests whose readers saw different answers."""
    for turn in turns:
        shown = [turn.seen]
        for reading in turn.readings:
            numbers = [number for number, _ in reading.events]
            if numbers != [*range(reading.after + 1, reading.after + 1 + len(numbers))]:
                yield f"a reader of {reading.generation_id} after {reading.after} got {numbers}"
            # A reading that resumes another continues its text.
            before = shown.pop() if reading.after and len(shown) > 1 else ""
            shown.append(before + "".join(text for _, text in reading.events))
        longest = max(shown, key=len)
        for text in shown:
            if not longest.startswith(text):
                yield f"request {turn.request_id} was shown {text!r}, and {longest!r}"


def once(books: Books, turns: Iterable[Turn]) -> Iterator[str]:
    """Yields requests that ran twice: more than one generation was shown, or more than one was charged."""
    asked = {row["message_id"]: _text(row) for row in books["messages"] if row["role"] == "user"}
    charged = {row["generation_id"] for row in books["usage_events"]}
    runs = Counter(asked.get(row["user_message_id"]) for row in books["turns"] if row["generation_id"] in charged)
    requests = Counter(str(row["request_id"]) for row in books["requests"])
    for turn in turns:
        ids = {reading.generation_id for reading in turn.readings if _said_anything(reading)}
        if len(ids) > 1:
            yield f"request {turn.request_id} was answered by {sorted(ids)}"
        if runs[turn.text] > 1 or requests[turn.request_id] > 1:
            yield f"request {turn.request_id} ran {max(runs[turn.text], requests[turn.request_id])} times"


def ledger(books: Books) -> Iterator[str]:
    """Yields generations that the ledger lacks, has twice, has without cause, or charges at a wrong price."""
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
        # An incomplete one may be charged less than its tokens cost, since it is charged at most what was held.
        if row["cost_nano_usd"] > cost or (found["state"] == "complete" and row["cost_nano_usd"] != cost):
            yield f"generation {row['generation_id']} costs {cost} by its tokens, and is charged {row['cost_nano_usd']}"


def sums(books: Books) -> Iterator[str]:
    """Yields quota counters and closed hours that differ from the sum of the ledger."""
    for row in books["quota_usage"]:
        whose = {"organization": "org_id", "member": "member_id", "key": "key_id"}[row["scope"]]
        begins = row["period_start"]
        # Periods are in UTC, as are the database's times here.
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
    """Returns the price of a ledger row's tokens, in nano-dollars, by the price version that the row names."""
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
