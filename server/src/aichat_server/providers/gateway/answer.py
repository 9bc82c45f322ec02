"""Turns the bytes of one answer into events, and counts usage: what all vendors' streams have in common."""

from __future__ import annotations

import dataclasses
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar, TypeVar

import msgspec

from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.texts import is_blank, storable
from aichat_server.models.domain.usage import BYTES_PER_TOKEN, Usage
from aichat_server.providers.domain.events import (
    ProviderEvent,
    ReasoningDelta,
    Stop,
    StopReason,
    TextDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    UsageReport,
)
from aichat_server.providers.domain.requests import ProviderRequest
from aichat_server.providers.gateway import failures
from aichat_server.providers.gateway.figures import Figures, Path
from aichat_server.providers.gateway.sse import MAX_EVENT_BYTES, BrokenStreamError, SseDecoder

T = TypeVar("T")


class AnswerReader(ABC):
    """Reads one answer. A vendor's own reader sets `ended`, `stop` and `fault` as it learns them."""

    FIGURES: ClassVar[Mapping[str, Path]]
    """The path of each figure in the vendor's usage object."""
    WRITTEN: ClassVar[frozenset[str]]
    """The figures that count output: the reasoning or the answer."""
    MOST_EVENT_BYTES: ClassVar[int] = MAX_EVENT_BYTES

    def __init__(self, provider: str, request: ProviderRequest) -> None:
        self.provider = provider
        self.request = request
        self.begun = False
        """Whether the vendor accepted the request."""
        self.ended = False
        """Whether the vendor has ended the stream."""
        self.stop: StopReason | None = None
        """Why the model ended; None until the vendor says so."""
        self.fault: AichatError | None = None
        """Why the answer is incomplete, if the vendor says that instead of a stop reason."""
        self.broken: AichatError | None = None
        """The fault that an event of the vendor's tells, after which nothing follows."""
        self._as_sent = request.prompt.sent is not None
        """Whether the caller gets what the vendor sends, whatever it is."""
        self._answered = False
        """Whether anything of the answer itself has arrived: a word, or the call of a tool that was offered."""
        self.figures = Figures(self.FIGURES)
        self._sse = SseDecoder(self.MOST_EVENT_BYTES)
        self._over = False
        self._output_bytes = 0
        self._counted_bytes: int | None = None

    @abstractmethod
    def event(self, data: bytes) -> tuple[ProviderEvent, ...]:
        """Returns the events of one vendor event. Raises AichatError or BrokenStreamError."""

    @abstractmethod
    def usage(self) -> Usage:
        """Returns `figures` in the normal form; `estimated` if they needed interpretation."""

    @property
    def used(self) -> bool:
        """Whether the vendor has counted or written anything before it failed."""
        return bool(self.figures or self._output_bytes)

    @property
    def written(self) -> int:
        """The bytes of text that the model has written, in UTF-8."""
        return self._output_bytes

    @property
    def speaking(self) -> bool:
        """Whether any of the answer, or of its reasoning, has arrived."""
        return self._output_bytes > 0

    def read(self, chunk: bytes) -> Iterator[ProviderEvent]:
        """Yields the events that `chunk` completes."""
        for data in self._sse.feed(chunk):
            yield from self.event(data)

    def finish(self) -> Iterator[ProviderEvent]:
        """Yields the last events, after the vendor's last bytes; raises if the answer is incomplete or empty."""
        self._over = True
        for data in () if self.ended else self._sse.finish():
            yield from self.event(data)
        if self._as_sent and self.broken is None and self.fault is not None and _is_refusal(self.fault):
            # The caller sees it in the vendor's own words.
            self.fault, self.stop = None, self.stop or StopReason.OTHER
        if self.fault is not None:
            raise self.fault
        if self.stop is None:
            raise BrokenStreamError("the stream ended before the answer did")
        cut_short = (StopReason.MAX_TOKENS, StopReason.STOP_SEQUENCE)
        # Only Anthropic distinguishes a stop sequence from an end.
        is_empty = not self._answered and self.stop not in cut_short and not self.request.options.stop
        if is_empty and not self._as_sent:
            raise self.failure(Reason.PROVIDER_EMPTY_ANSWER)
        yield self.report()
        yield Stop(self.stop)

    def has_input(self, usage: Usage) -> bool:
        """Whether the input was counted: every prompt has tokens."""
        return usage.total_input > 0

    def count(self, told: object, *, final: bool = True, whole: bool = False) -> None:
        """Reads the vendor's usage object, after the text that came with it.

        `final`: its output is not a first guess. `whole`: see Figures.take.
        """
        counts = self.figures.take(told, whole=whole)
        if final and counts and (any(map(counts.get, self.WRITTEN)) or not self._output_bytes):
            self._counted_bytes = self._output_bytes

    def report(self) -> UsageReport:
        """Returns the usage as counted by the vendor, or an estimate at four bytes a token."""
        usage = self.usage()
        if not self._is_exact(usage):
            output = max(usage.output, -(-self._output_bytes // BYTES_PER_TOKEN))
            asked = usage.input if usage.total_input else self.request.estimated_tokens
            usage = dataclasses.replace(usage, input=asked, output=output, estimated=True)
        return UsageReport(usage, dict(self.figures.raw))

    def _is_exact(self, usage: Usage) -> bool:
        """Whether the answer has ended, and was counted after its last word: some endpoints count in every chunk."""
        over = self._over or self.stop is not None or self.fault is not None
        counted = over and self._counted_bytes == self._output_bytes
        # Written text is not free, even if a last report omits it.
        counted = counted and (usage.output > 0 or not self._output_bytes)
        return counted and self.has_input(usage) and not usage.estimated and not self.figures.doubted

    def broken_off(self, error: object) -> None:
        """Handles the vendor's error event: nothing follows, and the counts so far are final."""
        self.fault = self.broken = failures.from_event(error, self.provider, self.request.model)
        self.ended = True

    def failure(self, reason: Reason) -> AichatError:
        """Returns the error for `reason`."""
        return failures.failure(reason, self.provider, self.request.model)

    def text(self, text: str) -> tuple[ProviderEvent, ...]:
        """Returns more of the answer."""
        text = self._cleaned(text)
        if not text:
            return ()
        self._answered = self._answered or not is_blank(text)
        return (TextDelta(text),)

    def reasoning(self, text: str) -> tuple[ProviderEvent, ...]:
        """Returns more of the reasoning."""
        text = self._cleaned(text)
        return (ReasoningDelta(text),) if text else ()

    def call_begins(self, call_id: str, name: str) -> tuple[ProviderEvent, ...]:
        """Returns the beginning of a tool call, which is no answer if no tools were offered: nobody has its result."""
        self._answered = self._answered or bool(self.request.options.tools)
        return (ToolCallStart(storable(call_id), storable(name)),)

    def call_arguments(self, call_id: str, text: str) -> tuple[ProviderEvent, ...]:
        """Returns more of a tool call's arguments."""
        text = self._cleaned(text)
        return (ToolCallDelta(storable(call_id), text),) if text else ()

    def call_ends(self, call_id: str) -> tuple[ProviderEvent, ...]:
        """Returns the end of a tool call."""
        return (ToolCallEnd(storable(call_id)),)

    def _cleaned(self, text: str) -> str:
        text = storable(text)
        self._output_bytes += len(text) if text.isascii() else len(text.encode())
        return text


def _is_refusal(fault: AichatError) -> bool:
    return fault.reason is Reason.ANSWER_REFUSED


def decoded(decoder: msgspec.json.Decoder[T], data: bytes) -> T:
    """Decodes `data` as the decoder's type; raises BrokenStreamError if it is invalid."""
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    try:
        # The standard library accepts lone surrogates, which strict JSON does not.
        told = json.loads(data)
        try:
            return msgspec.convert(told, decoder.type)
        except msgspec.MsgspecError:
            # A part of it may be read as JSON later on.
            return decoder.decode(storable(json.dumps(told, ensure_ascii=False)))
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BrokenStreamError("an event that cannot be read") from error
