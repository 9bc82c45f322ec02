"""The form of Gemini's answers."""

from __future__ import annotations

import json
from typing import Any

import msgspec


class Call(msgspec.Struct):
    """A call, or a piece of one."""

    id: str | None = None
    name: str | None = None
    arguments: dict[str, Any] | None = msgspec.field(default=None, name="args")
    pieces: list[dict[str, Any]] | None = msgspec.field(default=None, name="partialArgs")
    continues: bool | None = msgspec.field(default=None, name="willContinue")


class Part(msgspec.Struct):
    """A part of the answer, with the fields of text and calls."""

    text: str | None = None
    thought: bool | None = None
    mark: str | None = msgspec.field(default=None, name="thoughtSignature")
    call: Call | None = msgspec.field(default=None, name="functionCall")


class Content(msgspec.Struct):
    """What one chunk holds."""

    parts: list[Part] | None = None


class Candidate(msgspec.Struct):
    """An answer; others than the first are not asked for."""

    content: Content | None = None
    finish: str | None = msgspec.field(default=None, name="finishReason")
    grounding: Any = msgspec.field(default=None, name="groundingMetadata")
    quotes: Any = msgspec.field(default=None, name="citationMetadata")
    urls: Any = msgspec.field(default=None, name="urlContextMetadata")


class Feedback(msgspec.Struct):
    """What Google thinks of the prompt."""

    block_reason: str | None = msgspec.field(default=None, name="blockReason")


class Chunk(msgspec.Struct):
    """A chunk of a response."""

    candidates: list[Candidate] | None = None
    usage: Any = msgspec.field(default=None, name="usageMetadata")
    feedback: Feedback | None = msgspec.field(default=None, name="promptFeedback")
    error: Any = None


CHUNKS = msgspec.json.Decoder(Chunk)


class _RawContent(msgspec.Struct):
    parts: list[msgspec.Raw]


class _RawCandidate(msgspec.Struct):
    content: _RawContent


class _RawChunk(msgspec.Struct):
    candidates: list[_RawCandidate]


def raw_part(data: bytes, n: int) -> bytes:
    """Returns a part of the first candidate, as it was written."""
    try:
        return bytes(msgspec.json.decode(data, type=_RawChunk).candidates[0].content.parts[n])
    except (msgspec.MsgspecError, ValueError):
        return json.dumps(json.loads(data)["candidates"][0]["content"]["parts"][n]).encode()
