"""`aichat invoices`: lists invoices, and verifies one line by line."""

from __future__ import annotations

from aichat_sdk.cli._context import Context
from aichat_sdk.cli._terminal import Terminal, dollars
from aichat_sdk.types import InvoiceProof, Money, VerifiedLine, money_usd


def list_invoices(context: Context) -> int:
    """Prints one line for each invoice, the newest first, with the address of its PDF."""
    if context.json:
        return context.document(invoices=context.all(context.client.billing.list_invoices()))
    context.runner.run(_list(context))
    return 0


async def _list(context: Context) -> None:
    async for invoice in context.client.billing.list_invoices():
        status = str(invoice.status.name).lower()
        made = f"{invoice.create_time:%Y-%m-%d}" if invoice.create_time else ""
        number = invoice.number or "-"
        context.terminal.line(f"{made:<10}  {number:<16} {_amount(invoice.total):>12}  {status:<13} {invoice.pdf_url}")


def verify(context: Context, *, month: str) -> int:
    """Prints each line with the ledger's and the payment provider's amounts; returns 1 if any differ."""
    proof = context.runner.run(context.client.billing.verify_invoice(month))
    if context.json:
        context.document(proof=proof)
        return 0 if proof.proven else 1
    for line in proof.lines:
        _show(context.terminal, line)
    _sum_up(context.terminal, proof)
    return 0 if proof.proven else 1


def _show(terminal: Terminal, line: VerifiedLine) -> None:
    tick = ("✓ ", "green") if line.proven else ("✗ ", "red")
    terminal.bar("", [tick, (f"{line.line:>3} {_amount(line.amount):>12}  {line.description}", "")])
    books = f"books {_amount(line.ledger_cost)} → {_amount(line.ledger_amount)}"
    terminal.note(f"      cost {_amount(line.cost)} · {books} · charged {_amount(line.provider_amount)}")
    if line.event_count:
        first, last = line.first_event_time, line.last_event_time
        span = f"{first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC" if first and last else ""
        terminal.note(
            f"      {line.event_count} events, {span}: {line.first_generation_id} to {line.last_generation_id}"
        )
    terminal.note(f"      sha256 {line.sha256}")


def _sum_up(terminal: Terminal, proof: InvoiceProof) -> None:
    number = f" {proof.number}" if proof.number else ""
    stage = str(proof.stage.name).lower()
    terminal.line(
        f"{proof.month}{number}: {_amount(proof.total)}, {stage}; "
        f"books {_amount(proof.ledger_cost)}, hours {_amount(proof.hourly_cost)}"
    )
    terminal.bar("", [("✓ proven", "green") if proof.proven else (f"✗ {proof.difference}", "red")])


def _amount(money: Money | None) -> str:
    return "-" if money is None else dollars(money_usd(money))
