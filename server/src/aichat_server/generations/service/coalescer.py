"""Merges an answer's deltas, so that a fast model does not cost a message per token."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aichat_server.generations.domain.stream import Delta
from aichat_server.providers.domain.events import ReasoningDelta, TextDelta


class Coalescer:
    """Passes the first delta on at once, then at most one per window, merged from those of one kind that came in it."""

    def __init__(self, window_seconds: float, emit: Callable[[Delta], None]) -> None:
        """`window_seconds` of 0 passes every delta on as it is."""
        self._window = window_seconds
        self._emit = emit
        self._kind: type[Delta] = TextDelta
        self._pending: list[str] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(self, delta: Delta) -> None:
        """Takes the next delta."""
        if self._timer is None:
            self._emit(delta)
            if self._window:
                self._open_window()
            return
        kind = type(delta)
        if kind is not self._kind:
            self._flush()
            self._kind = kind
        self._pending.append(delta.text)

    def close(self) -> None:
        """Passes on what is left."""
        self._flush()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _open_window(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._window, self._end_window)

    def _end_window(self) -> None:
        self._timer = None
        if self._pending:
            self._flush()
            self._open_window()

    def _flush(self) -> None:
        if self._pending:
            text, self._pending = "".join(self._pending), []
            self._emit(TextDelta(text) if self._kind is TextDelta else ReasoningDelta(text))
