"""Turns a month's ledger into the lines of an invoice, with hashes that prove it.

Events are grouped by their terms and by model, price and member, as finely as fits on one invoice. Usage that the plan
includes is deducted line by line, in order. Each line is rounded once, and nothing else is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from aichat_server.core.money import NANO_PER_CENT, NanoUsd, to_decimal
from aichat_server.core.periods import Month
from aichat_server.invoices.domain.invoices import (
    WHOLE,
    Adjustment,
    EventRange,
    Line,
    LineKind,
    Statement,
    Subject,
    Terms,
    UsageTerms,
    whole_cents,
)
from aichat_server.models.domain.usage import KINDS, Usage

MOST_USAGE_LINES = 140
MOST_ADJUSTMENTS = 100
"""Together with carried credit, fewer than the 250 lines that Stripe allows on an invoice."""

COUNTS = tuple(kind.name for kind in KINDS)
"""The counts of a usage, in the order in which they are hashed."""

_SUBJECT = ("provider", "model", "price", "member")
_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class LedgerEvent:
    """What a turn used, as in the ledger."""

    occurred_at: datetime
    generation_id: UUID
    member_id: UUID
    provider: str
    model: str
    price_version: datetime
    usage: Usage
    cost: NanoUsd


class LineKey(NamedTuple):
    """What the events of one line have in common."""

    terms: int
    """The number of their terms."""
    subject: tuple[str, ...]
    """Vendor, model, price and member: as many of these as the lines are grouped by."""


def canonical(event: LedgerEvent) -> bytes:
    """Returns the bytes of an event that are hashed: one line of JSON, times in whole microseconds since 1970."""
    usage = event.usage
    values = (
        _microseconds(event.occurred_at),
        str(event.generation_id),
        str(event.member_id),
        event.provider,
        event.model,
        _microseconds(event.price_version),
        *(getattr(usage, name) for name in COUNTS),
        usage.estimated,
        event.cost,
    )
    return json.dumps(values, separators=(",", ":")).encode() + b"\n"


def finest_key(terms: int, event: LedgerEvent) -> LineKey:
    """Returns the key that identifies the event's line at the finest grouping."""
    price = str(_microseconds(event.price_version))
    return LineKey(terms, (event.provider, event.model, price, str(event.member_id)))


def depth_that_fits(keys: Collection[LineKey]) -> int:
    """Returns how many of the four dimensions to group by, so that the lines fit on an invoice."""
    for depth in range(len(_SUBJECT), 0, -1):
        if len({(key.terms, key.subject[:depth]) for key in keys}) <= MOST_USAGE_LINES:
            return depth
    return 0


@dataclass(slots=True)
class _Sum:
    """A line that is being summed."""

    event: LedgerEvent
    """The first event."""
    last: LedgerEvent
    count: int = 0
    cost: int = 0
    usage: Usage = field(default_factory=Usage)
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def add(self, event: LedgerEvent) -> None:
        usage = event.usage
        self.last = event
        self.count += 1
        self.cost += event.cost
        counts = {name: getattr(self.usage, name) + getattr(usage, name) for name in COUNTS}
        self.usage = Usage(**counts, estimated=self.usage.estimated or usage.estimated)
        self.digest.update(canonical(event))


class StatementBuilder:
    """Sums a month's events one by one, ordered by time and generation."""

    def __init__(self, month: Month, terms: Sequence[Terms], keys: Collection[LineKey]) -> None:
        """`terms` cover the month without a gap, in order; `keys` are the finest keys of all its events."""
        self._month = month
        self._terms = terms
        self._depth = depth_that_fits(keys)
        self._sums: dict[LineKey, _Sum] = {}
        self._at = 0

    def add(self, event: LedgerEvent) -> None:
        """Adds the event to its line; raises ValueError if it is from another month."""
        if not self._month.contains(event.occurred_at):
            raise ValueError("the event is from another month")
        while event.occurred_at >= self._terms[self._at].ends_at:
            self._at += 1
        key = LineKey(self._at, finest_key(self._at, event).subject[: self._depth])
        if key not in self._sums:
            self._sums[key] = _Sum(event, event)
        self._sums[key].add(event)

    def usage_lines(self) -> tuple[Line, ...]:
        """Returns a line for each key, in the keys' order."""
        left = [included_in(terms, self._month) for terms in self._terms]
        lines = []
        for number, key in enumerate(sorted(self._sums), 1):
            included = min(self._sums[key].cost, left[key.terms])
            left[key.terms] -= included
            lines.append(self._line(number, key, NanoUsd(included)))
        return tuple(lines)

    def _line(self, number: int, key: LineKey, included: NanoUsd) -> Line:
        summed, terms = self._sums[key], self._terms[key.terms]
        named = dict(zip(_SUBJECT, key.subject, strict=False))
        subject = Subject(
            named.get("provider"),
            named.get("model"),
            summed.event.price_version if "price" in named else None,
            UUID(named["member"]) if "member" in named else None,
        )
        first, last = summed.event, summed.last
        return Line(
            number=number,
            kind=LineKind.USAGE,
            cost=NanoUsd(summed.cost),
            included=included,
            cents=whole_cents(summed.cost - included, terms.overage),
            description=_description(subject, terms, summed.usage, NanoUsd(summed.cost), included),
            hash=summed.digest.hexdigest(),
            terms=UsageTerms(terms.plan, terms.version, terms.overage),
            subject=subject,
            usage=summed.usage,
            events=EventRange(
                summed.count, first.occurred_at, first.generation_id, last.occurred_at, last.generation_id
            ),
        )


def statement(usage: Sequence[Line], adjustments: Iterable[Adjustment]) -> Statement:
    """Returns the lines of usage and of the adjustments. Credit below a sum of 0 is carried to the next invoice."""
    lines = list(usage)
    for change in adjustments:
        lines.append(
            Line(
                number=len(lines) + 1,
                kind=LineKind.ADJUSTMENT,
                cost=change.amount,
                included=NanoUsd(0),
                cents=whole_cents(change.amount),
                description=change.reason,
                hash=_digest([str(change.adjustment_id), change.kind, change.amount]),
                adjustment_id=change.adjustment_id,
            )
        )
    over = min(0, sum(line.cents for line in lines))
    carried = NanoUsd(over * NANO_PER_CENT)
    if carried:
        description = "Credits carried to the next invoice"
        lines.append(
            Line(
                len(lines) + 1, LineKind.CARRIED, NanoUsd(-carried), NanoUsd(0), -over, description, _digest([carried])
            )
        )
    return Statement(tuple(lines), _digest([_proof(line) for line in lines]), carried)


def included_in(terms: Terms, month: Month) -> int:
    """Prorates what the terms include to their piece of the month, by the microsecond, rounded down."""
    piece, whole = terms.ends_at - terms.starts_at, month.end - month.start
    return terms.included * (piece // _MICROSECOND) // (whole // _MICROSECOND)


def _proof(line: Line) -> list[object]:
    terms = [line.terms.plan, _microseconds(line.terms.version), line.terms.overage] if line.terms else []
    return [line.number, line.kind, *terms, line.cost, line.included, line.cents, line.hash]


def _digest(values: Sequence[object]) -> str:
    return hashlib.sha256(json.dumps(values, separators=(",", ":")).encode()).hexdigest()


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _description(subject: Subject, terms: Terms, usage: Usage, cost: NanoUsd, included: NanoUsd) -> str:
    what = f"{subject.model or 'all models'} ({subject.provider or 'all vendors'})"
    who = f"member {subject.member_id}" if subject.member_id else "all members"
    tokens = f"{usage.total_input:,} tokens in, {usage.output:,} out"
    price = f"{to_decimal(cost):f} USD"
    if included:
        price += f", {to_decimal(included):f} of it included in {terms.plan}"
    if terms.overage:
        percent, rest = divmod(terms.overage, WHOLE // 100)
        price += f", the rest with {percent}.{rest:02} % on top"
    return f"{what}, {who}: {tokens}; {price}"
