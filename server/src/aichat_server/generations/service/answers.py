"""Answers that have begun: read from any point and cancelled on any replica. Nothing here begins one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from uuid import UUID

import structlog
from structlog.contextvars import bind_contextvars

from aichat_server.content.parts import Part, TextPart, text_of
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.redis.client import RedisUnavailableError
from aichat_server.generations.domain.generation import GenerationKey, GenerationState
from aichat_server.generations.domain.stream import BEGINNING, Completed, Started, StreamEvent
from aichat_server.generations.gateway.cancels import Cancels
from aichat_server.generations.gateway.journal import JournalStreams
from aichat_server.generations.gateway.spare_leases import SpareLeases
from aichat_server.generations.service.failures import stored_failure
from aichat_server.generations.service.generations import Generations
from aichat_server.generations.service.journal import Events, Journal, JournalLostError
from aichat_server.generations.service.journal_copies import read_copy
from aichat_server.generations.service.mirrors import Mirrors
from aichat_server.generations.storage.turns import EarlierTurn, TurnStore
from aichat_server.identity.domain.principals import Principal
from aichat_server.providers.domain.events import TextDelta
from aichat_server.providers.domain.requests import PathMessage

_log = structlog.get_logger()

_CANCEL_SECONDS = 10.0
_SHOWN_SECONDS = 3.0
_FIRST_LOOK_SECONDS = 0.02
_LONGEST_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Replicas:
    """What answers on other replicas are reached by."""

    mirrors: Mirrors
    cancels: Cancels
    streams: JournalStreams
    spare: SpareLeases


class Answers:
    """Reads and cancels answers."""

    def __init__(self, turns: TurnStore, generations: Generations, replicas: Replicas | None) -> None:
        """`replicas`: None where they cannot be reached."""
        self._turns = turns
        self._generations = generations
        self._replicas = replicas

    async def resume(self, principal: Principal, generation_id: UUID, after: int) -> Events:
        """The answer's events behind number `after`.

        GENERATION_NOT_FOUND if there is no such generation, REQUEST_INVALID if it has had no event of this number.
        """
        bind_contextvars(generation_id=str(generation_id))
        key = GenerationKey(principal.org_id, generation_id)
        running = self._generations.find(key)
        if running is not None:
            running.journal.check_reached(after)
            return running.journal.read(after)
        return self.read(key, await self._find(key), after)

    def read(self, key: GenerationKey, turn: EarlierTurn, after: int = 0) -> Events:
        """The answer's events behind number `after`, from wherever they are."""
        running = self._generations.find(key)
        return running.journal.read(after) if running is not None else self._from_elsewhere(key, turn, after)

    async def cancel(self, principal: Principal, generation_id: UUID) -> GenerationState:
        """Stops the answer and returns how it ended, which may be otherwise. The database tells when it has.

        GENERATION_NOT_FOUND; GENERATION_IN_PROGRESS if the replica that writes it cannot be reached.
        """
        bind_contextvars(generation_id=str(generation_id))
        key = GenerationKey(principal.org_id, generation_id)
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + _CANCEL_SECONDS, _FIRST_LOOK_SECONDS
        while True:
            turn = await self._find(key)
            if turn.state is not GenerationState.RUNNING:
                return turn.state
            if loop.time() >= deadline:
                raise _in_progress(generation_id)
            if not self._generations.cancel(key):
                await self._ask_replicas(key)
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_LOOK_SECONDS)

    async def shown(self, org_id: UUID, path: Sequence[PathMessage]) -> tuple[PathMessage, ...]:
        """`path`, with what can be seen by now of answers in it that are still being written."""

        async def show(message: PathMessage) -> PathMessage:
            if message.generation_id is None:
                return message
            return PathMessage(message.role, await self._so_far(GenerationKey(org_id, message.generation_id)))

        # At once, so that what cannot be reached is waited for once.
        return tuple(await asyncio.gather(*map(show, path)))

    async def _so_far(self, key: GenerationKey) -> tuple[Part, ...]:
        try:
            running = self._generations.find(key)
            if running is not None:
                return _text(running.journal.since(BEGINNING).events)
            turn = await self._turns.find(key)
            if turn is not None and turn.message is not None:
                return turn.message.parts
            async with asyncio.timeout(_SHOWN_SECONDS):
                portions = await read_copy(self._replicas.streams if self._replicas else None, key)
        except (AichatError, RedisUnavailableError, TimeoutError) as error:
            # The question is worth more than what it may refer to.
            _log.warning("an answer is followed unseen", generation_id=str(key.generation_id), cause=repr(error))
            return ()
        return _text(event for portion in portions for event in portion.events)

    async def _ask_replicas(self, key: GenerationKey) -> None:
        if self._replicas is None:
            raise _in_progress(key.generation_id)
        try:
            await self._replicas.cancels.ask(key)
        except RedisUnavailableError as error:
            raise _in_progress(key.generation_id) from error

    async def _find(self, key: GenerationKey) -> EarlierTurn:
        turn = await self._turns.find(key)
        if turn is None:
            metadata = {"generation_id": str(key.generation_id)}
            text = "no such generation in this organisation"
            raise AichatError(Reason.GENERATION_NOT_FOUND, text, metadata=metadata)
        return turn

    async def _from_elsewhere(self, key: GenerationKey, turn: EarlierTurn, after: int) -> Events:
        reached = after
        if self._replicas is not None:
            ended = turn.state is not GenerationState.RUNNING
            try:
                async with self._replicas.mirrors.open(key, ended=ended) as journal:
                    if ended:
                        # Its process may have died with the last events. A reader who got the others would have to
                        # be told that the answer cannot be gone on with, again each time that it is asked for.
                        await journal.whole()
                    async with aclosing(journal.read(after)) as events:
                        async for event in events:
                            reached = event[0]
                            yield event
                    return
            except JournalLostError:
                turn = await self._find(key)
        async with aclosing(_stored(turn, reached)) as events:
            async for event in events:
                yield event


def _text(events: Iterable[StreamEvent]) -> tuple[Part, ...]:
    return (TextPart("".join(event.text for event in events if isinstance(event, TextDelta))),)


def _stored(turn: EarlierTurn, after: int) -> Events:
    """What can be told of an answer whose events cannot be had: all of it from the beginning, or why there is none."""
    if turn.state is GenerationState.RUNNING:
        raise _in_progress(turn.generation_id)
    if after and turn.message is not None:
        ids = {"generation_id": turn.generation_id, "conversation_id": turn.conversation_id}
        metadata = {name: str(value) for name, value in (ids | {"message_id": turn.message_id}).items()}
        text = "the answer has ended and its events are not kept any more; read the message, which is stored"
        raise AichatError(Reason.GENERATION_NOT_RESUMABLE, text, metadata=metadata)
    return _replay(turn).read(after)


def _replay(turn: EarlierTurn) -> Journal:
    """The journal of an answer that has ended, from what is stored of it."""
    # All of it is there from the beginning, so that nobody waits for a heartbeat.
    journal = Journal(heartbeat_seconds=1.0)
    ids = (turn.generation_id, turn.conversation_id, turn.user_message_id, turn.message_id)
    journal.append(Started(*ids, turn.model, turn.provider, turn.requested_model))
    if turn.message is not None and turn.message.parts:
        journal.append(TextDelta(text_of(turn.message.parts)))
    if turn.state is GenerationState.COMPLETE and turn.message is not None:
        journal.append(Completed(turn.message))
        journal.close()
    elif (failure := stored_failure(turn)) is not None:
        journal.close(failure)
    else:
        metadata = {"conversation_id": str(turn.conversation_id)}
        journal.close(AichatError(Reason.CONVERSATION_NOT_FOUND, "the conversation was deleted", metadata=metadata))
    return journal


def _in_progress(generation_id: UUID) -> AichatError:
    metadata = {"generation_id": str(generation_id)}
    text = "another replica is still writing this answer and cannot be reached; send the same call again shortly"
    return AichatError(Reason.GENERATION_IN_PROGRESS, text, metadata=metadata, retry_after=1.0)
