"""Merges an answer's deltas, so that those which are read together cost one event."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aichat_server.generations.domain.stream import Delta
from aichat_server.providers.domain.events import ReasoningDelta, TextDelta


class Coalescer:
    """Passes the first delta on at once, and merges later ones of one kind that come in one step of the event loop.

    How many come in one step is up to the provider, which reads by tick.
    """

    def __init__(self, emit: Callable[[Delta], None], *, merges: bool) -> None:
        """`merges`: False passes every delta on as it is."""
        self._emit = emit
        self._merges = merges
        self._begun = False
        self._kind: type[Delta] = TextDelta
        self._pending: list[str] = []
        self._step: asyncio.Handle | None = None

    def add(self, delta: Delta) -> None:
        """Takes the next delta."""
        if not self._begun or not self._merges:
            self._begun = True
            self._emit(delta)
            return
        kind = type(delta)
        if kind is not self._kind:
            self.close()
            self._kind = kind
        self._pending.append(delta.text)
        if self._step is None:
            self._step = asyncio.get_running_loop().call_soon(self.close)

    def close(self) -> None:
        """Passes on what is left."""
        if self._step is not None:
            self._step.cancel()
            self._step = None
        if self._pending:
            text, self._pending = "".join(self._pending), []
            self._emit(TextDelta(text) if self._kind is TextDelta else ReasoningDelta(text))
