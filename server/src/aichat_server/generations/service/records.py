"""The figures of one generation, for operators: when its pieces came, and how it ended."""

from __future__ import annotations

import time

import structlog

from aichat_server.generations.domain.generation import Ending
from aichat_server.generations.domain.observing import GenerationEnded, GenerationObserver

_log = structlog.get_logger()


class Record:
    """Takes the times of a generation; its clock starts at once."""

    def __init__(self, observer: GenerationObserver) -> None:
        self._observer = observer
        self._began_at, self._began = time.time(), time.perf_counter()
        self._first_delta_seconds: float | None = None
        self._deltas = 0

    @property
    def first_delta_ms(self) -> int | None:
        """From the start to the first delta; None if none came."""
        return round(first * 1000) if (first := self._first_delta_seconds) is not None else None

    def delta(self) -> None:
        """A delta has come from the vendor."""
        if self._first_delta_seconds is None:
            self._first_delta_seconds = time.perf_counter() - self._began
        self._deltas += 1

    def ended(self, ending: Ending) -> None:
        """Tells the observer and the log how the generation ended."""
        seconds = time.perf_counter() - self._began
        ended = GenerationEnded(
            org_id=ending.org_id,
            generation_id=ending.generation_id,
            provider=ending.provider,
            model=ending.model,
            state=ending.state,
            reason=ending.error_reason,
            began_at=self._began_at,
            seconds=seconds,
            first_delta_seconds=self._first_delta_seconds,
            deltas=self._deltas,
            usage=ending.usage,
        )
        try:
            self._observer.generation_ended(ended)
        except Exception:  # noqa: BLE001 — figures must not cost an answer
            _log.exception("generation not counted", generation_id=str(ending.generation_id))
        _log.info(
            "generation ended",
            org_id=str(ending.org_id),
            generation_id=str(ending.generation_id),
            provider=ending.provider,
            model=ending.model,
            state=ending.state,
            reason=ending.error_reason,
            ms=round(seconds * 1000, 1),
        )
