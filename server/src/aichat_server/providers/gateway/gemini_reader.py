"""Reads an answer of Gemini."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import ClassVar, TypeVar
from uuid import uuid4

import msgspec

from aichat_server.content.parts import ProviderItem, Signature
from aichat_server.core.errors import Reason
from aichat_server.core.texts import storable
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import CitationFound, ItemFound, PartEnd, ProviderEvent, Signed, StopReason
from aichat_server.providers.domain.requests import ProviderRequest
from aichat_server.providers.gateway.answer import AnswerReader, decoded
from aichat_server.providers.gateway.figures import Path
from aichat_server.providers.gateway.gemini_arguments import PartialArguments
from aichat_server.providers.gateway.gemini_chunks import CHUNKS, Call, Candidate, Part, raw_part
from aichat_server.providers.gateway.gemini_grounding import (
    CitationMetadata,
    Grounding,
    GroundingMetadata,
    UrlContextMetadata,
)

T = TypeVar("T")

BEFORE_3 = ("gemini-1", "gemini-2", "gemma-")
"""How the ids of models before Gemini 3 begin."""
TEXT_MARK = "text"
"""The kind of a mark that came on a text; other marks are on thoughts and calls."""

STOPS = {
    "STOP": StopReason.END_TURN,
    "MAX_TOKENS": StopReason.MAX_TOKENS,
    # The answer would continue in another request, which nobody sends.
    "CONTINUATION": StopReason.MAX_TOKENS,
}
REFUSALS = {
    "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "ESCALATION", "IMAGE_SAFETY",
    "MODEL_ARMOR",
}  # fmt: skip
# The answer ended in the middle, or at a call that cannot be read.
FAULTS = ("MALFORMED_", "UNEXPECTED_", "TOO_MANY_", "MISSING_")
UNSAID = "FINISH_REASON_UNSPECIFIED"


class GeminiReader(AnswerReader):
    """Reads the chunks of a response."""

    FIGURES: ClassVar[Mapping[str, Path]] = {
        "prompt": ("promptTokenCount",),
        "tools": ("toolUsePromptTokenCount",),
        "cached": ("cachedContentTokenCount",),
        "output": ("candidatesTokenCount",),
        "thoughts": ("thoughtsTokenCount",),
        "total": ("totalTokenCount",),
    }

    WRITTEN: ClassVar[frozenset[str]] = frozenset({"output", "thoughts"})

    def __init__(self, provider: str, request: ProviderRequest) -> None:
        super().__init__(provider, request)
        self._grounding = Grounding()
        self._thinks = False
        """Whether the last part was a thought."""
        self._mark: str | None = None
        """The mark of the last text, which is passed on after its citations."""
        self._calls: set[str] = set()
        self._call: str | None = None
        """The id of the call whose arguments are arriving."""
        self._arguments = PartialArguments()

    def event(self, data: bytes) -> tuple[ProviderEvent, ...]:
        """See AnswerReader.event."""
        chunk = decoded(CHUNKS, data)
        events = self._candidate(chunk.candidates[0], data) if chunk.candidates else ()
        if chunk.feedback and chunk.feedback.block_reason:
            # Nothing follows a blocked prompt.
            self.fault = self.failure(Reason.ANSWER_REFUSED)
        # Each chunk repeats the whole usage; the first is worth a report, the last one counts.
        known = bool(self.figures)
        self.count(chunk.usage, whole=True)
        if self.figures and not known:
            events = (self.report(), *events)
        if chunk.error is not None:
            self.broken_off(chunk.error)
        return events

    def usage(self) -> Usage:
        """Cached tokens are part of Gemini's prompt.

        Thoughts and tool results are separate from it and from the answer.
        """
        told = self.figures
        asked, answer, thoughts = told["prompt"] + told["tools"], told["output"], told["thoughts"]
        cached = min(told["cached"], asked)
        # If the answer itself was not counted, the total may have been.
        uncounted = 0 if answer else max(told["total"] - asked - thoughts, 0)
        return Usage(
            input=asked - cached,
            cache_read=cached,
            output=answer + uncounted + thoughts,
            reasoning=thoughts,
            estimated=cached < told["cached"] or uncounted > 0,
            web_searches=self._searches(),
            percent=self.request.percent(told.raw.get("serviceTier")),
        )

    def has_input(self, usage: Usage) -> bool:
        """Whether the input was counted: Google omits a count of 0, and reportedly the prompt's for files."""
        return usage.total_input > 0 or "prompt" not in self.figures

    def _searches(self) -> int:
        """Returns the searches that Google charges for: before Gemini 3 one for an answer, from then on each."""
        if self.request.options.web_search is None:
            return 0
        searches = self._grounding.searches
        return min(searches, 1) if self.request.model.startswith(BEFORE_3) else searches

    def _candidate(self, candidate: Candidate, data: bytes) -> tuple[ProviderEvent, ...]:
        events: list[ProviderEvent] = []
        for n, part in enumerate((candidate.content.parts if candidate.content else None) or ()):
            if part.text and part.thought is None and part.mark is None and self._mark is None:
                # Most parts: more of the answer, without generators around it.
                events += self.text(part.text)
                self._grounding.add(part.text)
                self._thinks = False
            else:
                events += self._part(part, n, data)
        if candidate.grounding or candidate.quotes or candidate.urls:
            events += self._citations(candidate)
        if self._mark:
            events += self._end_text()
        if candidate.finish and candidate.finish != UNSAID:
            events += self._end(candidate.finish)
        return tuple(events)

    def _citations(self, candidate: Candidate) -> Iterator[ProviderEvent]:
        if (grounding := _converted(candidate.grounding, GroundingMetadata)) is not None:
            yield from map(CitationFound, self._grounding.cited(grounding))
        if (quotes := _converted(candidate.quotes, CitationMetadata)) is not None:
            yield from map(CitationFound, self._grounding.quoted(quotes))
        if (urls := _converted(candidate.urls, UrlContextMetadata)) is not None:
            yield from map(CitationFound, self._grounding.read(urls))

    def _part(self, part: Part, n: int, data: bytes) -> Iterator[ProviderEvent]:
        yield from self._end_text()
        if part.call is not None:
            yield from self._called(part.call, part.mark)
        elif part.text is None:
            yield from self._other(part, raw_part(data, n))
        elif part.thought:
            yield from self.reasoning(part.text)
            if part.mark:
                yield Signed(Signature(self.provider, storable(part.mark)))
        else:
            yield from self._text(part.text, part.mark)
        self._thinks = bool(part.thought)

    def _text(self, text: str, mark: str | None) -> Iterator[ProviderEvent]:
        if mark and not text and self._thinks:
            # The mark is not the thought's.
            yield PartEnd()
        for event in self.text(text):
            self._grounding.add(text)
            yield event
        self._mark = mark

    def _end_text(self) -> Iterator[ProviderEvent]:
        """Yields the mark of the last text: the next one is another part."""
        if self._mark:
            mark, self._mark = self._mark, None
            self._grounding.end_text()
            yield Signed(Signature(self.provider, storable(mark), TEXT_MARK))

    def _other(self, part: Part, raw: bytes) -> Iterator[ProviderEvent]:
        """Yields a part that only Gemini understands."""
        told = json.loads(raw)
        kind = next((name for name in told if told[name] and name not in ("thought", "thoughtSignature")), None)
        if kind is not None:
            self._grounding.end_text()
            yield ItemFound(ProviderItem(self.provider, storable(kind), storable(raw.decode("utf-8", "replace"))))
        elif part.mark:
            yield from self._text("", part.mark)

    def _called(self, call: Call, mark: str | None) -> Iterator[ProviderEvent]:
        if call.name is not None:
            yield from self._end_call()
            if self._calls and self.request.options.parallel_tool_calls is False:
                # The caller takes one. Gemini cannot be told, and charges for the others all the same.
                return
            self._grounding.end_text()
            self._call = call.id if call.id and call.id not in self._calls else f"call_{uuid4().hex}"
            self._calls.add(self._call)
            yield from self.call_begins(self._call, call.name)
        if self._call is None:
            # More of a call that has ended already, or that is left out.
            return
        if mark:
            yield Signed(Signature(self.provider, storable(mark)), storable(self._call))
        self._arguments.update(call.arguments or {})
        for piece in call.pieces or ():
            self._arguments.take(piece)
        if not call.continues:
            yield from self._end_call()

    def _end_call(self) -> Iterator[ProviderEvent]:
        if self._call is not None:
            call, self._call = self._call, None
            arguments, self._arguments = self._arguments.value, PartialArguments()
            yield from self.call_arguments(call, _json(arguments))
            yield from self.call_ends(call)

    def _end(self, reason: str) -> Iterator[ProviderEvent]:
        if reason in REFUSALS:
            self.fault = self.failure(Reason.ANSWER_REFUSED)
        elif reason.startswith(FAULTS):
            self.fault = self.failure(Reason.PROVIDER_STREAM_BROKEN)
        else:
            self.stop = STOPS.get(reason, StopReason.OTHER)
            if self.stop is StopReason.END_TURN:
                yield from self._end_call()
                if self._calls and self.request.options.tools:
                    self.stop = StopReason.TOOL_USE


def _converted(told: object, kind: type[T]) -> T | None:
    """Returns what stands beside an answer in the form of `kind`; None if it has another, which breaks no answer."""
    try:
        return msgspec.convert(told, kind)
    except msgspec.ValidationError:
        return None


def _json(value: object) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        # A lone surrogate, which has a form in JSON alone.
        return json.dumps(value)
