"""Compares an invoice with the ledger, from which it is recomputed, with the hourly sums, and with Stripe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aichat_server.core.periods import Month
from aichat_server.invoices.domain.invoices import Line, LineKind
from aichat_server.invoices.domain.statements import COUNTS, StatementBuilder
from aichat_server.invoices.storage.ledger import HourlySums, LedgerRepository
from aichat_server.payments.domain.billing import InvoiceLine

CURRENCY = "usd"


async def usage_lines(ledger: LedgerRepository, month: Month) -> tuple[Line, ...]:
    """Returns the month's lines of usage, computed from the ledger."""
    terms = await ledger.terms(month)
    builder = StatementBuilder(month, terms, await ledger.line_keys(month, terms))
    async for event in ledger.events(month):
        builder.add(event)
    return builder.usage_lines()


def metadata_of(line: Line) -> dict[str, str]:
    """Returns the metadata that the payment provider stores with a line: its amounts to the nano-dollar."""
    return {
        "line": str(line.number),
        "nano_usd": str(line.cost),
        "included_nano_usd": str(line.included),
        "events": str(line.events.count if line.events else 0),
        "sha256": line.hash,
    }


def hourly_difference(lines: Iterable[Line], hourly: HourlySums) -> str | None:
    """Returns how the ledger, by its lines of usage, and the hourly sums differ; None if they agree."""
    usage = [line for line in lines if line.kind is LineKind.USAGE]
    cost = sum(line.cost for line in usage)
    if cost != hourly.cost:
        return f"the ledger costs {cost} nano-dollars, its hourly sums {hourly.cost}"
    counts = tuple(sum(getattr(line.usage, name) for line in usage) for name in COUNTS)
    if counts != hourly.counts:
        return f"the ledger counts {counts}, its hourly sums {hourly.counts}"
    return None


def books_difference(lines: Iterable[Line], fresh: Sequence[Line]) -> str | None:
    """Returns which line of usage differs from the ledger; None if all agree."""
    stored = [line for line in lines if line.kind is LineKind.USAGE]
    if len(stored) != len(fresh):
        return f"there are {len(stored)} lines of usage, by the ledger {len(fresh)}"
    wrong = next((line for line, again in zip(stored, fresh, strict=True) if line != again), None)
    return f"line {wrong.number} differs from the ledger" if wrong else None


def sent_difference(lines: Sequence[Line], sent: Sequence[InvoiceLine]) -> str | None:
    """Returns which line differs at the payment provider; None if the provider has exactly these lines."""
    if len(lines) != len(sent):
        return f"there are {len(lines)} lines, at the payment provider {len(sent)}"
    found = {line.metadata.get("line"): line for line in sent}
    wrong = next((line for line in lines if not is_same(line, found.get(str(line.number)))), None)
    return f"line {wrong.number} differs at the payment provider" if wrong else None


def is_same(line: Line, sent: InvoiceLine | None) -> bool:
    """Whether the payment provider has the same line, to the cent and to the nano-dollar."""
    if sent is None or (sent.amount, sent.currency) != (line.cents, CURRENCY):
        return False
    told = metadata_of(line)
    return {name: sent.metadata.get(name) for name in told} == told
