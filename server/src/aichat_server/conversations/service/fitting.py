"""Cuts a conversation so that it fits into a model's context: first the contents of tool results, then whole turns.

What is left out grows in steps, so that the beginning of what is shown stays the same for many turns: vendors' caches
find a prompt by its beginning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from aichat_server.content.parts import Part, Role, TextPart, ToolResultPart
from aichat_server.providers.domain.requests import PathMessage

STEPS = 4
"""The number of steps in which what fills a context is left out."""
RESULT_NOTE = "(This result was left out: the conversation has become too long.)"
"""Replaces the content of a tool result."""
BEGINNING_NOTE = "(The beginning of this conversation was left out: it has become too long.)"
"""Precedes an answer whose question was left out."""

Weigh = Callable[[PathMessage], int]
"""Returns the tokens of a message."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A conversation that was cut."""

    shown: tuple[PathMessage, ...]
    dropped: tuple[PathMessage, ...]
    """The messages that were left out, oldest first, with the contents of their tool results."""
    tool_results: int
    """How many of the tool results that are shown lost their content."""
    tokens: int
    """The tokens of all that was left out."""
    fits: bool
    """Whether that was enough: the last message, and what it needs, are never left out."""
    gapless: bool
    """Whether the newest messages are shown, and none between them was left out."""


def cut(messages: Sequence[PathMessage], room: int, weigh: Weigh, *, steps: int = STEPS) -> Cut:
    """Returns the conversation cut to at most `room` tokens, if it can be cut so far.

    A tool call and its result stay together, and the first message that is shown is the user's. `steps`: see STEPS.
    """
    emptied, results, weights = list(messages), [0] * len(messages), list(map(weigh, messages))
    excess = sum(weights) - room
    wanted = _rounded_up(excess, max(1, room // steps)) if excess > 0 else 0
    freed = 0
    for n in range(len(messages) - 1):
        if freed >= wanted:
            break
        if _asks(messages[n]) or messages[n].role is Role.ASSISTANT:
            continue
        emptied[n], results[n] = _emptied(messages[n])
        before, weights[n] = weights[n], weigh(emptied[n])
        freed += before - weights[n]
    gone = set[int]()
    if freed < excess:
        for start, end in _groups(messages):
            if freed >= wanted:
                break
            gone.update(range(start, end))
            freed += sum(weights[start:end])
    kept = [n for n in range(len(messages)) if n not in gone]
    shown = tuple(emptied[n] for n in kept)
    dropped = tuple(messages[n] for n in sorted(gone))
    return Cut(
        _begun(shown),
        dropped,
        sum(results[n] for n in kept),
        freed,
        freed >= excess,
        len(gone) == max(gone, default=-1) + 1,
    )


def _groups(messages: Sequence[PathMessage]) -> list[tuple[int, int]]:
    """Returns what can be left out, oldest first: turns, and then the rounds of calls and results of the last turn."""
    questions = [n for n, message in enumerate(messages) if _asks(message)]
    last = questions[-1] if questions else -1
    turns = pairwise(sorted({0, *questions}))
    rounds = [n for n in range(last + 1, len(messages)) if messages[n].role is Role.ASSISTANT]
    return [*turns, *pairwise(rounds)]


def _asks(message: PathMessage) -> bool:
    """Whether a message begins a turn: one with results continues it."""
    return message.role is Role.USER and not any(isinstance(part, ToolResultPart) for part in message.parts)


def _begun(shown: tuple[PathMessage, ...]) -> tuple[PathMessage, ...]:
    if not shown or _asks(shown[0]):
        return shown
    return (PathMessage(Role.USER, (TextPart(BEGINNING_NOTE),)), *shown)


def _emptied(message: PathMessage) -> tuple[PathMessage, int]:
    """Returns the message without the contents of its tool results, and how many it emptied."""
    parts = tuple(map(_without_content, message.parts))
    count = sum(new is not old for new, old in zip(parts, message.parts, strict=True))
    return PathMessage(message.role, parts, message.generation_id) if count else message, count


def _without_content(part: Part) -> Part:
    if not isinstance(part, ToolResultPart) or _is_short(part):
        return part
    return ToolResultPart(part.call_id, (TextPart(RESULT_NOTE),), part.is_error)


def _is_short(result: ToolResultPart) -> bool:
    """Whether a result is no longer than what would replace it."""
    texts = [part.text for part in result.parts if isinstance(part, TextPart)]
    return len(texts) == len(result.parts) and sum(map(len, texts)) <= len(RESULT_NOTE)


def _rounded_up(amount: int, step: int) -> int:
    return -(-amount // step) * step
