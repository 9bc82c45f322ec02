"""Reads an answer of whichever of OpenAI's two APIs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import ClassVar

from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import ProviderEvent, UsageReport
from aichat_server.providers.gateway.answer import AnswerReader
from aichat_server.providers.gateway.figures import Path
from aichat_server.providers.gateway.responses_reader import ResponsesReader, read_event


class EitherReader(AnswerReader):
    """Reads a response or, if the first event is one, a completion: some gateways answer with that."""

    FIGURES: ClassVar[Mapping[str, Path]] = {}
    WRITTEN: ClassVar[frozenset[str]] = frozenset()
    # The last event of a response repeats all of it.
    MOST_EVENT_BYTES = 8 << 20

    def __init__(self, response: ResponsesReader, completion: Callable[[], AnswerReader]) -> None:
        """`completion` returns its reader, and is called once it is known to be one."""
        super().__init__(response.provider, response.request)
        self._reader: AnswerReader = response
        self._completion: Callable[[], AnswerReader] | None = completion

    def event(self, data: bytes) -> tuple[ProviderEvent, ...]:
        """See AnswerReader.event."""
        if self._completion is not None:
            self._decide(data, self._completion)
        events = self._reader.event(data)
        self.ended, self.broken = self._reader.ended, self._reader.broken
        return events

    def _decide(self, data: bytes, completion: Callable[[], AnswerReader]) -> None:
        event = None if data.strip() == b"[DONE]" else read_event(data)
        if event is None or event.choices is not None:
            self._reader = completion()
        if event is None or event.choices is not None or event.type:
            self._completion = None

    def finish(self) -> Iterator[ProviderEvent]:
        """See AnswerReader.finish."""
        for data in () if self.ended else self._sse.finish():
            yield from self.event(data)
        yield from self._reader.finish()

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
