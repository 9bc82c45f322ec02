"""Copies the journals of this process to where other replicas read them, all in one round trip an interval.

What it copies to may be slow, away or emptied at any time: answers are written and stored without it, and what is
missing there is copied again from the journals once it can be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import NoReturn

import structlog

from aichat_server.core.redis.client import RedisUnavailableError
from aichat_server.generations.domain.generation import GenerationKey
from aichat_server.generations.domain.stream import BEGINNING, Position
from aichat_server.generations.gateway.journal import Append, JournalStreams
from aichat_server.generations.service.journal import Journal

_log = structlog.get_logger()

_INTERVAL_SECONDS = 0.05
_PAUSE_SECONDS = 1.0
# So often even a quiet stream is looked after: that it is still there, and that it does not expire.
_REVIEW_SECONDS = 5.0
# If the copy fails, the journal of an ended answer is kept for this time and copied again.
_GIVE_UP_SECONDS = 30.0
# Enough for one connection that does not answer, and for another one.
_LAST_FLUSH_SECONDS = 2.0


@dataclass(eq=False, slots=True)
class _Copy:
    key: GenerationKey
    journal: Journal
    position: Position = field(default=BEGINNING)
    """How far the copy is known to have got."""
    give_up_at: float | None = None


class JournalPublisher:
    """Keeps the copies up to date while `run` runs."""

    def __init__(self, streams: JournalStreams) -> None:
        self._streams = streams
        self._copies: set[_Copy] = set()
        self._changed: set[_Copy] = set()
        self._news = asyncio.Event()
        self._failing = False

    def publish(self, key: GenerationKey, journal: Journal) -> None:
        """Copies the journal, from its beginning to its end."""
        copy = _Copy(key, journal)
        self._copies.add(copy)
        journal.when_changed(partial(self._note, copy))

    async def run(self) -> NoReturn:
        """Copies what has changed, once an interval."""
        loop = asyncio.get_running_loop()
        review_at = loop.time() + _REVIEW_SECONDS
        # What was left when an earlier run ended.
        self._news.set()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(review_at):
                    await self._news.wait()
            await asyncio.sleep(_INTERVAL_SECONDS)
            if loop.time() >= review_at:
                review_at = loop.time() + _REVIEW_SECONDS
                self._changed |= self._copies
            if not await self._flush():
                await asyncio.sleep(_PAUSE_SECONDS)

    async def finish(self) -> None:
        """Copies the rest of the journals, if Redis answers quickly."""
        try:
            async with asyncio.timeout(_LAST_FLUSH_SECONDS):
                while self._changed and await self._flush():
                    pass
        except TimeoutError:
            _log.warning("the last events of answers are not copied to Redis", answers=len(self._changed))
        except Exception:  # noqa: BLE001 — whatever it is, the process must end in order
            _log.exception("the last events of answers are not copied to Redis")

    def _note(self, copy: _Copy) -> None:
        self._changed.add(copy)
        self._news.set()

    async def _flush(self) -> bool:
        """One round trip; False if it failed."""
        self._news.clear()
        batch = dict(self._prepared())
        if not batch:
            return True
        try:
            held = await self._streams.append(list(batch.values()))
        except RedisUnavailableError as error:
            self._tell(error)
            self._give_up(batch)
        else:
            self._tell(None)
            for (copy, sent), position in zip(batch.items(), held, strict=True):
                self._settle(copy, sent, position)
        if self._changed:
            self._news.set()
        return not self._failing

    def _prepared(self) -> Iterator[tuple[_Copy, Append]]:
        """What there is to send. One that cannot be sent is given up, and holds up no other."""
        for copy in list(self._changed):
            try:
                append = Append(copy.key, copy.position, copy.journal.since(copy.position))
            except Exception:  # noqa: BLE001 — whatever is in one journal, the others are copied
                _log.exception("events of an answer cannot be copied", generation_id=str(copy.key.generation_id))
                self._forget(copy)
            else:
                yield copy, append

    def _settle(self, copy: _Copy, sent: Append, position: Position) -> None:
        copy.position = position
        if position.ended:
            # Written to its end: by us or, if this process was considered lost, by the job that ended the answer.
            self._forget(copy)
        elif position == sent.after != sent.portion.position:
            # Redis does not take it, which it is asked again at the next review.
            _log.warning("events of an answer are not taken by Redis", generation_id=str(copy.key.generation_id))
            self._changed.discard(copy)
            self._give_up([copy])
        elif position == copy.journal.position:
            self._changed.discard(copy)

    def _give_up(self, batch: Iterable[_Copy]) -> None:
        now = asyncio.get_running_loop().time()
        for copy in batch:
            if copy.give_up_at is None and copy.journal.position.ended:
                copy.give_up_at = now + _GIVE_UP_SECONDS
            if copy.give_up_at is not None and now >= copy.give_up_at:
                self._forget(copy)

    def _forget(self, copy: _Copy) -> None:
        self._copies.discard(copy)
        self._changed.discard(copy)

    def _tell(self, error: RedisUnavailableError | None) -> None:
        if error is not None and not self._failing:
            _log.warning("events of answers are not copied to Redis", cause=str(error))
        elif error is None and self._failing:
            _log.info("events of answers are copied to Redis again")
        self._failing = error is not None
