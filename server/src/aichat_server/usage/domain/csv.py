"""Writes usage events as a CSV file that spreadsheets can open safely."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import fields
from datetime import UTC, datetime

from aichat_server.core.money import to_decimal
from aichat_server.models.domain.usage import KINDS, Usage
from aichat_server.usage.domain.reports import UsageEvent

# The first characters by which a spreadsheet recognizes a formula.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")
# In the order of the fields of Usage: new columns are added at the end, and none ever moves.
_COUNTS = tuple(kind for field in fields(Usage) for kind in KINDS if kind.name == field.name)
COLUMNS = (
    "occur_time", "generation_id", "conversation_id", "member_id", "key_id", "provider", "model",
    *(kind.column for kind in _COUNTS), "estimated", "cost_usd", "price_time", "error_reason", "first_delta_ms",
    "duration_ms",
)  # fmt: skip


def header() -> str:
    """Returns the file's first line."""
    return _lines([COLUMNS])


def lines(events: Iterable[UsageEvent]) -> str:
    """Returns a line for each event."""
    return _lines(_cells(event) for event in events)


def _cells(event: UsageEvent) -> tuple[str, ...]:
    cells = (
        _time(event.occurred_at),
        str(event.generation_id),
        str(event.conversation_id or ""),
        str(event.member_id),
        str(event.key_id or ""),
        event.provider,
        event.model,
        *(str(getattr(event.usage, kind.name)) for kind in _COUNTS),
        "true" if event.usage.estimated else "false",
        f"{to_decimal(event.cost):f}",
        _time(event.price_version),
        event.error_reason or "",
        "" if event.first_delta_ms is None else str(event.first_delta_ms),
        str(event.duration_ms),
    )
    return tuple(f"'{cell}" if cell.startswith(_FORMULAS) else cell for cell in cells)


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _lines(rows: Iterable[tuple[str, ...]]) -> str:
    written = io.StringIO(newline="")
    csv.writer(written).writerows(rows)
    return written.getvalue()
