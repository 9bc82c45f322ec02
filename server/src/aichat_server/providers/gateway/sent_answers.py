"""The answers to requests that went to a vendor as they were sent: their events, byte for byte but for the model's id.

They are cut at the ends of events, and where the stream's end begins, which readers see once the answer is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import ClassVar

import msgspec

from aichat_server.core.errors import AichatError, Reason
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import ProviderEvent, Sent, SentKind, UsageReport
from aichat_server.providers.domain.verbatim import SentRequest, VendorApi
from aichat_server.providers.gateway.answer import AnswerReader
from aichat_server.providers.gateway.figures import Path
from aichat_server.providers.gateway.transport import StatusError

_DONE = b"data: [DONE]\n\n"
# Quotes inside of JSON strings are escaped, so that no text of an answer looks like these.
_USAGE = rb'"choices"\s*:\s*\[\][^\n]*"usage"\s*:\s*\{|"usage"\s*:\s*\{[^\n]*"choices"\s*:\s*\[\]'
_MODEL = re.compile(rb'("model"\s*:\s*)"(?:[^"\\]|\\.)+"')
_ENDS: Mapping[VendorApi, re.Pattern[bytes]] = MappingProxyType(
    {
        VendorApi.MESSAGES: re.compile(rb'"type"\s*:\s*"message_(?:delta|stop)"'),
        VendorApi.RESPONSES: re.compile(rb'"type"\s*:\s*"response\.(?:completed|incomplete)"'),
        VendorApi.CHAT_COMPLETIONS: re.compile(_USAGE + rb"|^data: ?\[DONE\]", re.MULTILINE),
    }
)
_AFTER_STOP = re.compile(rb'"usage"\s*:\s*\{|^data: ?\[DONE\]', re.MULTILINE)
"""The end of a completion whose model has stopped: most compatible endpoints tell the usage beside the reason."""
_FAILURES: Mapping[VendorApi, re.Pattern[bytes]] = MappingProxyType(
    {
        VendorApi.MESSAGES: re.compile(rb'"type"\s*:\s*"error"'),
        VendorApi.RESPONSES: re.compile(rb'"type"\s*:\s*"(?:response\.failed|error)"|"error"\s*:\s*\{'),
        VendorApi.CHAT_COMPLETIONS: re.compile(rb'"error"\s*:\s*[{"]'),
    }
)
# So much may arrive before anything of the answer is known: until then it can be asked for again.
_MOST_HELD_BYTES = 256 * 1024
# What is wrong with the operator's account, and with its limits, is not for callers.
_PRIVATE = (Reason.PROVIDER_CREDENTIALS_REJECTED, Reason.PROVIDER_RATE_LIMITED, Reason.PROVIDER_MODEL_MISSING)
_ABOUT_REQUEST = (Reason.PROVIDER_REQUEST_REJECTED, Reason.ANSWER_REFUSED)
_NOT_FOUND = 404


class SentReader(AnswerReader):
    """Reads an answer, and yields its bytes beside what is read of them."""

    FIGURES: ClassVar[Mapping[str, Path]] = {}
    WRITTEN: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, reader: AnswerReader, sent: SentRequest) -> None:
        """`reader` reads what the vendor sends."""
        super().__init__(reader.provider, reader.request)
        self._reader = reader
        self._sent = sent
        self._rest = b""
        """What has arrived of the next event."""
        self._held = b""
        """What nobody has been shown yet, since the answer may have to be asked for again."""
        self._last = b""
        self._written = 0
        """How many bytes of text the events had that were shown."""
        self._begun = False
        self._is_over = False
        self._model: bytes | None = None
        """The model's id in the vendor's words, with its name; empty if it is the caller's."""
        self._told = b""

    def read(self, chunk: bytes) -> Iterator[ProviderEvent]:
        """See AnswerReader.read."""
        yield from self._reader.read(chunk)
        self.ended = self._reader.ended
        if (whole := self._whole(chunk)) and not self._is_over:
            yield from self._shown(whole)

    def finish(self) -> Iterator[ProviderEvent]:
        """See AnswerReader.finish."""
        # It raises what ends a broken answer, whose end nobody sees.
        last = tuple(self._reader.finish())
        yield from self._rest_shown()
        yield from last

    def event(self, data: bytes) -> tuple[ProviderEvent, ...]:
        """See AnswerReader.event."""
        return self._reader.event(data)

    def usage(self) -> Usage:
        """See AnswerReader.usage."""
        return self._reader.usage()

    def report(self) -> UsageReport:
        """See AnswerReader.report."""
        return self._reader.report()

    @property
    def used(self) -> bool:
        """See AnswerReader.used."""
        return self._reader.used

    @property
    def written(self) -> int:
        """See AnswerReader.written."""
        return self._reader.written

    @property
    def speaking(self) -> bool:
        """See AnswerReader.speaking."""
        return self._reader.speaking

    def _shown(self, whole: bytes) -> Iterator[Sent]:
        """Yields what may be shown now of some events."""
        self._begun = self._begun or self.used
        if self._reader.broken is not None:
            self._is_over = True
            yield from self._broken(whole, self._reader.broken)
            return
        more = self._before_last(self._renamed(whole))
        self._begun = self._begun or len(self._held) + len(more) > _MOST_HELD_BYTES
        if not self._begun:
            self._held += more
        elif more:
            yield self._more(self._held + more)
            self._held = b""

    def _rest_shown(self) -> Iterator[Sent]:
        """Yields the rest of a whole answer."""
        more = self._before_last(self._renamed(self._rest + b"\n\n")) if self._rest.strip() else b""
        if self._held or more:
            yield self._more(self._held + more)
        # Its events are told apart below, and by who adds the cost.
        self._last = self._last.replace(b"\r\n", b"\n")
        if self._sent.api is VendorApi.CHAT_COMPLETIONS:
            yield Sent(self._completion_end(), SentKind.LAST)
        elif self._last:
            yield Sent(self._last, SentKind.LAST)

    def _more(self, data: bytes) -> Sent:
        written = self._reader.written
        new, self._written = written - self._written, written
        return Sent(data, written=new)

    def _completion_end(self) -> bytes:
        blocks = [block for block in self._last.split(b"\n\n") if block.strip() and b"[DONE]" not in block]
        if not self._sent.wants_usage:
            blocks = [block for block in blocks if not re.search(_USAGE, block)]
        return b"".join(block + b"\n\n" for block in blocks) + _DONE

    def _whole(self, chunk: bytes) -> bytes:
        """Returns the events that `chunk` completes."""
        data = self._rest + chunk if self._rest else chunk
        end = len(data) if data.endswith(b"\n\n") else _event_at(data, len(data))
        self._rest = data[end:]
        return data[:end]

    def _before_last(self, whole: bytes) -> bytes:
        """Returns what comes before the stream's end, and keeps the rest."""
        if self._last:
            self._last += whole
            return b""
        reader = self._reader
        if reader.stop is None and reader.fault is None and not reader.ended:
            # Looking for the end takes long, and the model has not ended.
            return whole
        has_stopped = reader.stop is not None and self._sent.api is VendorApi.CHAT_COMPLETIONS
        found = (_AFTER_STOP if has_stopped else _ENDS[self._sent.api]).search(whole)
        if found is None:
            return whole
        start = _event_at(whole, found.start())
        self._last = whole[start:]
        return whole[:start]

    def _broken(self, whole: bytes, failure: AichatError) -> Iterator[Sent]:
        """Yields the vendor's own words about a failure, unless nothing has been shown: the status tells it then."""
        if not self._begun:
            return
        found = _FAILURES[self._sent.api].search(whole)
        start = _event_at(whole, found.start()) if found is not None else len(whole)
        if more := self._held + self._renamed(whole[:start]):
            yield self._more(more)
        if found is not None and failure.reason not in _PRIVATE:
            yield Sent(self._renamed(whole[start:]), SentKind.FAILURE)

    def _renamed(self, events: bytes) -> bytes:
        """Returns the events with the model's id that the caller used."""
        if self._model is None:
            found = _MODEL.search(events)
            if found is None:
                return events
            self._told = found[1] + msgspec.json.encode(self._sent.model)
            self._model = found[0] if found[0] != self._told else b""
        return events.replace(self._model, self._told) if self._model else events


def refused(error: BaseException | None, failure: AichatError, sent: SentRequest | None) -> tuple[Sent, ...]:
    """Returns the vendor's refusal of a request that went as it was sent; nothing if it is not about the request.

    `failure`: what is made of `error` for callers.
    """
    if not isinstance(error, StatusError) or not error.body or sent is None:
        return ()
    told = error.body.get("error")
    param = told.get("param") if isinstance(told, Mapping) else None
    # OpenAI does not find items of conversations, either, that it has not stored.
    is_item = error.status == _NOT_FOUND and sent.api is VendorApi.RESPONSES and param not in (None, "model")
    if failure.reason in _ABOUT_REQUEST or is_item:
        is_plain = error.content.lstrip().startswith(b"{")
        content = error.content if is_plain else msgspec.json.encode(error.body)
        return (Sent(content, SentKind.REFUSAL, error.status),)
    return ()


def _event_at(data: bytes, place: int) -> int:
    """Returns where the event begins that has this place, which is behind the end of the one before."""
    ends = [(data.rfind(end, 0, place), len(end)) for end in (b"\n\n", b"\n\r\n")]
    return max(start + size if start >= 0 else 0 for start, size in ends)
