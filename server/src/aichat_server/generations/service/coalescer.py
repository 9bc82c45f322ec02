"""Merges an answer's deltas, so that those which are read together cost one event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import assert_never

from aichat_server.providers.domain.events import Delta, ReasoningDelta, TextDelta, ToolCallDelta


class Coalescer:
    """Passes the first delta on at once, and merges later ones of one kind that come in one step of the event loop.

    How many come in one step is up to the provider, which reads by tick.
    """

    def __init__(self, emit: Callable[[Delta], None], *, merges: bool) -> None:
        """`merges`: False passes every delta on as it is."""
        self._emit = emit
        self._merges = merges
        self._begun = False
        self._pending: list[Delta] = []
        self._step: asyncio.Handle | None = None

    def add(self, delta: Delta) -> None:
        """Takes the next delta."""
        if not self._begun or not self._merges:
            self._begun = True
            self._emit(delta)
            return
        if self._pending and not _continues(self._pending[0], delta):
            self.close()
        self._pending.append(delta)
        if self._step is None:
            self._step = asyncio.get_running_loop().call_soon(self.close)

    def close(self) -> None:
        """Passes on what is left."""
        if self._step is not None:
            self._step.cancel()
            self._step = None
        if self._pending:
            merged, self._pending = _merged(self._pending), []
            self._emit(merged)


def _continues(first: Delta, delta: Delta) -> bool:
    if type(delta) is not type(first):
        return False
    return (
        not isinstance(first, ToolCallDelta) or not isinstance(delta, ToolCallDelta) or delta.call_id == first.call_id
    )


def _merged(deltas: Sequence[Delta]) -> Delta:
    text = "".join([delta.text for delta in deltas])
    match deltas[0]:
        case TextDelta():
            return TextDelta(text)
        case ReasoningDelta():
            return ReasoningDelta(text)
        case ToolCallDelta(call_id):
            return ToolCallDelta(call_id, text)
        case unknown:
            assert_never(unknown)
