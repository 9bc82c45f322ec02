"""Builds the stores of generations and turns, for servers and for jobs."""

from __future__ import annotations

from typing import NamedTuple

from aichat_server.conversations.service.message_sink import MessageSink
from aichat_server.conversations.storage.turns import TurnStore
from aichat_server.core.database.database import Database
from aichat_server.generations.domain.sinks import Sinks
from aichat_server.generations.domain.stored import HoldTerms
from aichat_server.generations.gateway.journal import JournalStreams
from aichat_server.generations.gateway.spare_leases import SpareLeases
from aichat_server.generations.service.keep_for_retries import KeepForRetries
from aichat_server.generations.service.keep_nothing import KeepNothing
from aichat_server.generations.service.orphans import Orphans
from aichat_server.generations.storage.generations import GenerationStore
from aichat_server.settings import Settings


class Stores(NamedTuple):
    """The stores of generations and turns, and every sink of answers."""

    generations: GenerationStore
    turns: TurnStore
    sinks: Sinks


def hold_terms(settings: Settings) -> HoldTerms:
    """Returns how generations are leased and held."""
    return HoldTerms(settings.lease_seconds, settings.hold_seconds, settings.quota_fail_closed)


def build_stores(database: Database, terms: HoldTerms) -> Stores:
    """Returns the stores of a server or of the jobs: the job that ends lost answers must know every sink."""
    generations, turns = GenerationStore(database, terms), TurnStore(database, terms)
    return Stores(generations, turns, Sinks(MessageSink(turns), KeepNothing(generations), KeepForRetries(generations)))


def build_orphans(
    database: Database, streams: JournalStreams | None, spare: SpareLeases | None, *, rescue_seconds: float
) -> Orphans:
    """Returns what ends lost answers."""
    # It begins nothing, and so holds nothing.
    stores = build_stores(database, HoldTerms())
    return Orphans(database, stores.generations, stores.sinks, streams, spare, rescue_seconds=rescue_seconds)
