"""Mirrors: journals of answers that other replicas write. They follow the copies, and are read like our own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import NoReturn

import structlog

from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.redis.client import RedisUnavailableError
from aichat_server.generations.domain.generation import GenerationKey, GenerationState
from aichat_server.generations.domain.stream import BEGINNING, Portion
from aichat_server.generations.gateway.journal import JournalStreams
from aichat_server.generations.service.journal import Journal, JournalLostError
from aichat_server.generations.storage.generations import GenerationStore

_log = structlog.get_logger()

# One command reads all mirrors and waits this long. A new mirror is read by the next command.
_WAIT_SECONDS = 0.1
_PAUSE_SECONDS = 0.5
# A mirror that could not be read once within this time is given up.
_FIRST_READ_SECONDS = 3.0
# The last events of a stored answer may take this long to arrive: after one failure to copy them, the publisher pauses.
_LAST_WORDS_SECONDS = 4.0


class Mirrors:
    """One mirror for each generation that is read here and written elsewhere, however many read it."""

    def __init__(
        self,
        streams: JournalStreams,
        store: GenerationStore,
        *,
        heartbeat_seconds: float,
    ) -> None:
        """After each silence of `heartbeat_seconds` the generation is looked up: its server may be lost."""
        self._streams = streams
        self._store = store
        self._heartbeat_seconds = heartbeat_seconds
        self._mirrors: dict[GenerationKey, _Mirror] = {}
        self._wanted = asyncio.Event()

    @asynccontextmanager
    async def open(self, key: GenerationKey, *, ended: bool) -> AsyncGenerator[Journal, None]:
        """Yields a journal of the generation. It closes with JournalLostError if events are missing.

        `ended`: whether the answer is known to have ended.
        """
        mirror = self._mirrors.get(key)
        if mirror is None:
            mirror = self._mirrors[key] = _Mirror(Journal(self._heartbeat_seconds))
            mirror.watcher = asyncio.create_task(self._watch(key, mirror, ended=ended))
            self._wanted.set()
        mirror.readers += 1
        try:
            yield mirror.journal
        finally:
            mirror.readers -= 1
            if not mirror.readers:
                self._drop(key, mirror)

    async def run(self) -> NoReturn:
        """Reads the copies of all mirrors, by one command at a time."""
        while True:
            self._wanted.clear()
            if not self._mirrors:
                await self._wanted.wait()
            reading = dict(self._mirrors)
            try:
                news = await self._streams.read(
                    {key: mirror.journal.position for key, mirror in reading.items()}, _WAIT_SECONDS
                )
            except RedisUnavailableError as error:
                _log.warning("events of answers are not read from Redis", cause=str(error))
                self._give_up_unread(reading)
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            for key, mirror in reading.items():
                self._feed(key, mirror, news.get(key, []))

    def close(self) -> None:
        """Sends the readers to another replica."""
        for key, mirror in list(self._mirrors.items()):
            text = "the server is shutting down; resume the stream on another replica"
            mirror.journal.close(AichatError(Reason.SERVER_DRAINING, text, retry_after=1.0))
            self._drop(key, mirror)

    def _feed(self, key: GenerationKey, mirror: _Mirror, news: list[Portion]) -> None:
        try:
            mirror.take(news)
        except Exception:  # noqa: BLE001 — a broken journal must not stop the others
            _log.exception("events of an answer cannot be read", generation_id=str(key.generation_id))
            mirror.journal.close(JournalLostError())
        if mirror.journal.position.ended:
            self._drop(key, mirror)

    def _give_up_unread(self, mirrors: dict[GenerationKey, _Mirror]) -> None:
        """Closes the mirrors that have never been read. The others wait until Redis works again."""
        for key, mirror in mirrors.items():
            if not mirror.was_read.is_set():
                mirror.journal.close(JournalLostError())
                self._drop(key, mirror)

    def _drop(self, key: GenerationKey, mirror: _Mirror) -> None:
        if self._mirrors.get(key) is mirror:
            del self._mirrors[key]
        if mirror.watcher is not None:
            mirror.watcher.cancel()

    async def _watch(self, key: GenerationKey, mirror: _Mirror, *, ended: bool) -> None:
        """Closes a mirror when its answer has ended and no more events arrive, or when this task ends."""
        try:
            await self._until_useless(key, mirror, ended=ended)
        except Exception:  # noqa: BLE001 — whatever it is, the readers must go elsewhere
            _log.exception("an answer of another replica is not watched", generation_id=str(key.generation_id))
        finally:
            mirror.journal.close(JournalLostError())
            if self._mirrors.get(key) is mirror:
                del self._mirrors[key]

    async def _until_useless(self, key: GenerationKey, mirror: _Mirror, *, ended: bool) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_FIRST_READ_SECONDS):
                await mirror.was_read.wait()
        if mirror.was_read.is_set():
            while not ended:
                await mirror.silence(self._heartbeat_seconds)
                with suppress(AichatError):
                    known = await self._store.find(key)
                    ended = known is None or known.state is not GenerationState.RUNNING
            if mirror.journal.position != BEGINNING:
                await mirror.silence(_LAST_WORDS_SECONDS)


class _Mirror:
    """A journal, its readers and its watcher."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.readers = 0
        self.was_read = asyncio.Event()
        self.watcher: asyncio.Task[None] | None = None

    def take(self, news: list[Portion]) -> None:
        """Adds new events."""
        for portion in news:
            if self.journal.position.ended:
                return
            have = self.journal.position.sequence
            first = portion.position.sequence - len(portion.events) + 1
            if first > have + 1:
                self.journal.close(JournalLostError())
                return
            # A copy that was lost is written again, from its beginning.
            for event in portion.events[have + 1 - first :]:
                self.journal.append(event)
            if portion.position.ended:
                self.journal.close(_end_of(portion.failure))
        self.was_read.set()

    async def silence(self, seconds: float) -> None:
        """Returns once nothing has arrived for `seconds`."""
        while True:
            before = self.journal.position
            await asyncio.sleep(seconds)
            if self.journal.position == before:
                return


def _end_of(failure: AichatError | None) -> AichatError | JournalLostError | None:
    """Returns how the answer ended. If its server could not store that end, the database knows another one."""
    return JournalLostError() if failure is not None and failure.reason is Reason.STORAGE_UNAVAILABLE else failure
