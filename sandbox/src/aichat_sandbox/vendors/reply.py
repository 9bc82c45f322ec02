"""A reply, before it takes a vendor's form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import uuid4

from .asked import Asked, tokens
from .script import Script, ToolScript


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool."""

    id: str
    """Letters and digits, new for each call; a vendor puts its own beginning before it."""
    name: str
    pieces: tuple[str, ...]
    """The arguments, piece by piece."""
    whole: bool = True
    """Whether the model's limit has left its arguments whole."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a vendor sends."""

    id: str
    """Letters and digits, new for each reply."""
    asked: Asked
    script: Script
    deltas: tuple[str, ...]
    calls: tuple[Call, ...]
    stop: str
    """end_turn, max_tokens, stop_sequence, tool_use, refusal or what the script says."""
    stop_sequence: str | None
    input_tokens: int
    """With what was read from a cache and written to it, and with what searches found."""
    reasoning_tokens: int
    output_tokens: int
    """With reasoning."""

    @classmethod
    def to(cls, asked: Asked, script: Script) -> Reply:
        """Returns the reply of `script` to `asked`, within the request's limits."""
        deltas, stop, stop_sequence = _limited(asked, script)
        reasoning = tokens(script.reasoning)
        output = reasoning + tokens(deltas)
        calls: tuple[Call, ...] = ()
        if script.tools and stop == "tool_use":
            room = asked.max_tokens - output if asked.max_tokens is not None else None
            calls = _calls(script.tools, room)
            output += sum(tokens(call.pieces) for call in calls)
            stop = stop if all(call.whole for call in calls) else "max_tokens"
        found = tokens([found.text for search in script.searches for found in search.results])
        return cls(
            uuid4().hex[:24], asked, script, deltas, calls, stop, stop_sequence, asked.tokens + found, reasoning, output
        )


def _calls(tools: Sequence[ToolScript], room: int | None) -> tuple[Call, ...]:
    """Returns the calls, up to the one that has no `room` left, in tokens."""
    calls = []
    for tool in tools:
        text = tool.text
        size = -(-len(text) // max(tool.pieces, 1)) or 1
        pieces = tuple(text[at : at + size] for at in range(0, len(text), size))
        whole = room is None or tokens(pieces) <= room
        while room is not None and pieces and tokens(pieces) > room:
            pieces = pieces[:-1]
        calls.append(Call(uuid4().hex[:24], tool.name, pieces, whole))
        if not whole:
            break
        room = room - tokens(pieces) if room is not None else None
    return tuple(calls)


def _limited(asked: Asked, script: Script) -> tuple[tuple[str, ...], str, str | None]:
    """Returns the deltas within the limits, why they end, and at which stop sequence."""
    deltas, text = script.deltas, "".join(script.deltas)
    found = min(((text.find(stop), stop) for stop in asked.stop if stop in text), default=None)
    if found:
        return _first(deltas, found[0]), "stop_sequence", found[1]
    reasoned = tokens(script.reasoning)
    if asked.max_tokens is not None and reasoned + tokens(deltas) > asked.max_tokens:
        room = asked.max_tokens - reasoned
        while deltas and tokens(deltas) > room:
            deltas = deltas[: len(deltas) * 3 // 4] if tokens(deltas) > room * 2 else deltas[:-1]
        return deltas, "max_tokens", None
    stop = script.stop or ("tool_use" if script.tools else "end_turn")
    return deltas, stop, asked.stop[0] if script.stop == "stop_sequence" and asked.stop else None


def _first(deltas: Sequence[str], characters: int) -> tuple[str, ...]:
    kept = []
    for delta in deltas:
        if characters <= 0:
            break
        kept.append(delta[:characters])
        characters -= len(delta)
    return tuple(kept)
