"""Launches generations for their clients: lets the caller in, begins the generation, and starts to write its answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from uuid import UUID

import structlog
from structlog.contextvars import bind_contextvars

from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.domain.generation import Beginning, Begun, Known
from aichat_server.generations.domain.observing import GenerationObserver
from aichat_server.generations.service import failures
from aichat_server.generations.service.answers import Answers
from aichat_server.generations.service.generation import Generation, GenerationPlan
from aichat_server.generations.service.generations import Generations
from aichat_server.generations.service.handle import Handle
from aichat_server.generations.service.journal import HEARTBEAT, Events
from aichat_server.generations.service.requests import GenerationRequest
from aichat_server.limits.service import Admission, RateLimits
from aichat_server.providers.domain.requests import Prompt
from aichat_server.providers.service.upstream import PreparedRequest, Upstream

_log = structlog.get_logger()

_Launch = asyncio.Task[tuple[UUID, Events]]
"""Returns which generation answers, and its events."""


class Launcher:
    """Launches generations."""

    def __init__(
        self,
        upstream: Upstream,
        limits: RateLimits,
        generations: Generations,
        answers: Answers,
        observer: GenerationObserver,
        *,
        merges: bool,
    ) -> None:
        """`merges`: whether deltas that come together become one."""
        self._upstream = upstream
        self._limits = limits
        self._generations = generations
        self._answers = answers
        self._observer = observer
        self._merges = merges

    async def launch(self, request: GenerationRequest) -> Events:
        """Begins the generation; returns the events of its answer.

        What can be refused is refused before anything is stored. A request id that is known gets the answer that it
        began then, whether that is still being written or has ended. Raises REQUEST_ID_REUSED, RATE_LIMITED, and what
        the question's `begin` raises.
        """
        # A caller that goes away now must not leave a generation that has begun and is never written.
        launch = self._generations.spawn(self._launch(request, request.beginning()))
        # If the caller has gone away, nobody asks for the failure.
        launch.add_done_callback(lambda task: task.cancelled() or task.exception())
        with self._cancelled_if_left(request):
            if await self._is_over(launch):
                return _events(launch)
        return self._late_events(launch, request)

    async def _late_events(self, launch: _Launch, request: GenerationRequest) -> Events:
        """Yields heartbeats until the generation has begun, and then its events."""
        with self._cancelled_if_left(request):
            yield 0, HEARTBEAT
            while not await self._is_over(launch):
                yield 0, HEARTBEAT
        async with aclosing(_events(launch)) as events:
            async for event in events:
                yield event

    async def _is_over(self, launch: _Launch) -> bool:
        """Whether it is, after waiting for as long as a stream may be silent."""
        done, _ = await asyncio.wait({launch}, timeout=self._generations.heartbeat_seconds)
        return bool(done)

    @contextmanager
    def _cancelled_if_left(self, request: GenerationRequest) -> Iterator[None]:
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):
            if request.cancel_on_disconnect:
                self._generations.cancel(request.key)
            raise

    async def _launch(self, request: GenerationRequest, beginning: Beginning) -> tuple[UUID, Events]:
        admission = await self._limits.admit_turn(request.principal, request.stream, request.most_tokens())
        handle = self._generations.open(request.key)
        api = request.sent.api if request.sent is not None else None
        prepared = self._upstream.prepare(request.candidates[0], api)
        begun: Begun | None = None
        try:
            # Redis may still be asked, and a connection to the vendor be made, while the database is.
            begun = await request.question.begin(beginning)
            await admission.confirmed()
            if begun.known is None:
                generation = await self._generation(handle, request, begun, admission, prepared)
                return request.generation_id, self._generations.start(generation).read()
        except BaseException as error:
            _let_go(admission, prepared)
            has_begun = begun is not None and begun.known is None
            self._give_up(request, beginning, error, refused=not has_begun and _is_refusal(error))
            raise
        _let_go(admission, prepared)
        self._generations.discard(request.key)
        return self._reattach(request, begun.known)

    async def _generation(
        self,
        handle: Handle,
        request: GenerationRequest,
        begun: Begun,
        admission: Admission,
        prepared: PreparedRequest | None,
    ) -> Generation:
        # What is logged of the generation carries it.
        bind_contextvars(generation_id=str(request.generation_id))
        if begun.quota_failure is not None:
            self._observer.quota_unchecked()
            _log.error("quota unchecked", cause=begun.quota_failure)
        prompt = await self._prompt(handle, request)
        upstream = self._upstream.answer(request.candidates, prompt, request.options, prepared)
        plan = GenerationPlan(request, begun.place, upstream, admission)
        return Generation(handle, plan, self._observer, merges=self._merges)

    async def _prompt(self, handle: Handle, request: GenerationRequest) -> Prompt:
        """Returns what the model is shown; nothing if the answer breaks off meanwhile, before the model is asked."""
        try:
            with handle.reading():
                return await request.question.prompt()
        except asyncio.CancelledError:
            if handle.broken_off is None:
                raise
            # As in Generation: later timeouts must not be taken for it.
            if (task := asyncio.current_task()) is not None:
                task.uncancel()
            return Prompt(())

    def _give_up(
        self, request: GenerationRequest, beginning: Beginning, error: BaseException, *, refused: bool
    ) -> None:
        """A refused generation has left nothing behind; any other may have begun all the same, or may begin later."""
        failure = error if isinstance(error, AichatError) else failures.failed(words=False)
        if refused:
            self._generations.discard(request.key, failure)
        else:
            self._generations.abandon(request.question.sink, beginning, failure)

    def _reattach(self, request: GenerationRequest, known: Known) -> tuple[UUID, Events]:
        # One with our own id is what an attempt began whose reply was lost.
        is_others, claim = known.generation_id != request.generation_id, request.claim
        if is_others and claim is not None and known.fingerprint != claim.fingerprint:
            raise failures.reused(claim.request_id)
        key = request.key._replace(generation_id=known.generation_id)
        return known.generation_id, self._answers.read(key, known)


def _let_go(admission: Admission, prepared: PreparedRequest | None) -> None:
    """Gives back what a generation takes that is not written."""
    admission.end(tokens=0)
    if prepared is not None:
        prepared.close()


def _events(launch: _Launch) -> Events:
    generation_id, events = launch.result()
    bind_contextvars(generation_id=str(generation_id))
    return events


def _is_refusal(error: BaseException) -> bool:
    return isinstance(error, AichatError) and error.reason is not Reason.STORAGE_UNAVAILABLE
