"""A request to a stand-in, and the script that says how to reply."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MARK = "#script "
ANSWER = """\
Hello! I am a **stand-in** for {vendor}: no model wrote this.

- model: `{model}`
- this text is streamed in {vendor}'s own protocol, word by word

Set the vendor's API key to use the real one."""
THOUGHT = "The user wrote to a stand-in, so a short friendly note will do. "


@dataclass(frozen=True, slots=True)
class Asked:
    """A request in terms that all vendors share."""

    model: str
    texts: tuple[str, ...]
    """All texts of the input, the last user text last."""
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    wants_usage: bool = True
    wants_reasoning: bool = False


@dataclass(frozen=True, slots=True)
class Script:
    """How to reply. `…_after` counts the text deltas sent; None means never."""

    deltas: tuple[str, ...]
    reasoning: tuple[str, ...] = ()
    interval_ms: float = 0
    """The time from the start of one delta to the start of the next."""
    status: int | None = None
    """Fail with this HTTP status before any stream."""
    retry_after: float | None = None
    """Seconds, together with `status`."""
    message: str | None = None
    """The message of `status`."""
    fail_times: int | None = None
    """The number of requests with this text that fail, over all vendors; later ones are answered. None: all fail."""
    hang: bool = False
    hang_after: int | None = None
    idle_after: int | None = None
    """After this many deltas only comments are sent, as some vendors do to keep a connection alive."""
    cut_after: int | None = None
    """Close the connection in the middle of the next event."""
    error_after: int | None = None
    """Send the vendor's own error event inside the stream."""
    huge_after: int | None = None
    """Make the next event ten megabytes long."""
    no_usage: bool = False
    stop: str | None = None
    split_utf8: bool = False
    """Send one multi-byte character in two TCP writes."""
    usage: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the vendor's usage object that replace the counted values."""


def script_for(asked: Asked, vendor: str) -> Script:
    """Returns the script in the last user text, or a short default answer; raises ValueError if the script is invalid.

    A script has its deltas as `deltas`, as a number of `words`, or as `empty`; `repeat` repeats them.
    """
    last = asked.texts[-1] if asked.texts else ""
    if not last.startswith(MARK):
        answer = ANSWER.format(vendor=vendor, model=asked.model)
        return Script(_words(answer), _words(THOUGHT) if asked.wants_reasoning else (), interval_ms=20)
    told: dict[str, Any]
    told, _ = json.JSONDecoder().raw_decode(last, len(MARK))
    words, empty = told.pop("words", None), told.pop("empty", False)
    deltas = tuple(f"word{n} " for n in range(words)) if words is not None else tuple(told.pop("deltas", ("Hello",)))
    deltas *= told.pop("repeat", 1)
    told["reasoning"] = tuple(told.get("reasoning", ()))
    try:
        return Script(deltas=() if empty else deltas, **told)
    except TypeError as error:
        raise ValueError(f"invalid script: {error}") from None


def tokens(texts: Sequence[str]) -> int:
    """Estimates a vendor's token count: four characters a token, at least one for each text."""
    return sum(-(-len(text) // 4) for text in texts)


def limited(asked: Asked, script: Script) -> tuple[tuple[str, ...], str, str | None]:
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
    return deltas, script.stop or "end_turn", asked.stop[0] if script.stop == "stop_sequence" and asked.stop else None


def _first(deltas: Sequence[str], characters: int) -> tuple[str, ...]:
    kept = []
    for delta in deltas:
        if characters <= 0:
            break
        kept.append(delta[:characters])
        characters -= len(delta)
    return tuple(kept)


def _words(text: str) -> tuple[str, ...]:
    pieces = text.split(" ")
    return tuple(piece + " " for piece in pieces[:-1]) + tuple(pieces[-1:])
