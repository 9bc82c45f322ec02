"""Turns the bytes of one answer into events, and keeps count: what all vendors' streams have in common."""

from __future__ import annotations

import dataclasses
import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from aichat_server.domain.chat import ProviderRequest
from aichat_server.domain.conversations import text_of
from aichat_server.domain.errors import AichatError, Reason
from aichat_server.domain.events import ProviderEvent, ReasoningDelta, Stop, StopReason, TextDelta, UsageReport
from aichat_server.domain.texts import is_blank, storable
from aichat_server.domain.usage import BYTES_PER_TOKEN, Usage, estimate_tokens
from aichat_server.providers import failures
from aichat_server.providers.sse import BrokenStreamError, SseDecoder

T = TypeVar("T")


class AnswerReader(ABC):
    """One answer, being read. A vendor's own reader sets `ended`, `stop`, `refused`, `raw` and
    `counted` as it learns them.
    """

    def __init__(self, provider: str, request: ProviderRequest) -> None:
        self.provider = provider
        self.request = request
        self.begun = False
        """The vendor took the request."""
        self.ended = False
        """The vendor said that nothing more comes."""
        self.stop: StopReason | None = None
        """Why the model ended; None until its last event."""
        self.refused = False
        self.raw: dict[str, Any] = {}
        """The vendor's own usage, merged."""
        self.counted = False
        """`raw` is final."""
        self._sse = SseDecoder()
        self._answered = False
        self._output_bytes = 0

    @abstractmethod
    def event(self, data: bytes) -> tuple[ProviderEvent, ...]:
        """What one event says. Raises AichatError or BrokenStreamError."""

    @abstractmethod
    def usage(self) -> Usage:
        """`raw` in the normal form."""

    @property
    def used(self) -> bool:
        """The vendor has counted something, or said something: it did not merely fail."""
        return bool(self.raw or self._output_bytes)

    def read(self, chunk: bytes) -> Iterator[ProviderEvent]:
        """The events that `chunk` completes."""
        for data in self._sse.feed(chunk):
            yield from self.event(data)

    def finish(self) -> Iterator[ProviderEvent]:
        """The last events, once the vendor's bytes have ended; raises what the end shows to be wrong."""
        for data in self._sse.finish():
            yield from self.event(data)
        if self.refused:
            raise self.failure(Reason.ANSWER_REFUSED)
        if self.stop is None:
            raise BrokenStreamError("the stream ended before the answer did")
        if not self._answered and self.stop is StopReason.END_TURN and not self.request.stop:
            # Nothing cut it short: no limit, and no stop sequence, which only Anthropic tells from an end.
            raise self.failure(Reason.PROVIDER_EMPTY_ANSWER)
        yield self.report()
        yield Stop(self.stop)

    def report(self) -> UsageReport:
        """The usage as the vendor counted it, or an estimate at four bytes a token where it did not."""
        usage = self.usage()
        if not self.counted:
            output = max(usage.output, -(-self._output_bytes // BYTES_PER_TOKEN))
            asked = usage if usage.total_input else Usage(input=self._estimated_input())
            usage = dataclasses.replace(asked, output=output, reasoning=usage.reasoning, estimated=True)
        return UsageReport(usage, dict(self.raw))

    def failure(self, reason: Reason) -> AichatError:
        """The error for `reason`."""
        return failures.failure(reason, self.provider, self.request.model)

    def text(self, text: str) -> tuple[ProviderEvent, ...]:
        """More of the answer."""
        text = self._cleaned(text)
        if not text:
            return ()
        self._answered = self._answered or not is_blank(text)
        return (TextDelta(text),)

    def reasoning(self, text: str) -> tuple[ProviderEvent, ...]:
        """More of the reasoning."""
        text = self._cleaned(text)
        return (ReasoningDelta(text),) if text else ()

    def _cleaned(self, text: str) -> str:
        text = storable(text)
        self._output_bytes += len(text) if text.isascii() else len(text.encode())
        return text

    def _estimated_input(self) -> int:
        texts = [text_of(message.parts) for message in self.request.messages]
        return sum(estimate_tokens(text) for text in (self.request.system_prompt, *texts))


def decoded(decoder: msgspec.json.Decoder[T], data: bytes) -> T:
    """`data` as the decoder's type; BrokenStreamError if it is none."""
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, ValueError):
        pass
    try:
        # The standard library takes the lone surrogates that strict JSON has no room for.
        return msgspec.convert(json.loads(data), decoder.type)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BrokenStreamError("an event that cannot be read") from error
