"""What a vendor's stream says, in the terms of every vendor alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from aichat_server.models.domain.usage import Usage


class StopReason(StrEnum):
    """Why a model ended its answer by itself."""

    END_TURN = "end_turn"
    MAX_TOKENS = "max_tokens"
    STOP_SEQUENCE = "stop_sequence"
    OTHER = "other"
    """It paused, wanted a tool, or gave a reason that is not known: the answer may not be whole."""


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
    """What the answer has used so far; each report replaces the one before."""

    usage: Usage
    raw: Mapping[str, object]
    """The vendor's own words, merged over the stream; kept for the books."""


@dataclass(frozen=True, slots=True)
class Stop:
    """The model ended its answer."""

    reason: StopReason


ProviderEvent = TextDelta | ReasoningDelta | UsageReport | Stop
