"""The script that says how to reply: from the user's text or, without one, what a model would do."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .asked import MARK, Asked
from .schemas import value_of

ANSWER = """\
Hello! I am a **stand-in** for {vendor}: no model wrote this.

- model: `{model}`
- this text is streamed in {vendor}'s own protocol, word by word

Set the vendor's API key to use the real one."""
THOUGHT = "The user wrote to a stand-in, so a short friendly note will do. "
INTERVAL_MS = 20


@dataclass(frozen=True, slots=True)
class ToolScript:
    """A call of a tool."""

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)
    """An object, or text that is sent as it is, even if it is no JSON."""
    pieces: int = 3
    """How many deltas the arguments come in."""

    @property
    def text(self) -> str:
        """The arguments as the model writes them."""
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Found:
    """A page that a search finds."""

    url: str
    title: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Search:
    """A search of the web by the vendor."""

    query: str
    results: tuple[Found, ...] = ()


@dataclass(frozen=True, slots=True)
class Cited:
    """What the whole text cites."""

    url: str
    title: str = ""
    quote: str = ""


@dataclass(frozen=True, slots=True)
class Script:
    """How to reply. `…_after` counts the deltas sent, first of text and then of arguments; None means never."""

    deltas: tuple[str, ...]
    reasoning: tuple[str, ...] = ()
    tools: tuple[ToolScript, ...] = ()
    """The reply calls these after its text, and stops with tool_use. Without `rounds` it does so once."""
    searches: tuple[Search, ...] = ()
    citations: tuple[Cited, ...] = ()
    signed: bool = True
    """Whether reasoning is signed and, where the vendor does so, tool calls."""
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
    """Returns the script of the last user text or, without one, a short default; raises ValueError if it is invalid.

    A script has its deltas as `deltas`, as a number of `words`, or as `empty`; `repeat` repeats them. With `rounds`,
    which are scripts, the n-th answers after n messages of tool results, and so does the last after any more.
    """
    if not asked.question.startswith(MARK):
        return _unscripted(asked, vendor)
    told: dict[str, Any]
    told, _ = json.JSONDecoder().raw_decode(asked.question, len(MARK))
    try:
        if rounds := told.pop("rounds", None):
            return _script(rounds[min(asked.rounds, len(rounds) - 1)])
        if asked.rounds:
            told.pop("tools", None)
        return _script(told)
    except (AttributeError, TypeError) as error:
        raise ValueError(f"invalid script: {error}") from None


def _script(told: Mapping[str, Any]) -> Script:
    rest = dict(told)
    words, empty = rest.pop("words", None), rest.pop("empty", False)
    deltas = tuple(f"word{n} " for n in range(words)) if words is not None else tuple(rest.pop("deltas", ("Hello",)))
    deltas *= rest.pop("repeat", 1)
    return Script(
        deltas=() if empty else deltas,
        reasoning=tuple(rest.pop("reasoning", ())),
        tools=tuple(ToolScript(**tool) for tool in rest.pop("tools", ())),
        searches=tuple(_search(**search) for search in rest.pop("searches", ())),
        citations=tuple(Cited(**cited) for cited in rest.pop("citations", ())),
        **rest,
    )


def _search(query: str, results: Sequence[Mapping[str, str]] = ()) -> Search:
    return Search(query, tuple(Found(**found) for found in results))


def _unscripted(asked: Asked, vendor: str) -> Script:
    """Calls the tool that the question names; answers with its result, in the form that is asked for, or says hello."""
    thought = words_of(THOUGHT) if asked.wants_reasoning else ()
    named = [tool for tool in asked.tools if tool.name in asked.question or asked.must_call]
    if named and not asked.rounds:
        called = ToolScript(named[0].name, value_of(named[0].schema))
        return Script((), thought, (called,), interval_ms=INTERVAL_MS)
    if asked.schema is not None:
        answer = json.dumps(value_of(asked.schema), ensure_ascii=False)
    elif asked.rounds:
        answer = "The tool says: " + " ".join(asked.results)
    else:
        answer = ANSWER.format(vendor=vendor, model=asked.model)
    return Script(words_of(answer), thought, interval_ms=INTERVAL_MS)


def words_of(text: str) -> tuple[str, ...]:
    """Returns the words of a text, each with the space behind it."""
    pieces = text.split(" ")
    return tuple(piece + " " for piece in pieces[:-1]) + tuple(pieces[-1:])
