"""`invoices`: closes a month, and manages single invoices."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from decimal import Decimal

from aichat_server.app.billing import open_desk
from aichat_server.app.database import connect_database
from aichat_server.core.clock import Clock
from aichat_server.core.money import to_decimal
from aichat_server.core.observing import ProcessObserver
from aichat_server.invoices.domain.invoices import Line
from aichat_server.invoices.service.desk import InvoiceDesk
from aichat_server.invoices.service.monthly import Outcome
from aichat_server.settings import Settings


def run(settings: Settings, options: argparse.Namespace) -> int:
    """Advances the month's invoices as far as possible; returns 1 if one of them has a problem."""

    async def do() -> tuple[Outcome, ...]:
        async with connect_database(settings) as database, open_desk(settings, database) as desk:
            now = await Clock(database, ProcessObserver()).agreed()
            return await desk.invoices.run(options.month, now, dry_run=options.dry_run)

    outcomes = asyncio.run(do())
    for one in outcomes:
        sys.stdout.write(f"{one.org_id} {_outcome(one)}\n")
    return 1 if any(one.trouble for one in outcomes) else 0


def show(settings: Settings, options: argparse.Namespace) -> int:
    """Prints an invoice and its lines, and its refunds that are not yet paid out."""

    async def do() -> list[str]:
        async with _desk(settings) as desk:
            invoice, lines = await desk.show(options.organization_id, options.month)
            refunds = await desk.unpaid_refunds(options.organization_id, options.month)
        head = f"{invoice.month.name} {invoice.stage} {_usd(invoice.total or 0)} USD {invoice.number or ''}".rstrip()
        ids = f"Stripe's invoice {invoice.stripe_id or 'none'}, customer {invoice.customer_id or 'none'}"
        because = [f"blocked: {invoice.blocked_because}"] if invoice.blocked_because else []
        waiting = [
            f"refund {one.adjustment_id} of {-to_decimal(one.amount):f} USD is not paid out yet" for one in refunds
        ]
        return [head, ids, *because, *map(_line, lines), *waiting]

    for line in asyncio.run(do()):
        sys.stdout.write(f"{line}\n")
    return 0


def unpaid(settings: Settings, _options: argparse.Namespace) -> int:
    """Prints the unpaid invoices of all organisations."""

    async def do() -> list[str]:
        async with _desk(settings) as desk:
            found = await desk.unpaid()
        return [
            f"{org_id} {one.month.name} {_usd(one.total)} USD since {one.since.isoformat(timespec='seconds')}"
            for org_id, one in found
        ]

    for line in asyncio.run(do()):
        sys.stdout.write(f"{line}\n")
    return 0


def retry(settings: Settings, options: argparse.Namespace) -> int:
    """Restarts an invoice that is not final."""

    async def do() -> Outcome:
        async with _desk(settings) as desk:
            return await desk.retry(options.organization_id, options.month)

    outcome = asyncio.run(do())
    sys.stdout.write(f"{_outcome(outcome)}\n")
    return 1 if outcome.trouble else 0


def void(settings: Settings, options: argparse.Namespace) -> int:
    """Voids an unpaid invoice."""

    async def do() -> str:
        async with _desk(settings) as desk:
            return (await desk.void(options.organization_id, options.month)).stage

    sys.stdout.write(f"{asyncio.run(do())}\n")
    return 0


def adjust(settings: Settings, options: argparse.Namespace) -> int:
    """Adds an amount to the next invoice."""

    async def do() -> None:
        async with _desk(settings) as desk:
            await desk.adjust(
                options.organization_id,
                options.usd,
                adjustment_id=options.id,
                reason=options.reason,
                actor=options.actor,
            )

    asyncio.run(do())
    sys.stdout.write(f"{options.id} is for the next invoice\n")
    return 0


def refund(settings: Settings, options: argparse.Namespace) -> int:
    """Refunds part of a payment."""
    # Printed first: if the command fails, it can be repeated with the same id.
    sys.stdout.write(f"--id {options.id}\n")
    sys.stdout.flush()

    async def do() -> None:
        async with _desk(settings) as desk:
            await desk.refund(
                options.organization_id,
                options.month,
                options.cents,
                adjustment_id=options.id,
                reason=options.reason,
                actor=options.actor,
            )

    asyncio.run(do())
    sys.stdout.write("refunded\n")
    return 0


@asynccontextmanager
async def _desk(settings: Settings) -> AsyncGenerator[InvoiceDesk, None]:
    async with connect_database(settings) as database, open_desk(settings, database) as desk:
        yield desk


def _outcome(outcome: Outcome) -> str:
    total = "" if outcome.total is None else f" {_usd(outcome.total)} USD"
    return f"{outcome.stage or 'not begun'}{total}{f': {outcome.trouble}' if outcome.trouble else ''}"


def _line(line: Line) -> str:
    return f"{line.number:>3} {_usd(line.cents):>12} {line.description}"


def _usd(cents: int) -> str:
    return f"{Decimal(cents).scaleb(-2):f}"
