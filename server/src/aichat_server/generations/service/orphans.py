"""Orphans: generations whose process is lost. Each ends with the part of its answer that its journal holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

import structlog

from aichat_server.content.parts import Part
from aichat_server.core.database.database import Database
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.redis.client import RedisUnavailableError
from aichat_server.generations.domain.generation import (
    Ending,
    GenerationKey,
    GenerationState,
    Orphan,
    OrphanedKey,
    kept_parts,
)
from aichat_server.generations.domain.options import percent_of
from aichat_server.generations.domain.shown import content_of
from aichat_server.generations.domain.sinks import Sinks
from aichat_server.generations.domain.stream import (
    BEGINNING,
    Completed,
    Heartbeat,
    Portion,
    Position,
    Started,
    StreamEvent,
    ToolCallWhole,
    UsageSoFar,
)
from aichat_server.generations.gateway.journal import Append, JournalStreams
from aichat_server.generations.gateway.spare_leases import SpareLeases
from aichat_server.generations.service.failures import lost, stored_failure
from aichat_server.generations.service.journal_copies import read_copy
from aichat_server.generations.service.meter import Meter
from aichat_server.generations.storage.generations import GenerationStore
from aichat_server.generations.storage.orphans import list_orphans
from aichat_server.models.domain.pricing import Price, cost, price_at
from aichat_server.models.domain.usage import Usage
from aichat_server.models.service import StoredPrices
from aichat_server.providers.domain.events import (
    CitationFound,
    ItemFound,
    PartEnd,
    ReasoningDelta,
    Sent,
    Signed,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
    UsageReport,
)

_log = structlog.get_logger()

_BATCH = 100
# How often a journal is read again if somebody still writes to it.
_ATTEMPTS = 3

Prices = Mapping[tuple[str, str], Sequence[Price]]


@dataclass(frozen=True, slots=True)
class Reaped:
    """What one run did."""

    ended: int = 0
    """Answers that it ended."""
    left: int = 0
    """Answers left for a later run: somebody writes them, their journal cannot be read, or ending them failed."""

    def __str__(self) -> str:
        return f"{self.ended} ended, {self.left} left"


class Orphans:
    """Ends generations whose lease has expired. Several processes may do so at once, and any may be killed."""

    def __init__(
        self,
        database: Database,
        store: GenerationStore,
        sinks: Sinks,
        streams: JournalStreams | None,
        spare: SpareLeases | None,
        *,
        rescue_seconds: float,
    ) -> None:
        """`streams`, `spare`: None if there is no Redis, and so no journal of any answer.

        `rescue_seconds`: how long to wait for a journal that cannot be read now.
        """
        self._database = database
        self._store = store
        self._sinks = sinks
        self._streams = streams
        self._spare = spare
        self._rescue = timedelta(seconds=rescue_seconds)

    async def reap(self, now: datetime) -> Reaped:
        """Ends every generation whose lease had expired at `now`."""
        ended = left = 0
        last: OrphanedKey | None = None
        prices: Prices | None = None
        while True:
            async with self._database.platform_session() as session:
                batch = await list_orphans(session, now, _BATCH, last)
            if not batch:
                return Reaped(ended, left)
            prices = prices if prices is not None else await StoredPrices(self._database).prices()
            for last in batch:
                try:
                    if await self._is_written(last.key):
                        left += 1
                    else:
                        ended += await self._end(last, now, prices)
                except RedisUnavailableError as error:
                    left += 1
                    _log.warning("orphan left", generation_id=str(last.key.generation_id), cause=str(error))
                except Exception:  # noqa: BLE001 — one that cannot be ended must not stop the others
                    left += 1
                    _log.exception("orphan not ended", generation_id=str(last.key.generation_id))

    async def _is_written(self, key: GenerationKey) -> bool:
        """Returns whether its process is alive, and only cut off from the database."""
        with suppress(RedisUnavailableError):
            return self._spare is not None and await self._spare.has(key)
        return False

    async def _end(self, orphaned: OrphanedKey, now: datetime, prices: Prices) -> bool:
        """Returns whether this run ended it. It may have ended before, or its process may be alive after all."""
        try:
            return await self._end_from(self._streams, orphaned.key, prices)
        except RedisUnavailableError:
            if now - orphaned.expired_at < self._rescue:
                raise
            return await self._end_from(None, orphaned.key, prices)

    async def _end_from(self, streams: JournalStreams | None, key: GenerationKey, prices: Prices) -> bool:
        orphan = await self._store.orphan(key)
        if orphan is not None:
            journalled = _Journalled([event for portion in await read_copy(streams, key) for event in portion.events])
            sink = self._sinks.by_name(orphan.sink)
            ending = _ending(orphan, journalled, await sink.asked_tokens(orphan), prices)
            known = await sink.end(ending, orphan=True)
        else:
            known = await self._store.find(key)
        if known is None or known.state is GenerationState.RUNNING:
            return False
        failure = stored_failure(known, self._sinks.by_name(known.sink).error_metadata(known.place))
        if failure is not None and failure.reason is Reason.SERVER_LOST:
            await _end_journal(streams, key, failure)
        # Last: if this run is killed before, another one repeats it.
        await self._store.forget(key)
        return orphan is not None


async def _end_journal(streams: JournalStreams | None, key: GenerationKey, failure: AichatError) -> None:
    """Ends the journal, so that its readers learn it at once."""
    for _ in range(_ATTEMPTS):
        portions = await read_copy(streams, key)
        reached = portions[-1].position if portions else BEGINNING
        if streams is None or reached.ended:
            return
        end = Portion(Position(reached.sequence, ended=True), (), failure)
        [held] = await streams.append([Append(key, reached, end)])
        if held == end.position:
            return


class _Journalled:
    """The part of an answer that its journal holds."""

    def __init__(self, events: Sequence[StreamEvent]) -> None:
        self.started: Started | None = None
        self.content = content_of(events)
        self.meter = Meter()
        self._sent_words = False
        for event in events:
            self._take(event)

    @property
    def has_words(self) -> bool:
        """Whether anything of the answer had arrived."""
        return self._sent_words or self.content.has_words

    def parts(self) -> tuple[Part, ...] | None:
        """Returns what is kept: nothing of what went through as the vendor sent it but that there was something."""
        return () if self._sent_words else kept_parts(GenerationState.INTERRUPTED, self.content)

    def _take(self, event: StreamEvent) -> None:
        match event:
            case Started():
                self.started = event
            case TextDelta() | ReasoningDelta() | ToolCallDelta():
                self.meter.count(event)
            case UsageSoFar(usage):
                self.meter.report(UsageReport(usage, {}))
            case ToolCallStart() | ToolCallWhole() | CitationFound() | ItemFound() | Signed() | PartEnd():
                """Nothing to meter."""
            case Sent():
                self.meter.count_bytes(event.written)
                self._sent_words = self._sent_words or event.written > 0
            case Heartbeat() | Completed():
                """Nothing to meter."""
            case _:
                assert_never(event)


def _ending(orphan: Orphan, journalled: _Journalled, asked_tokens: int, prices: Prices) -> Ending:
    answering = journalled.started or orphan
    model, provider = answering.model, answering.provider
    price = price_at(prices.get((provider, model), ()), orphan.started_at)
    if price is None:
        raise LookupError(f"{provider} {model} had no price at {orphan.started_at}")
    left_out = journalled.started.left_out if journalled.started is not None else None
    read_tokens = max(0, asked_tokens - (left_out.tokens if left_out is not None else 0))
    usage = journalled.meter.usage(lambda: Usage(input=read_tokens, percent=percent_of(orphan.options)))
    failure = lost(words=journalled.has_words)
    return Ending(
        org_id=orphan.key.org_id,
        member_id=orphan.member_id,
        generation_id=orphan.key.generation_id,
        model=model,
        provider=provider,
        state=GenerationState.INTERRUPTED,
        parts=journalled.parts(),
        stop_reason=None,
        usage=usage,
        raw_usage={},
        cost=cost(price.tiers, usage),
        price_version=price.version,
        error_reason=failure.reason,
        error_message=failure.message,
        left_out=left_out,
    )
