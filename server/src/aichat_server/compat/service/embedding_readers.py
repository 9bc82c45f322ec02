"""Gives each call for embeddings its vectors: those of the earlier call that it is a retry of, or new ones.

Every call has a request id of its own. A caller that vanishes leaves it waiting, and the same call of the same caller
takes it over: it gets the vectors as any call does that is sent again.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID, uuid4

import structlog

from aichat_server.compat.domain.readers import Left, Reader, Slot
from aichat_server.compat.service.waiting import Departure, WaitingAnswers
from aichat_server.core.errors import AichatError, Reason
from aichat_server.embeddings.domain.embeddings import AskedEmbeddings, Embedded
from aichat_server.embeddings.service.embeddings import Embeddings
from aichat_server.generations.service.generations import Generations

_log = structlog.get_logger()

# The end of an older caller's connection may still be on its way.
_WAIT_SECONDS = 0.1
_LOOK_SECONDS = 0.02
# Another replica may be asking the vendor, or keeping the vectors.
_MADE_SECONDS = 60.0
_KEPT_SECONDS = 0.5


class EmbeddingReaders:
    """Makes embeddings, and knows who waits for them."""

    def __init__(
        self, embeddings: Embeddings, generations: Generations, waiting: WaitingAnswers, *, window_seconds: float
    ) -> None:
        """`window_seconds`: how long a call waits for its retry."""
        self._window_seconds = window_seconds
        self._kept_seconds = math.ceil(window_seconds) + 1
        self._embeddings = embeddings
        self._generations = generations
        self._waiting = waiting

    @asynccontextmanager
    async def vectors(self, reader: Reader, asked: AskedEmbeddings) -> AsyncGenerator[Embedded, None]:
        """The vectors, to be written to the caller within the block. It raises what `Embeddings.create` does."""
        slot = reader.slot
        if slot is None:
            yield await self._embeddings.create(reader.principal, asked)
            return
        earlier = await self._earlier(slot, reader)
        asked = replace(asked, request_id=earlier or uuid4(), kept_seconds=self._kept_seconds)
        how: Left | None = Left.VANISHED
        try:
            embedded, asked = await self._made(reader, asked, is_retry=earlier is not None)
            yield embedded
            how = Left.WHOLE
        except AichatError as error:
            # A server that stops has not lost the call: another one may serve it.
            how = Left.VANISHED if error.reason is Reason.SERVER_DRAINING else None
            raise
        finally:
            self._leave(slot, reader, how, asked.request_id)

    async def _earlier(self, slot: Slot, reader: Reader) -> UUID | None:
        """Returns the request id of the call that this one is a retry of; None if there is none."""
        finding = self._generations.spawn(self._find(slot, reader))
        try:
            return await asyncio.shield(finding)
        except asyncio.CancelledError:
            # What it takes must wait again.
            finding.add_done_callback(lambda task: self._leave(slot, reader, Left.VANISHED, _result(task)))
            raise

    async def _find(self, slot: Slot, reader: Reader) -> UUID | None:
        loop = asyncio.get_running_loop()
        until = loop.time() + _WAIT_SECONDS
        while True:
            taken, _ = await self._waiting.take(slot, reader)
            if taken.generation_id is not None:
                return taken.generation_id
            if not taken.others or loop.time() >= until:
                return None
            await asyncio.sleep(_LOOK_SECONDS)

    async def _made(
        self, reader: Reader, asked: AskedEmbeddings, *, is_retry: bool
    ) -> tuple[Embedded, AskedEmbeddings]:
        """Returns the vectors, and what was asked for them. Of a retry whose vectors are lost it is another call."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            try:
                return await self._embeddings.create(reader.principal, asked), asked
            except AichatError as error:
                patience = {
                    Reason.GENERATION_IN_PROGRESS: _MADE_SECONDS,
                    Reason.GENERATION_NOT_RESUMABLE: _KEPT_SECONDS,
                }.get(error.reason, 0.0)
                if not is_retry or not patience:
                    raise
                if loop.time() > began + patience:
                    if error.reason is not Reason.GENERATION_NOT_RESUMABLE:
                        raise
                    _log.warning("a retry's vectors are not kept any more, and are made again")
                    asked, is_retry = replace(asked, request_id=uuid4()), False
            await asyncio.sleep(_LOOK_SECONDS)

    def _leave(self, slot: Slot, reader: Reader, how: Left | None, request_id: UUID | None) -> None:
        if request_id is None or how is None or (how is Left.WHOLE and reader.retries is None):
            self._waiting.go(slot, reader)
        else:
            self._waiting.leave(Departure(slot, reader, how, request_id, self._window_seconds, None))


def _result(finding: asyncio.Task[UUID | None]) -> UUID | None:
    return finding.result() if not finding.cancelled() and finding.exception() is None else None
