"""Invoices: a month's usage by the ledger, with adjustments, down to cents."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from aichat_server.core.money import NANO_PER_CENT, NanoUsd
from aichat_server.core.periods import Month
from aichat_server.models.domain.usage import Usage
from aichat_server.outbox.domain import MessageKind

WHOLE = 10_000
"""Basis points in 100 %."""

REFUND = MessageKind("refund")
"""In the outbox: the payment provider is to refund money."""


class InvoiceStage(StrEnum):
    """The stage of an invoice."""

    CLOSED = "closed"
    """The month's books are closed."""
    DRAFTED = "drafted"
    """The lines are computed and stored."""
    CREATED = "created"
    """The payment provider has a draft."""
    PUSHED = "pushed"
    """All lines are on the draft."""
    COMPARED = "compared"
    """Ledger, hourly sums, lines and draft agree."""
    FINALIZED = "finalized"
    """It is final, and payment is due."""
    PAID = "paid"
    VOID = "void"
    UNCOLLECTIBLE = "uncollectible"
    SETTLED = "settled"
    """Nothing is due, or the organisation is no customer of the payment provider."""
    BLOCKED = "blocked"
    """A check failed, and an operator must investigate."""


ASKED_FOR = frozenset({InvoiceStage.FINALIZED, InvoiceStage.PAID, InvoiceStage.VOID, InvoiceStage.UNCOLLECTIBLE})
"""From these stages on the lines never change."""


class LineKind(StrEnum):
    """The kind of a line."""

    USAGE = "usage"
    ADJUSTMENT = "adjustment"
    """A credit, or another change that an operator decided."""
    CARRIED = "carried"
    """Credit that is left over and carried to the next invoice, so that no invoice is below 0."""


class AdjustmentKind(StrEnum):
    """The kind of an adjustment."""

    CREDIT = "credit"
    ADJUSTMENT = "adjustment"
    REFUND = "refund"
    """Part of a payment is refunded; it is on no invoice."""
    CARRIED = "carried"
    """Credit that exceeded an invoice."""
    RETURNED = "returned"
    """Credit and adjustments of a voided invoice."""


@dataclass(frozen=True, slots=True)
class Adjustment:
    """An adjustment in the books. It never changes."""

    adjustment_id: UUID
    kind: AdjustmentKind
    amount: NanoUsd
    """Below 0 in the organisation's favour."""
    reason: str
    actor: str
    """Who decided on it."""
    month: Month | None
    """The month of the invoice that caused it; None for a credit or an adjustment."""
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Terms:
    """What a plan includes and what further usage costs, over a piece of a month."""

    starts_at: datetime
    ends_at: datetime
    """The end of the piece, exclusive."""
    plan: str
    version: datetime
    """The moment from which the plan has these terms."""
    included: NanoUsd
    """For a whole month."""
    overage: int
    """The basis points that the plan adds to usage above what is included."""


@dataclass(frozen=True, slots=True)
class EventRange:
    """The events of a line, ordered by time and generation."""

    count: int
    first_at: datetime
    first_id: UUID
    last_at: datetime
    last_id: UUID


@dataclass(frozen=True, slots=True)
class UsageTerms:
    """The terms that a line of usage falls under."""

    plan: str
    version: datetime
    overage: int


@dataclass(frozen=True, slots=True)
class Subject:
    """What a line is about: model, price version and member; None: all."""

    provider: str | None = None
    model: str | None = None
    price_version: datetime | None = None
    member_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line. Its amount is `cost` less `included`, with the plan's overage added, rounded once."""

    number: int
    kind: LineKind
    cost: NanoUsd
    included: NanoUsd
    """The part of the cost that the plan includes."""
    cents: int
    description: str
    hash: str
    """SHA-256, in hex, over its events or its adjustment."""
    terms: UsageTerms | None = None
    subject: Subject = field(default_factory=Subject)
    usage: Usage = field(default_factory=Usage)
    events: EventRange | None = None
    adjustment_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """All lines of a month."""

    lines: tuple[Line, ...]
    digest: str
    """SHA-256, in hex, over the lines."""
    carried: NanoUsd
    """What is carried to the next invoice; at most 0."""

    @property
    def cost(self) -> NanoUsd:
        """What the month's usage cost, by the ledger."""
        return NanoUsd(sum(line.cost for line in self.lines if line.kind is LineKind.USAGE))

    @property
    def total(self) -> int:
        """The amount due, in cents; at least 0."""
        return sum(line.cents for line in self.lines)


@dataclass(frozen=True, slots=True)
class Invoice:
    """An organisation's invoice for a month, without its lines."""

    org_id: UUID
    month: Month
    stage: InvoiceStage
    attempt: int
    """How often it was restarted."""
    digest: str | None
    """The digest of its statement; None until that exists."""
    cost: NanoUsd | None
    total: int | None
    """In cents."""
    customer_id: str | None
    stripe_id: str | None
    number: str | None
    blocked_because: str | None

    @property
    def name(self) -> str:
        """Its identity and content: everything sent under one name is always the same."""
        return f"invoice:{self.org_id}:{self.month.name}:{self.attempt}:{(self.digest or '')[:16]}"


def whole_cents(nano: int, overage: int = 0) -> int:
    """Converts nano-dollars with an overage of `overage` basis points to cents, rounded once, half to even."""
    divisor = NANO_PER_CENT * WHOLE
    cents, rest = divmod(nano * (WHOLE + overage), divisor)
    return cents + (2 * rest > divisor or (2 * rest == divisor and cents % 2 == 1))
