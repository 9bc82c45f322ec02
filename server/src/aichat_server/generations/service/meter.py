"""Meters an answer while it is written. It estimates the usage until the vendor has counted it."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from typing import assert_never

from aichat_server.models.domain.usage import BYTES_PER_TOKEN, Usage
from aichat_server.providers.domain.events import Delta, ReasoningDelta, TextDelta, ToolCallDelta, UsageReport

# The estimate is shown at most this often, however fast the model writes.
_PERIOD_SECONDS = 1.0


class Meter:
    """Counts one answer. Its estimate never falls. Only the vendor's own count may be less."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.raw: Mapping[str, object] = {}
        """The vendor's last report, in its own words; empty if there was none."""
        self._clock = clock
        self._due: float | None = None
        self._reported: Usage | None = None
        self._asked: Usage | None = None
        self._text_bytes = 0
        self._reasoning_bytes = 0
        self._most = Usage()

    def report(self, report: UsageReport) -> Usage:
        """Takes a report of the vendor. Returns the usage that is known then."""
        self.raw, self._reported = report.raw, report.usage
        return self._estimate(report.usage) if report.usage.estimated else report.usage

    def distrust(self) -> None:
        """Ignores all reports of the vendor. The usage is estimated from what was written."""
        self.raw, self._reported, self._most = {}, None, Usage()

    def count(self, delta: Delta) -> bool:
        """Counts what was written. Returns True if it is time to show the usage."""
        size = len(delta.text) if delta.text.isascii() else len(delta.text.encode())
        match delta:
            case TextDelta() | ToolCallDelta():
                self._text_bytes += size
            case ReasoningDelta():
                self._reasoning_bytes += size
            case _:
                assert_never(delta)
        return self._is_due()

    def count_bytes(self, size: int) -> bool:
        """Counts bytes that were written, whatever they are. Returns True if it is time to show the usage."""
        self._text_bytes += size
        return size > 0 and self._is_due()

    def _is_due(self) -> bool:
        now = self._clock()
        if self._due is None or now >= self._due:
            first, self._due = self._due is None, now + _PERIOD_SECONDS
            return not first and (self._reported is None or self._reported.estimated)
        return False

    def usage(self, asked: Callable[[], Usage]) -> Usage:
        """Returns what has been used: the vendor's figures, or an estimate where it has not reported any.

        `asked`: estimates the usage for all that the model was shown; it is called once at most.
        """
        if self._reported is None:
            if not self._text_bytes and not self._reasoning_bytes:
                return Usage()
            if self._asked is None:
                self._asked = asked()
            return self._estimate(self._asked)
        return self._estimate(self._reported) if self._reported.estimated else self._reported

    def _estimate(self, known: Usage) -> Usage:
        reasoning = max(known.reasoning, _tokens(self._reasoning_bytes), self._most.reasoning)
        written = _tokens(self._text_bytes) + _tokens(self._reasoning_bytes)
        output = max(known.output, written, self._most.output)
        self._most = dataclasses.replace(known, output=output, reasoning=reasoning, estimated=True)
        return self._most


def _tokens(size: int) -> int:
    return -(-size // BYTES_PER_TOKEN)
