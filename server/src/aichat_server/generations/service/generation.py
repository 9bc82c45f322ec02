"""One answer being written: the vendor's stream goes into a journal, and its end to a sink.

A generation is a task of the process, not of a call: callers read its journal, and may go away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from types import MappingProxyType
from typing import assert_never

import structlog

from aichat_server.content.parts import Role, text_of
from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.domain.content import AnswerContent
from aichat_server.generations.domain.generation import Ending, GenerationKey, GenerationState, Place, kept_parts
from aichat_server.generations.domain.observing import GenerationObserver
from aichat_server.generations.domain.stream import Completed, Started, ToolCallWhole, UsageSoFar
from aichat_server.generations.service import failures
from aichat_server.generations.service.answer_check import fault_of
from aichat_server.generations.service.coalescer import Coalescer
from aichat_server.generations.service.endings import other_end, store
from aichat_server.generations.service.handle import Handle
from aichat_server.generations.service.meter import Meter
from aichat_server.generations.service.records import Record
from aichat_server.generations.service.requests import GenerationRequest
from aichat_server.limits.service import Admission
from aichat_server.models.domain import pricing
from aichat_server.models.domain.models import Model
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import (
    CitationFound,
    ContentEvent,
    Delta,
    ItemFound,
    PartEnd,
    ProviderEvent,
    ReasoningDelta,
    Sent,
    Signed,
    Stop,
    StopReason,
    TextDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    UsageReport,
)
from aichat_server.providers.service.upstream import UpstreamAnswer

_log = structlog.get_logger()

_STATES: Mapping[Reason, GenerationState] = MappingProxyType(
    {
        Reason.SERVER_DRAINING: GenerationState.INTERRUPTED,
        Reason.GENERATION_CANCELLED: GenerationState.CANCELLED,
    }
)


@dataclass(frozen=True, slots=True)
class GenerationPlan:
    """What is to be written, once it has begun."""

    request: GenerationRequest
    place: Place
    upstream: UpstreamAnswer
    admission: Admission

    @property
    def model(self) -> Model:
        """The model that answers; until one does, the model that is being asked."""
        return self.upstream.model


class Generation:
    """Writes one answer. Run it once, as a task of its own."""

    def __init__(self, handle: Handle, plan: GenerationPlan, observer: GenerationObserver, *, merges: bool) -> None:
        self.plan = plan
        self._handle = handle
        self._journal = handle.journal
        self._as_sent = plan.request.sent is not None
        """Whether readers get the vendor's bytes, and have no use for what is read of them."""
        self._coalescer = Coalescer(self._show, merges=merges)
        self._record = Record(observer)
        self._started = False
        self._content = AnswerContent()
        self._meter = Meter()
        self._stop: StopReason | None = None

    @property
    def key(self) -> GenerationKey:
        """Names the generation."""
        return self.plan.request.key

    async def run(self) -> None:
        """Reads the vendor's stream to its end, has the answer stored, and closes the journal."""
        announce = asyncio.get_running_loop().call_at(self._handle.announce_at, self._announce)
        try:
            failure = await self._generate() or await self._check()
            await self._settle_somehow(failure)
        finally:
            announce.cancel()
            self.plan.upstream.close()
            # Whatever was raised, readers must not wait forever. Only the first close counts.
            self._journal.close(failures.failed(words=self._content.has_words))

    def _why_broken_off(self) -> AichatError | None:
        why, request = self._handle.broken_off, self.plan.request
        names = request.question.sink.error_metadata(self.plan.place)
        return why(request.generation_id, names, words=self._content.has_words) if why is not None else None

    async def _generate(self) -> AichatError | None:
        if (broken_off := self._why_broken_off()) is not None:
            return broken_off
        try:
            with self._handle.reading():
                async with aclosing(self.plan.upstream.events()) as events:
                    async for event in events:
                        self._take(event)
        except AichatError as error:
            return error
        except asyncio.CancelledError:
            # What has arrived must still be stored.
            if (broken_off := self._why_broken_off()) is None:
                raise
            # The cancellation has ended the reading. Later timeouts must not be taken for it (Python before 3.11.3).
            if (task := asyncio.current_task()) is not None:
                task.uncancel()
            return broken_off
        except Exception:  # noqa: BLE001 — what has arrived must still be stored, and its readers told
            _log.exception("generation failed", generation_id=str(self.key.generation_id))
            return failures.failed(words=self._content.has_words)
        return None

    async def _check(self) -> AichatError | None:
        """Returns the failure of a whole answer that does not follow the request's schema; None if there is none."""
        request = self.plan.request
        if request.schema is None or self._stop is not StopReason.END_TURN:
            return None
        try:
            fault = await fault_of(request.schema, text_of(self._content.parts(), Role.ASSISTANT))
        except Exception:  # noqa: BLE001 — the answer must be stored all the same
            _log.exception("answer not checked", generation_id=str(self.key.generation_id))
            return failures.failed(words=self._content.has_words)
        names = request.question.sink.error_metadata(self.plan.place)
        about = (request.generation_id, self.plan.model.provider, names)
        return failures.invalid(*about, fault) if fault is not None else None

    def _take(self, event: ProviderEvent) -> None:
        if not self._started:
            self._announce()
        match event:
            case TextDelta() | ReasoningDelta() | ToolCallDelta():
                self._content.take(event)
                self._record.delta()
                self._show_soon(event)
            case UsageReport():
                # What it counts must be shown before it.
                self._coalescer.close()
                self._tell(self._meter.report(event))
            case ToolCallStart() | ToolCallEnd() | CitationFound() | ItemFound() | Signed() | PartEnd():
                self._content.take(event)
                self._show_whole(event)
            case Sent():
                self._show_sent(event)
            case Stop():
                self._stop = event.reason
            case _:
                assert_never(event)

    def _show_soon(self, delta: Delta) -> None:
        """Shows a delta, perhaps with others."""
        if not self._as_sent:
            self._coalescer.add(delta)

    def _show_sent(self, event: Sent) -> None:
        """Shows what the vendor sent, and counts what was read of it."""
        self._journal.append(event)
        if self._meter.count_bytes(event.written):
            self._tell(self._meter.usage(self._asked))

    def _show_whole(self, event: ContentEvent) -> None:
        """Shows what is no delta, after the deltas before it."""
        if self._as_sent:
            return
        match event:
            case ToolCallStart() | CitationFound() | ItemFound() | Signed() | PartEnd():
                self._coalescer.close()
                self._journal.append(event)
            case ToolCallEnd(call_id):
                self._coalescer.close()
                self._journal.append(ToolCallWhole(self._content.call(call_id)))
            case _:
                """Nothing to show."""

    def _show(self, delta: Delta) -> None:
        self._journal.append(delta)
        if self._meter.count(delta):
            self._tell(self._meter.usage(self._asked))

    def _asked(self) -> Usage:
        request = self.plan.upstream.request
        return Usage(input=request.estimated_tokens, percent=request.percent())

    def _tell(self, usage: Usage) -> None:
        self._journal.append(UsageSoFar(usage, pricing.cost(self.plan.model.prices, usage)))

    def _announce(self) -> None:
        if not self._started:
            self._started = True
            # It names the model, perhaps before the first word. From here on no other model may answer.
            self.plan.upstream.keep_model()
            model, requested = self.plan.model, self.plan.upstream.requested.id
            about = (model.id, model.provider, requested, self.plan.place, self.plan.upstream.request.prompt.left_out)
            started = Started(self.key.generation_id, *about)
            self._journal.append(started)

    async def _settle_somehow(self, failure: AichatError | None) -> None:
        try:
            self._coalescer.close()
            await self._settle(failure)
        except Exception:  # noqa: BLE001 — the answer must be stored all the same
            _log.exception("generation not ended", generation_id=str(self.key.generation_id))
            # The vendor's count is the only input here that is not our own.
            self._meter.distrust()
            await self._settle(failure)

    async def _settle(self, failure: AichatError | None) -> None:
        ending, sink = self._ending(failure), self.plan.request.question.sink
        self._record.ended(ending)
        # Before the caller can see the end: its next call must find this one's place free.
        self.plan.admission.end(ending.usage.total_input + ending.usage.output)
        try:
            known = await store(sink, ending, self._handle)
        except AichatError as error:
            _log.error("answer not stored", generation_id=str(self.key.generation_id), reason=error.reason)
            self._journal.close(error)
            return
        failure = other_end(sink, ending, known, self.plan.place) or failure
        if failure is None and known is not None and known.answer is not None:
            self._journal.append(Completed(known.answer, known.place))
        self._journal.close(failure)

    def _ending(self, failure: AichatError | None) -> Ending:
        request, model = self.plan.request, self.plan.model
        usage, state = self._meter.usage(self._asked), _state(failure)
        return Ending(
            org_id=request.principal.org_id,
            member_id=request.principal.member_id,
            generation_id=request.generation_id,
            model=model.id,
            provider=model.provider,
            state=state,
            parts=kept_parts(state, self._content),
            stop_reason=self._stop,
            usage=usage,
            raw_usage=self._meter.raw,
            cost=pricing.cost(model.prices, usage),
            price_version=model.price_version,
            error_reason=failure.reason if failure else None,
            error_message=failure.message if failure else None,
            left_out=self.plan.upstream.request.prompt.left_out,
            first_delta_ms=self._record.first_delta_ms,
        )


def _state(failure: AichatError | None) -> GenerationState:
    if failure is None:
        return GenerationState.COMPLETE
    return _STATES.get(failure.reason, GenerationState.FAILED)
