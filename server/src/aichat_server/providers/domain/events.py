"""The events of a vendor's stream, in terms common to all vendors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from aichat_server.content.parts import Citation, ProviderItem, Signature
from aichat_server.models.domain.usage import Usage


class StopReason(StrEnum):
    """Why a model ended its answer."""

    END_TURN = "end_turn"
    MAX_TOKENS = "max_tokens"
    STOP_SEQUENCE = "stop_sequence"
    OTHER = "other"
    """It paused, or gave an unknown reason: the answer may be incomplete."""
    TOOL_USE = "tool_use"
    """It calls tools, and waits for their results."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More of the answer."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """More of the model's reasoning."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolCallStart:
    """A tool call begins."""

    call_id: str
    name: str


@dataclass(frozen=True, slots=True)
class ToolCallDelta:
    """More of a tool call's arguments: JSON text."""

    call_id: str
    text: str


@dataclass(frozen=True, slots=True)
class ToolCallEnd:
    """A tool call is whole."""

    call_id: str


@dataclass(frozen=True, slots=True)
class CitationFound:
    """The text that is being written cites a source."""

    citation: Citation


@dataclass(frozen=True, slots=True)
class ItemFound:
    """An item arrived as a whole that only its vendor understands."""

    item: ProviderItem


@dataclass(frozen=True, slots=True)
class Signed:
    """The vendor's mark on what it has just written: on the open part, and on an empty reasoning part if none is open.

    `call_id`: on this tool call instead. `alone`: on an empty reasoning part of its own, whatever is open.
    """

    signature: Signature
    call_id: str | None = None
    alone: bool = False


@dataclass(frozen=True, slots=True)
class PartEnd:
    """The open reasoning ends, and so does the passage of text that the last citations are for."""


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


class SentKind(StrEnum):
    """What bytes of a vendor's are."""

    MORE = "more"
    """More of its stream: whole events."""
    LAST = "last"
    """What ends its stream. It is shown once the answer is kept."""
    FAILURE = "failure"
    """Its event that says why its stream breaks off."""
    REFUSAL = "refusal"
    """The body of a response that refuses the request."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Bytes as the vendor sent them, besides the events that were read of them: for callers that speak its protocol."""

    data: bytes
    kind: SentKind = SentKind.MORE
    status: int = 0
    """The HTTP status of a refusal; 0 for everything else."""
    written: int = 0
    """The bytes of text, in UTF-8, that have been read since the bytes before these."""


Delta = TextDelta | ReasoningDelta | ToolCallDelta
ContentEvent = Delta | ToolCallStart | ToolCallEnd | CitationFound | ItemFound | Signed | PartEnd
"""What adds to the content of an answer."""
ProviderEvent = ContentEvent | UsageReport | Sent | Stop
