"""One answer being written: the vendor's stream goes into a journal, and its end into the database.

A generation is a task of the process, not of a call: callers read its journal, and may go away.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Protocol

import structlog

from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.texts import is_blank
from aichat_server.generations.domain.generation import GenerationState
from aichat_server.generations.domain.observing import GenerationEnded, GenerationObserver
from aichat_server.generations.domain.stream import Completed, Delta, Started, UsageSoFar
from aichat_server.generations.service import failures
from aichat_server.generations.service.coalescer import Coalescer
from aichat_server.generations.service.endings import Ending
from aichat_server.generations.service.journal import Journal
from aichat_server.generations.service.meter import Meter
from aichat_server.generations.storage.turns import TurnBegun, TurnEnd, TurnStore
from aichat_server.identity.domain.principals import Principal
from aichat_server.limits.service import Admission
from aichat_server.models.domain import pricing
from aichat_server.models.domain.models import Model
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import ProviderEvent, Stop, StopReason, TextDelta, UsageReport
from aichat_server.providers.service.upstream import UpstreamAnswer

_log = structlog.get_logger()

_STATES: Mapping[Reason, GenerationState] = MappingProxyType(
    {
        Reason.SERVER_DRAINING: GenerationState.INTERRUPTED,
        Reason.GENERATION_CANCELLED: GenerationState.CANCELLED,
    }
)


class _Why(Protocol):
    def __call__(self, turn: TurnBegun, *, words: bool) -> AichatError: ...


@dataclass(frozen=True, slots=True)
class GenerationPlan:
    """What is to be written, by whom and for whom."""

    principal: Principal
    upstream: UpstreamAnswer
    turn: TurnBegun
    admission: Admission
    cancel_on_disconnect: bool = False
    """Whether the answer is cancelled when its last reader goes away."""

    @property
    def model(self) -> Model:
        """The model that answers; until one does, the one that is being asked."""
        return self.upstream.model


class Generation:
    """Writes one answer. Run it once, as a task of its own."""

    def __init__(
        self,
        journal: Journal,
        turns: TurnStore,
        observer: GenerationObserver,
        *,
        coalesce_seconds: float,
        announce_seconds: float,
    ) -> None:
        """`announce_seconds`: `started` goes out so long after now at the latest, so that readers hear something."""
        self.journal = journal
        self._ending = Ending(turns)
        self._observer = observer
        self._announce_at = asyncio.get_running_loop().time() + announce_seconds
        self._coalesce_seconds = coalesce_seconds
        self._coalescer: Coalescer
        self._started = False
        self._broken_off: _Why | None = None
        self._reading: asyncio.Task[object] | None = None
        self._text: list[str] = []
        self._meter = Meter()
        self._stop: StopReason | None = None
        self._began_at = self._began = 0.0
        self._first_delta_seconds: float | None = None
        self._deltas = 0

    async def run(self, plan: GenerationPlan) -> None:
        """Reads the vendor's stream to its end, stores what came of it, and closes the journal."""
        self._began_at, self._began = time.time(), time.perf_counter()
        self._coalescer = Coalescer(partial(self._show, plan), merges=self._coalesce_seconds > 0)
        announce = asyncio.get_running_loop().call_at(self._announce_at, self._announce, plan)
        try:
            failure = await self._generate(plan)
            await self._settle_somehow(plan, failure)
        finally:
            announce.cancel()
            # Whatever was raised: who reads must not wait for ever. Only the first close counts.
            self.journal.close(failures.failed(words=self._has_words))

    def cancel(self) -> None:
        """Stops reading from the vendor: the answer ends as cancelled. One that has been read to its end does not."""
        self._break_off(failures.cancelled)

    def interrupt(self, give_up_at: float) -> None:
        """Stops reading from the vendor: the answer ends as interrupted. One that has been read to its end does not.

        What is not stored by `give_up_at`, by the event loop's clock, is given up.
        """
        self._ending.give_up_at(give_up_at)
        self._break_off(failures.interrupted)

    def _break_off(self, why: _Why) -> None:
        if self._broken_off is None:
            self._broken_off = why
            if self._reading is not None:
                self._reading.cancel()

    def _why_broken_off(self, plan: GenerationPlan) -> AichatError | None:
        return self._broken_off(plan.turn, words=self._has_words) if self._broken_off is not None else None

    @property
    def _has_words(self) -> bool:
        """Whether anything of the answer has come that is stored."""
        return not is_blank("".join(self._text))

    async def _generate(self, plan: GenerationPlan) -> AichatError | None:
        if (broken_off := self._why_broken_off(plan)) is not None:
            return broken_off
        self._reading = asyncio.current_task()
        try:
            async with aclosing(plan.upstream.events()) as events:
                async for event in events:
                    self._take(plan, event)
        except AichatError as error:
            return error
        except asyncio.CancelledError:
            # What has arrived must still be stored.
            if (broken_off := self._why_broken_off(plan)) is None:
                raise
            # That ended the reading alone. Timeouts of what follows would be taken for it (Python before 3.11.3).
            if self._reading is not None:
                self._reading.uncancel()
            return broken_off
        except Exception:  # noqa: BLE001 — whatever it was, what has arrived must still be stored, and its readers told
            _log.exception("generation failed", generation_id=str(plan.turn.generation_id))
            return failures.failed(words=self._has_words)
        finally:
            self._reading = None
        return None

    def _take(self, plan: GenerationPlan, event: ProviderEvent) -> None:
        if not self._started:
            self._announce(plan)
        if isinstance(event, UsageReport):
            # What it counts has been shown by then.
            self._coalescer.close()
            self._tell(plan, self._meter.report(event))
        elif isinstance(event, Stop):
            self._stop = event.reason
        else:
            if self._first_delta_seconds is None:
                self._first_delta_seconds = time.perf_counter() - self._began
            self._deltas += 1
            # Reasoning is shown and paid for, and not stored.
            if isinstance(event, TextDelta):
                self._text.append(event.text)
            self._coalescer.add(event)

    def _show(self, plan: GenerationPlan, delta: Delta) -> None:
        self.journal.append(delta)
        if self._meter.count(delta):
            self._tell(plan, self._meter.usage(plan.upstream.request.texts))

    def _tell(self, plan: GenerationPlan, usage: Usage) -> None:
        self.journal.append(UsageSoFar(usage, pricing.cost(plan.model.prices, usage)))

    def _announce(self, plan: GenerationPlan) -> None:
        if not self._started:
            self._started = True
            # It names the model, perhaps before that has said a word: from here on no other one may answer.
            plan.upstream.keep_model()
            turn = plan.turn
            ids = (turn.generation_id, turn.conversation_id, turn.user_message_id, turn.message_id)
            self.journal.append(Started(*ids, plan.model.id, plan.model.provider, plan.upstream.requested.id))

    async def _settle_somehow(self, plan: GenerationPlan, failure: AichatError | None) -> None:
        try:
            self._coalescer.close()
            await self._settle(plan, failure)
        except Exception:  # noqa: BLE001 — whatever it was, it must not cost the answer
            _log.exception("generation not ended", generation_id=str(plan.turn.generation_id))
            # What the vendor counted is the one thing here that we have not made ourselves.
            self._meter.distrust()
            await self._settle(plan, failure)

    async def _settle(self, plan: GenerationPlan, failure: AichatError | None) -> None:
        end = self._end(plan, failure)
        self._record(end)
        # Before the caller can see the end: its next turn must find this one's place free.
        plan.admission.end(end.usage.total_input + end.usage.output)
        try:
            message, other = await self._ending.store(end)
        except AichatError as error:
            _log.error("answer not stored", generation_id=str(plan.turn.generation_id), reason=error.reason)
            self.journal.close(error)
            return
        failure = other or failure
        if message is not None and failure is None:
            self.journal.append(Completed(message))
        self.journal.close(failure)

    def _record(self, end: TurnEnd) -> None:
        seconds = time.perf_counter() - self._began
        ended = GenerationEnded(
            org_id=end.org_id,
            generation_id=end.generation_id,
            provider=end.provider,
            model=end.model,
            state=end.state,
            reason=end.error_reason,
            began_at=self._began_at,
            seconds=seconds,
            first_delta_seconds=self._first_delta_seconds,
            deltas=self._deltas,
            usage=end.usage,
        )
        try:
            self._observer.generation_ended(ended)
        except Exception:  # noqa: BLE001 — figures must not cost an answer
            _log.exception("generation not counted", generation_id=str(end.generation_id))
        _log.info(
            "generation ended",
            org_id=str(end.org_id),
            generation_id=str(end.generation_id),
            provider=end.provider,
            model=end.model,
            state=end.state,
            reason=end.error_reason,
            ms=round(seconds * 1000, 1),
        )

    def _end(self, plan: GenerationPlan, failure: AichatError | None) -> TurnEnd:
        usage = self._meter.usage(plan.upstream.request.texts)
        return TurnEnd(
            org_id=plan.principal.org_id,
            member_id=plan.principal.member_id,
            generation_id=plan.turn.generation_id,
            conversation_id=plan.turn.conversation_id,
            user_message_id=plan.turn.user_message_id,
            message_id=plan.turn.message_id,
            model=plan.model.id,
            provider=plan.model.provider,
            state=_state(failure),
            text="".join(self._text),
            stop_reason=self._stop,
            usage=usage,
            raw_usage=self._meter.raw,
            cost=pricing.cost(plan.model.prices, usage),
            price_version=plan.model.price_version,
            error_reason=failure.reason if failure else None,
            error_message=failure.message if failure else None,
            first_delta_ms=round(first * 1000) if (first := self._first_delta_seconds) is not None else None,
        )


def _state(failure: AichatError | None) -> GenerationState:
    if failure is None:
        return GenerationState.COMPLETE
    return _STATES.get(failure.reason, GenerationState.FAILED)
