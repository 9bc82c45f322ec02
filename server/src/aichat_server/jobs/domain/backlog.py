"""The backlog of the whole platform."""

from __future__ import annotations

from dataclasses import dataclass

from aichat_server.core.money import NanoUsd


@dataclass(frozen=True, slots=True)
class Backlog:
    """The backlog at one moment."""

    open_holds: int
    """Holds that count against quotas: of answers being written, and of those whose process was lost."""
    expired_holds: int
    """Holds that no longer count, of answers that have yet to be ended."""
    closed_hours: int
    """Hours that are over and not summed yet."""
    due_webhooks: int
    parked_webhooks: int
    """Webhooks that were given up, and wait for an operator."""
    ended_graces: int
    """Grace periods that ended unpaid."""
    due_messages: int
    """Messages in the outbox."""
    blocked_invoices: int
    """Invoices that wait for an operator."""
    orphans: int
    """Answers whose process was lost, and that have yet to be ended."""
    ledger_lag_seconds: float
    """Seconds since the end of the oldest hour that is over and not summed; 0 if there is none."""
    unpaid_invoices: int
    """Invoices for usage whose payment failed."""
    free_plan_used: NanoUsd
    """What all organisations on Free were charged this month."""
    free_plan_limit: NanoUsd | None
    """The most that they may be charged; None until a server has set it."""
