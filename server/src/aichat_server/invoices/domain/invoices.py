"""Invoices: a month's usage by the books and what changes it, down to cents."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from aichat_server.core.money import NanoUsd
from aichat_server.core.periods import Month
from aichat_server.models.domain.usage import Usage

NANO_PER_CENT = 10_000_000
WHOLE = 10_000
"""Basis points of the whole."""


class InvoiceStage(StrEnum):
    """How far an invoice is."""

    CLOSED = "closed"
    """The month's books are closed."""
    DRAFTED = "drafted"
    """The lines are made, and stored."""
    CREATED = "created"
    """There is a draft at the payment provider."""
    PUSHED = "pushed"
    """All lines are on it."""
    COMPARED = "compared"
    """Books, hourly sums, lines and draft are the same."""
    FINALIZED = "finalized"
    """It is asked for."""
    PAID = "paid"
    VOID = "void"
    UNCOLLECTIBLE = "uncollectible"
    SETTLED = "settled"
    """There is nothing to ask for, or nobody to ask."""
    BLOCKED = "blocked"
    """Something is not as it should be, and an operator must look."""


ASKED_FOR = frozenset({InvoiceStage.FINALIZED, InvoiceStage.PAID, InvoiceStage.VOID, InvoiceStage.UNCOLLECTIBLE})
"""From here on the lines stay as they are."""


class LineKind(StrEnum):
    """What a line is about."""

    USAGE = "usage"
    ADJUSTMENT = "adjustment"
    """A credit, or another change that an operator decided."""
    CARRIED = "carried"
    """What is left of credits and goes to the next invoice, so that none is below 0."""


class AdjustmentKind(StrEnum):
    """What a change is."""

    CREDIT = "credit"
    ADJUSTMENT = "adjustment"
    REFUND = "refund"
    """What was paid is given back; it is on no invoice."""
    CARRIED = "carried"
    """The rest of credits that an invoice was too small for."""
    RETURNED = "returned"
    """What an invoice had taken up that is void."""


@dataclass(frozen=True, slots=True)
class Adjustment:
    """A change, on the books for good."""

    adjustment_id: UUID
    kind: AdjustmentKind
    amount: NanoUsd
    """Below 0 in the organisation's favour."""
    reason: str
    actor: str
    """Who decided it."""
    month: Month | None
    """Of the invoice that it comes of; None for a credit or an adjustment."""
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Terms:
    """What a plan includes, and what more costs, over a piece of a month."""

    starts_at: datetime
    ends_at: datetime
    """The first moment that is no more in the piece."""
    plan: str
    version: datetime
    """Since when the plan has these terms."""
    included: NanoUsd
    """Over a whole month."""
    overage: int
    """Basis points that usage beyond costs on top of its price."""


@dataclass(frozen=True, slots=True)
class EventRange:
    """The events that a line is made of, in the order of time and generation."""

    count: int
    first_at: datetime
    first_id: UUID
    last_at: datetime
    last_id: UUID


@dataclass(frozen=True, slots=True)
class UsageTerms:
    """Which terms a line of usage is under."""

    plan: str
    version: datetime
    overage: int


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose usage, of what, at which price a line is about; None: all."""

    provider: str | None = None
    model: str | None = None
    price_version: datetime | None = None
    member_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A line. What it asks for is `cost` without `included`, with its margin, rounded once."""

    number: int
    kind: LineKind
    cost: NanoUsd
    included: NanoUsd
    """What of it the plan covers."""
    cents: int
    description: str
    hash: str
    """SHA-256, in hex, over what it is made of."""
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
    """What goes to the next invoice; not above 0."""

    @property
    def cost(self) -> NanoUsd:
        """What the month's usage cost, by the books."""
        return NanoUsd(sum(line.cost for line in self.lines if line.kind is LineKind.USAGE))

    @property
    def total(self) -> int:
        """What is asked for, in cents; not below 0."""
        return sum(line.cents for line in self.lines)


@dataclass(frozen=True, slots=True)
class Invoice:
    """An organisation's invoice for a month, without its lines."""

    org_id: UUID
    month: Month
    stage: InvoiceStage
    attempt: int
    """Counts how often it was begun anew."""
    digest: str | None
    """Its statement's; None until that is made."""
    cost: NanoUsd | None
    total: int | None
    """In cents."""
    customer_id: str | None
    stripe_id: str | None
    number: str | None
    blocked_because: str | None

    @property
    def name(self) -> str:
        """Which one it is, and of what: what is sent under one name is always the same."""
        return f"invoice:{self.org_id}:{self.month.name}:{self.attempt}:{(self.digest or '')[:16]}"


@dataclass(frozen=True, slots=True)
class UnpaidInvoice:
    """An invoice that was asked for in vain."""

    month: Month
    since: datetime
    """When that was heard of first."""
    total: int
    """In cents."""
    stripe_id: str


@dataclass(frozen=True, slots=True)
class UnpaidNotice:
    """That one of an organisation's owners is to be told of one."""

    id: UUID
    invoice: UnpaidInvoice
    organization: str
    """The organisation's name."""
    address: str | None
    """The owner's, or else the organisation's contact; None: there is neither."""


def whole_cents(nano: int, overage: int = 0) -> int:
    """Nano-dollars with a margin of `overage` basis points in cents: exact up to the one rounding, half to even."""
    divisor = NANO_PER_CENT * WHOLE
    cents, rest = divmod(nano * (WHOLE + overage), divisor)
    return cents + (2 * rest > divisor or (2 * rest == divisor and cents % 2 == 1))
