"""Gives each call its answer: that of the earlier call that it is a retry of, or a new one.

A reader that vanishes leaves its answer waiting. The same call of the same caller gets it, from its first event. If
none comes in time, the answer is cancelled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import structlog
from structlog.contextvars import bind_contextvars

from aichat_server.compat.domain.observing import ReaderObserver
from aichat_server.compat.domain.readers import Left, Reader, Slot, how_it_waits
from aichat_server.compat.gateway.readers import SharedReaders
from aichat_server.compat.service.reading import Reading
from aichat_server.compat.service.waiting import Departure, WaitingAnswers
from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.domain.generation import GenerationKey, GenerationState
from aichat_server.generations.service.answers import Answers
from aichat_server.generations.service.generations import Generations
from aichat_server.generations.service.handle import Handle
from aichat_server.generations.service.journal import Events
from aichat_server.generations.service.launcher import Launcher
from aichat_server.generations.service.requests import GenerationRequest

_log = structlog.get_logger()

# The end of an older reader's connection may still be on its way: for a tenth of a second, or longer if the process is
# so busy that each look takes long.
_LOOKS = 6
# A call that says that it is a retry has an older reader that has gone.
_LOOKS_OF_RETRIES = 50
_LOOK_SECONDS = 0.02
# An answer whose reader vanished at once may not have begun yet.
_BEGIN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Patience:
    """What happens when readers vanish."""

    seconds: float = 10.0
    """How long an answer waits for a retry; 0: it does not wait."""
    cancels: bool = True
    """Whether an answer is cancelled then. If not, it goes on."""


class _Found(NamedTuple):
    key: GenerationKey
    events: Events
    handle: Handle | None
    until: float
    """Until when the answer would have waited, by the event loop's clock."""


class Readers:
    """Launches answers, and knows who reads them."""

    def __init__(
        self,
        launcher: Launcher,
        answers: Answers,
        generations: Generations,
        shared: SharedReaders | None,
        patience: Patience,
        observer: ReaderObserver,
    ) -> None:
        """`shared`: None if there is no Redis."""
        self._launcher = launcher
        self._answers = answers
        self._generations = generations
        self._patience = patience
        self._observer = observer
        self._waiting = WaitingAnswers(
            shared,
            generations.spawn,
            when_over=lambda left: self._abandon(left.reader, GenerationKey(left.slot.org_id, left.generation_id)),
        )

    async def answer(self, reader: Reader, prepare: Coroutine[Any, Any, GenerationRequest]) -> Events:
        """Returns the events of the reader's answer; `prepare` returns the request for a new one.

        Read them to their end, also after the last one that is shown: who stops before has vanished.
        """
        slot = reader.slot
        if slot is None or not self._patience.seconds:
            reader = replace(reader, slot=None)
            return await self._launch(reader, await prepare)
        finding = self._generations.spawn(self._find(reader, slot))
        try:
            # At once: most of the work of preparing is done while Redis answers.
            request, found = await asyncio.gather(prepare, asyncio.shield(finding), return_exceptions=True)
        except asyncio.CancelledError:
            finding.add_done_callback(lambda task: self._leave_unread(reader, task))
            raise
        if isinstance(found, _Found):
            bind_contextvars(generation_id=str(found.key.generation_id))
            _log.info("call continues an earlier answer")
            self._observer.call_continued()
            return self._read(reader, found)
        if found is None and not isinstance(request, BaseException):
            return await self._launch(reader, request)
        self._go(reader)
        raise next(failure for failure in (found, request) if isinstance(failure, BaseException))

    async def _find(self, reader: Reader, slot: Slot) -> _Found | None:
        """Returns the answer that the call is a retry of; None if there is none."""
        loop, looks = asyncio.get_running_loop(), 0
        most = _LOOKS_OF_RETRIES if reader.retries else _LOOKS
        while True:
            taken, handle = await self._waiting.take(slot, reader)
            looks += 1
            if taken.generation_id is not None:
                key = GenerationKey(slot.org_id, taken.generation_id)
                events = await self._again(reader, key, handle)
                if events is not None:
                    return _Found(key, events, handle, loop.time() + taken.seconds)
            elif not taken.others or looks >= most:
                return None
            else:
                await asyncio.sleep(_LOOK_SECONDS)

    async def _again(self, reader: Reader, key: GenerationKey, handle: Handle | None) -> Events | None:
        """Returns the answer's events from the first; None if it broke off, or never began."""
        if handle is not None:
            return handle.again()
        loop = asyncio.get_running_loop()
        until = loop.time() + _BEGIN_SECONDS
        while True:
            try:
                return await self._answers.again(key)
            except AichatError as error:
                if error.reason is not Reason.GENERATION_NOT_FOUND:
                    self._leave(reader, key, Left.VANISHED)
                    raise
            if loop.time() >= until:
                return None
            await asyncio.sleep(_LOOK_SECONDS)

    async def _launch(self, reader: Reader, request: GenerationRequest) -> Events:
        try:
            events = await self._launcher.launch(request)
        except asyncio.CancelledError:
            # It begins all the same.
            self._leave(reader, request.key, Left.VANISHED)
            raise
        except BaseException:
            self._go(reader)
            raise
        # While the answer is written; from its end on nobody finds it.
        return self._read(reader, _Found(request.key, events, self._generations.find(request.key), until=0.0))

    def _read(self, reader: Reader, found: _Found) -> Events:
        return Reading(found.events, lambda how: self._leave(reader, found.key, how, found.handle, found.until))

    def _leave_unread(self, reader: Reader, finding: asyncio.Task[_Found | None]) -> None:
        found = finding.result() if not finding.cancelled() and finding.exception() is None else None
        if found is not None:
            self._leave(reader, found.key, Left.VANISHED, found.handle)
        else:
            self._go(reader)

    def _leave(
        self, reader: Reader, key: GenerationKey, how: Left | None, handle: Handle | None = None, until: float = 0.0
    ) -> None:
        """`until`: until when the answer that it repeats would have waited."""
        rest = until - asyncio.get_running_loop().time()
        waits = how_it_waits(reader, how, self._patience.seconds, rest) if how is not None else None
        if waits is None:
            self._go(reader)
        elif reader.slot is not None:
            self._waiting.leave(Departure(reader.slot, reader, waits.how, key.generation_id, waits.seconds, handle))
        elif how is Left.VANISHED:
            self._abandon(reader, key)

    def _go(self, reader: Reader) -> None:
        if reader.slot is not None:
            self._waiting.go(reader.slot, reader)

    def _abandon(self, reader: Reader, key: GenerationKey) -> None:
        """Cancels an answer that nobody reads any more."""
        if self._patience.cancels and not reader.answer_stays:
            self._generations.spawn(self._cancel(reader, key))

    async def _cancel(self, reader: Reader, key: GenerationKey) -> None:
        if not self._generations.cancel(key):
            try:
                state = await self._answers.cancel(reader.principal, key.generation_id)
            except AichatError:
                return
            if state is not GenerationState.CANCELLED:
                return
        _log.info("answer cancelled that nobody reads", generation_id=str(key.generation_id))
        self._observer.answer_abandoned()
