"""Generations as stored. Each is begun by one round trip and ended by one, and both are one transaction each.

What is called is a function of the database (server/migrations/functions), which sets the tenant itself.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from aichat_server.content.stored import encode_json
from aichat_server.core.database.database import Database
from aichat_server.core.errors import AichatError
from aichat_server.generations.domain.generation import Beginning, Begun, Ending, GenerationKey, Known, Orphan
from aichat_server.generations.domain.stored import (
    HoldTerms,
    abandoned_value,
    beginning_value,
    decode_known,
    ending_value,
    key_value,
    quota_refusal,
)

_BEGIN = "SELECT known, unchecked FROM aichat.begin_generation($1)"
_END = "SELECT aichat.end_generation($1)"
_ABANDON = "SELECT aichat.abandon_generation($1)"
_FIND = "SELECT aichat.find_generation($1)"
_ORPHAN = "SELECT aichat.find_orphan($1)"
_FORGET = "SELECT aichat.forget_orphan($1)"
_RENEW = "SELECT aichat.renew_leases($1, $2, $3, $4)"


class _OrphanValue(msgspec.Struct):
    member_id: UUID
    sink: str
    model: str
    provider: str
    started_at: datetime
    options: dict[str, object]


class GenerationStore:
    """Begins and ends generations outside of conversations, and knows, and keeps leased, those of every sink."""

    def __init__(self, database: Database, terms: HoldTerms) -> None:
        self._pool = database.pool
        self._renewals = database.renewals
        self._terms = terms

    async def begin(self, beginning: Beginning, sink: str) -> Begun:
        """Claims the request id, checks the quotas, and begins the generation, whose answer goes to `sink`.

        Of several calls with one claim one begins, and the others get what it has begun as `known`. If the reply is
        lost, a second attempt returns what the first has begun.

        Raises QUOTA_EXCEEDED, FREE_PLAN_EXHAUSTED and QUOTA_CHECK_FAILED, which leave nothing behind, and
        STORAGE_UNAVAILABLE, which leaves open whether the generation has begun: `abandon` it.
        """
        value = beginning_value(beginning, sink) | self._terms.value()
        try:
            known, unchecked = await self._pool.fetchrow_again(_BEGIN, encode_json(value))
        except asyncpg.PostgresError as error:
            refusal = quota_refusal(error.sqlstate, error.detail)
            if refusal is None:
                raise
            raise refusal from error
        return Begun({}, decode_known(known), unchecked)

    async def end(self, ending: Ending, *, orphan: bool = False, keep: bool = False) -> Known | None:
        """Settles the generation, books its usage, and returns it.

        A generation that has ended is not changed. One that failed without an answer gives its request id back.

        `orphan`: it ends only if its lease has expired. None if it has not. `keep`: whether the answer is kept for
        retries. Raises STORAGE_UNAVAILABLE.
        """
        kept = {"parts": ending.parts} if keep else {}
        (known,) = await self._pool.fetchrow_again(_END, encode_json(ending_value(ending, orphan=orphan) | kept))
        return decode_known(known)

    async def abandon(self, beginning: Beginning, sink: str, failure: AichatError) -> None:
        """Ends a generation with `failure` that may have begun, or may begin later. Only the record of that is left,
        and its request id may be used again. A generation that has ended is not changed. Raises STORAGE_UNAVAILABLE.
        """
        await self._pool.fetchrow_again(_ABANDON, encode_json(abandoned_value(beginning, sink, failure)))

    async def find(self, key: GenerationKey) -> Known | None:
        """Returns a generation of any sink; None if there is none of this id. Raises STORAGE_UNAVAILABLE."""
        (known,) = await self._pool.fetchrow_again(_FIND, encode_json(key_value(key)))
        return decode_known(known)

    async def renew(self, keys: Collection[GenerationKey]) -> None:
        """Renews the leases and the holds of generations of any sink. Those that have ended have none.

        Raises STORAGE_UNAVAILABLE.
        """
        org_ids, generation_ids = [key.org_id for key in keys], [key.generation_id for key in keys]
        terms = (self._terms.lease_seconds, self._terms.hold_seconds)
        await self._renewals.fetchrow(_RENEW, org_ids, generation_ids, *terms)

    async def orphan(self, key: GenerationKey) -> Orphan | None:
        """Returns a running generation of any sink as it began; None if it does not run. Raises STORAGE_UNAVAILABLE."""
        (stored,) = await self._pool.fetchrow_again(_ORPHAN, encode_json(key_value(key)))
        if not stored:
            return None
        row = msgspec.json.decode(stored, type=_OrphanValue)
        return Orphan(key, row.member_id, row.sink, row.model, row.provider, row.started_at, row.options)

    async def forget(self, key: GenerationKey) -> None:
        """Takes a generation that has ended off the list of lost ones. Raises STORAGE_UNAVAILABLE."""
        await self._pool.fetchrow_again(_FORGET, encode_json(key_value(key)))
