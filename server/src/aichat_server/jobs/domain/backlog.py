"""What the whole platform has yet to do, as its jobs see it."""

from __future__ import annotations

from dataclasses import dataclass

from aichat_server.core.money import NanoUsd


@dataclass(frozen=True, slots=True)
class Backlog:
    """One look at all of it."""

    open_holds: int
    """Holds that count against quotas: of answers that are being written, or were until their process was lost."""
    expired_holds: int
    """Holds that count no more, of answers whose end is still to be made."""
    closed_hours: int
    """Hours that are over and not summed up."""
    due_webhooks: int
    parked_webhooks: int
    """Those that were given up, and wait for an operator."""
    ended_graces: int
    """Of plans that were not paid for in time."""
    due_messages: int
    """In the outbox."""
    blocked_invoices: int
    """Those that wait for an operator."""
    orphans: int
    """Answers whose process is lost, and whose end is still to be made."""
    ledger_lag_seconds: float
    """Since the end of the oldest hour that is over and not summed up; 0 if there is none."""
    unpaid_invoices: int
    """Those for usage that were asked for in vain."""
    free_plan_used: NanoUsd
    """What all organisations on Free were charged this month."""
    free_plan_limit: NanoUsd | None
    """What they may be; None until a server has said so."""
