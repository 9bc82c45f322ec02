"""Generations as JSON: what the database receives and returns. Every store of generations uses it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from aichat_server.content.parts import Part
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.money import NanoUsd
from aichat_server.generations.domain.generation import Beginning, Claim, Ending, GenerationKey, GenerationState, Known
from aichat_server.models.domain.pricing import Hold
from aichat_server.models.domain.usage import KINDS, Usage
from aichat_server.providers.domain.events import StopReason
from aichat_server.providers.domain.requests import LeftOut
from aichat_server.quotas.domain import QuotaRefusal, over_quota, quota_check_failed

Value = dict[str, Any]
"""What JSON can say."""

_OVER_QUOTA = "AI003"
_QUOTAS_UNCHECKED = "AI004"


@dataclass(frozen=True, slots=True)
class HoldTerms:
    """How generations are leased and held."""

    lease_seconds: float = 30.0
    """A generation is taken for lost if its lease is not renewed within this time."""
    hold_seconds: float = 300.0
    """For so much longer it counts against quotas."""
    fail_closed: bool = False
    """Whether a generation is refused if its quotas cannot be checked. If not, it begins, marked."""

    def value(self) -> Value:
        """Returns what aichat.hold_generations takes."""
        return {
            "lease_seconds": self.lease_seconds,
            "hold_seconds": self.hold_seconds,
            "fail_closed": self.fail_closed,
        }


def key_value(key: GenerationKey) -> Value:
    """Returns what names a generation."""
    return {"org_id": key.org_id, "generation_id": key.generation_id}


def beginning_value(beginning: Beginning, sink: str) -> Value:
    """Returns what aichat.begin_generation takes of a generation whose answer goes to `sink`."""
    return {
        "org_id": beginning.org_id,
        "member_id": beginning.member_id,
        "key_id": beginning.key_id,
        "generation_id": beginning.generation_id,
        "model": beginning.model,
        "provider": beginning.provider,
        "options": beginning.options,
        "sink": sink,
        "hold": _hold_value(beginning.hold),
        "claim": _claim_value(beginning.claim) if beginning.claim else None,
    }


def abandoned_value(beginning: Beginning, sink: str, failure: AichatError) -> Value:
    """Returns what aichat.abandon_generation takes of a generation that ends with `failure`."""
    about = {"error_reason": failure.reason, "error_message": failure.message}
    return beginning_value(beginning, sink) | about


def ending_value(ending: Ending, *, orphan: bool) -> Value:
    """Returns what aichat.end_generation takes; `orphan`: the generation ends only if its lease has expired."""
    return {
        "org_id": ending.org_id,
        "member_id": ending.member_id,
        "generation_id": ending.generation_id,
        "model": ending.model,
        "provider": ending.provider,
        "state": ending.state,
        "is_empty": ending.parts is None,
        "stop_reason": ending.stop_reason,
        "usage": usage_value(ending.usage),
        "raw_usage": ending.raw_usage,
        "cost_nano_usd": ending.cost,
        "price_version": ending.price_version,
        "error_reason": ending.error_reason,
        "error_message": ending.error_message,
        "left_out": ending.left_out,
        "first_delta_ms": ending.first_delta_ms,
        "orphan": orphan,
    }


def usage_value(usage: Usage) -> Value:
    """Returns a usage as one value, with a count for each kind."""
    return {kind.column: getattr(usage, kind.name) for kind in KINDS} | {"estimated": usage.estimated}


class KnownValue(msgspec.Struct):
    """What aichat.known_generation returns."""

    generation_id: UUID
    sink: str
    fingerprint: str | None
    model: str
    requested_model: str
    provider: str
    state: GenerationState
    error_reason: Reason | None
    error_message: str | None
    stop_reason: StopReason | None
    usage: dict[str, int | bool]
    cost_nano_usd: int
    place: dict[str, str]
    parts: list[Part] | None
    content: list[Part] | None = None
    calls_tools: bool = False
    left_out: LeftOut | None = None


def read_known(row: KnownValue) -> Known:
    """Returns a generation as the database knows it."""
    parts = row.parts if row.parts is None or row.content is None else row.content
    counts: dict[str, int] = {kind.name: row.usage[kind.column] for kind in KINDS}
    return Known(
        generation_id=row.generation_id,
        sink=row.sink,
        place=row.place,
        fingerprint=bytes.fromhex(row.fingerprint) if row.fingerprint is not None else None,
        model=row.model,
        requested_model=row.requested_model,
        provider=row.provider,
        state=row.state,
        error_reason=row.error_reason,
        error_message=row.error_message,
        stop_reason=StopReason.TOOL_USE if row.calls_tools else row.stop_reason,
        usage=Usage(**counts, estimated=bool(row.usage["estimated"])),
        cost=NanoUsd(row.cost_nano_usd),
        left_out=row.left_out,
        parts=tuple(parts) if parts is not None else None,
    )


def decode_known(stored: str | None) -> Known | None:
    """Returns a generation as the database knows it; None if `stored` is."""
    return read_known(msgspec.json.decode(stored, type=KnownValue)) if stored else None


def quota_refusal(sqlstate: str | None, detail: str | None) -> AichatError | None:
    """Returns what aichat.hold_generations says by its SQLSTATE; None if that is not its own."""
    if sqlstate == _OVER_QUOTA:
        return over_quota(msgspec.json.decode(detail or "", type=QuotaRefusal))
    return quota_check_failed() if sqlstate == _QUOTAS_UNCHECKED else None


def _hold_value(hold: Hold) -> Value:
    return {"known": hold.known, "history": hold.history, "most": hold.most}


def _claim_value(claim: Claim) -> Value:
    return {"request_id": claim.request_id, "lane": claim.lane, "fingerprint": claim.fingerprint.hex()}
