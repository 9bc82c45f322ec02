"""The events of a vendor's stream, in terms common to all vendors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from aichat_server.models.domain.usage import Usage


class StopReason(StrEnum):
    """Why a model ended its answer."""

    END_TURN = "end_turn"
    MAX_TOKENS = "max_tokens"
    STOP_SEQUENCE = "stop_sequence"
    OTHER = "other"
    """It paused, requested a tool, or gave an unknown reason: the answer may be incomplete."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """More of the model's reasoning."""

    text: str


@dataclass(frozen=True, slots=True)
class UsageReport:
    """What the answer has used so far; each report replaces the previous one."""

    usage: Usage
    raw: Mapping[str, object]
    """The vendor's own usage object, merged over the stream; stored in the ledger."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The model ended its answer."""

    reason: StopReason


ProviderEvent = TextDelta | ReasoningDelta | UsageReport | Stop
