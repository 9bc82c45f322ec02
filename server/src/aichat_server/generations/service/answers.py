"""Answers that have begun: read from any point and cancelled on any replica. Nothing here begins one."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from uuid import UUID

import structlog
from structlog.contextvars import bind_contextvars

from aichat_server.content.parts import Part
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.redis.client import RedisUnavailableError
from aichat_server.generations.domain.generation import GenerationKey, GenerationState, Known
from aichat_server.generations.domain.shown import content_of, shown
from aichat_server.generations.domain.sinks import Sink, Sinks
from aichat_server.generations.domain.stream import BEGINNING, Completed, Started
from aichat_server.generations.gateway.cancels import Cancels
from aichat_server.generations.gateway.journal import JournalStreams
from aichat_server.generations.gateway.spare_leases import SpareLeases
from aichat_server.generations.service.failures import in_progress, stored_failure
from aichat_server.generations.service.generations import Generations
from aichat_server.generations.service.journal import Events, Journal, JournalLostError
from aichat_server.generations.service.journal_copies import read_copy
from aichat_server.generations.service.mirrors import Mirrors
from aichat_server.generations.storage.generations import GenerationStore
from aichat_server.identity.domain.principals import Principal

_log = structlog.get_logger()

_CANCEL_SECONDS = 10.0
_SHOWN_SECONDS = 3.0
_FIRST_LOOK_SECONDS = 0.02
_LONGEST_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Replicas:
    """How this process reaches answers on other replicas."""

    mirrors: Mirrors
    cancels: Cancels
    streams: JournalStreams
    spare: SpareLeases


class Answers:
    """Reads and cancels answers."""

    def __init__(
        self, store: GenerationStore, sinks: Sinks, generations: Generations, replicas: Replicas | None
    ) -> None:
        """`replicas`: None if there is no Redis."""
        self._store = store
        self._sinks = sinks
        self._generations = generations
        self._replicas = replicas

    async def resume(self, principal: Principal, generation_id: UUID, after: int) -> Events:
        """Returns the answer's events after number `after`.

        Raises GENERATION_NOT_FOUND, and REQUEST_INVALID if there has been no event of this number.
        """
        bind_contextvars(generation_id=str(generation_id))
        key = GenerationKey(principal.org_id, generation_id)
        running = self._generations.find(key)
        if running is not None:
            running.journal.check_reached(after)
            return running.journal.read(after)
        return self.read(key, await self._find(key), after)

    def read(self, key: GenerationKey, known: Known, after: int = 0) -> Events:
        """Returns the answer's events after number `after`, from wherever they are."""
        running = self._generations.find(key)
        return running.journal.read(after) if running is not None else self._from_elsewhere(key, known, after)

    async def again(self, key: GenerationKey) -> Events | None:
        """Returns the answer's events from the first; None if it broke off. Raises GENERATION_NOT_FOUND."""
        running = self._generations.find(key)
        if running is not None:
            return running.again()
        known = await self._find(key)
        return self.read(key, known) if known.state in (GenerationState.RUNNING, GenerationState.COMPLETE) else None

    async def cancel(self, principal: Principal, generation_id: UUID) -> GenerationState:
        """Stops the answer and returns how it ended. It may have ended in another way before.

        Raises GENERATION_NOT_FOUND, and GENERATION_IN_PROGRESS if the replica that writes it cannot be reached.
        """
        bind_contextvars(generation_id=str(generation_id))
        key = GenerationKey(principal.org_id, generation_id)
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + _CANCEL_SECONDS, _FIRST_LOOK_SECONDS
        while True:
            known = await self._find(key)
            if known.state is not GenerationState.RUNNING:
                return known.state
            if loop.time() >= deadline:
                raise in_progress(generation_id)
            if not self._generations.cancel(key):
                await self._ask_replicas(key)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_LOOK_SECONDS)

    async def so_far(self, key: GenerationKey) -> tuple[Part, ...]:
        """Returns what has been written of an answer so far; nothing if that cannot be found out soon."""
        try:
            running = self._generations.find(key)
            if running is not None:
                return content_of(running.journal.since(BEGINNING).events).parts()
            known = await self._store.find(key)
            if known is not None and known.parts is not None:
                return known.parts
            async with asyncio.timeout(_SHOWN_SECONDS):
                portions = await read_copy(self._replicas.streams if self._replicas else None, key)
        except (AichatError, RedisUnavailableError, TimeoutError) as error:
            # The question matters more than the answer it may refer to.
            _log.warning(
                "an unfinished answer is not shown to the model",
                generation_id=str(key.generation_id),
                cause=repr(error),
            )
            return ()
        return content_of(event for portion in portions for event in portion.events).parts()

    async def _ask_replicas(self, key: GenerationKey) -> None:
        if self._replicas is None:
            raise in_progress(key.generation_id)
        try:
            await self._replicas.cancels.ask(key)
        except RedisUnavailableError as error:
            raise in_progress(key.generation_id) from error

    async def _find(self, key: GenerationKey) -> Known:
        known = await self._store.find(key)
        if known is None:
            metadata = {"generation_id": str(key.generation_id)}
            text = "no such generation in this organisation"
            raise AichatError(Reason.GENERATION_NOT_FOUND, text, metadata=metadata)
        return known

    async def _from_elsewhere(self, key: GenerationKey, known: Known, after: int) -> Events:
        reached = after
        if self._replicas is not None:
            ended = known.state is not GenerationState.RUNNING
            try:
                async with self._replicas.mirrors.open(key, ended=ended) as journal:
                    if ended:
                        # Its process may have died with the last events. A reader who got the others could never
                        # resume the answer.
                        await journal.whole()
                    async with aclosing(journal.read(after)) as events:
                        async for event in events:
                            reached = event[0]
                            yield event
                    return
            except JournalLostError:
                known = await self._find(key)
        async with aclosing(self._stored(known, reached)) as events:
            async for event in events:
                yield event

    def _stored(self, known: Known, after: int) -> Events:
        """Returns the stored answer, from its beginning. Raises why it cannot be read."""
        if known.state is GenerationState.RUNNING:
            raise in_progress(known.generation_id)
        sink = self._sinks.by_name(known.sink)
        if after and known.answer is not None:
            raise sink.not_resumable(known)
        return _replay(known, sink).read(after)


def _replay(known: Known, sink: Sink) -> Journal:
    """Returns a journal made from the stored answer."""
    # It is complete at once, so nobody waits for a heartbeat.
    journal = Journal(heartbeat_seconds=1.0)
    answer, about = known.answer, (known.model, known.provider, known.requested_model)
    journal.append(Started(known.generation_id, *about, known.place, known.left_out))
    for event in shown(answer.parts if answer is not None else ()):
        journal.append(event)
    if known.state is GenerationState.COMPLETE and answer is not None:
        journal.append(Completed(answer, known.place))
        journal.close()
    else:
        failure = stored_failure(known, sink.error_metadata(known.place))
        journal.close(failure or sink.not_kept(known.place))
    return journal
