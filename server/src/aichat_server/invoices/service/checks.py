"""Whether an invoice is what the books say: made of them again, and held against its lines, hourly sums and Stripe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aichat_server.core.periods import Month
from aichat_server.invoices.domain.invoices import Line, LineKind
from aichat_server.invoices.domain.statements import COUNTS, StatementBuilder
from aichat_server.invoices.storage.ledger import HourlySums, LedgerRepository
from aichat_server.payments.domain.billing import InvoiceLine

CURRENCY = "usd"


async def usage_lines(ledger: LedgerRepository, month: Month) -> tuple[Line, ...]:
    """The month's lines of usage, made of the books."""
    terms = await ledger.terms(month)
    builder = StatementBuilder(month, terms, await ledger.line_keys(month, terms))
    async for event in ledger.events(month):
        builder.add(event)
    return builder.usage_lines()


def metadata_of(line: Line) -> dict[str, str]:
    """What goes along with a line to the payment provider, and has to come back: its amounts to the nano-dollar."""
    return {
        "line": str(line.number),
        "nano_usd": str(line.cost),
        "included_nano_usd": str(line.included),
        "events": str(line.events.count if line.events else 0),
        "sha256": line.hash,
    }


def hourly_difference(lines: Iterable[Line], hourly: HourlySums) -> str | None:
    """What the books, by their lines of usage, and the hourly sums do not agree on; None if they do."""
    usage = [line for line in lines if line.kind is LineKind.USAGE]
    cost = sum(line.cost for line in usage)
    if cost != hourly.cost:
        return f"the books cost {cost} nano-dollars, their hourly sums {hourly.cost}"
    counts = tuple(sum(getattr(line.usage, name) for line in usage) for name in COUNTS)
    if counts != hourly.counts:
        return f"the books count {counts}, their hourly sums {hourly.counts}"
    return None


def books_difference(lines: Iterable[Line], fresh: Sequence[Line]) -> str | None:
    """Which line of usage is not what the books say now; None if all are."""
    stored = [line for line in lines if line.kind is LineKind.USAGE]
    if len(stored) != len(fresh):
        return f"there are {len(stored)} lines of usage, by the books {len(fresh)}"
    wrong = next((line for line, again in zip(stored, fresh, strict=True) if line != again), None)
    return f"line {wrong.number} is not what the books say" if wrong else None


def sent_difference(lines: Sequence[Line], sent: Sequence[InvoiceLine]) -> str | None:
    """Which line the payment provider has otherwise; None if all are the same, and no others are there."""
    if len(lines) != len(sent):
        return f"there are {len(lines)} lines, at the payment provider {len(sent)}"
    found = {line.metadata.get("line"): line for line in sent}
    wrong = next((line for line in lines if not is_same(line, found.get(str(line.number)))), None)
    return f"line {wrong.number} is another one at the payment provider" if wrong else None


def is_same(line: Line, sent: InvoiceLine | None) -> bool:
    """Whether the payment provider has the line as it is, to the cent and to the nano-dollar."""
    if sent is None or (sent.amount, sent.currency) != (line.cents, CURRENCY):
        return False
    told = metadata_of(line)
    return {name: sent.metadata.get(name) for name in told} == told
