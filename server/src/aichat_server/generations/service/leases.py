"""Keeps the generations of this process leased, so that they are not taken for lost."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from typing import NoReturn

import structlog

from aichat_server.core.errors import AichatError
from aichat_server.core.redis.client import RedisUnavailableError
from aichat_server.generations.domain.generation import GenerationKey
from aichat_server.generations.gateway.spare_leases import SpareLeases
from aichat_server.generations.service.generations import Generations
from aichat_server.generations.storage.generations import GenerationStore

_log = structlog.get_logger()

RENEWALS_PER_LEASE = 3
"""Two renewals may fail, or come late, before a lease expires."""
RETRY_SECONDS = 1.0
"""A renewal that failed is tried again after this time."""


class Leases:
    """Renews the leases of all generations of this process, regularly."""

    def __init__(
        self,
        store: GenerationStore,
        generations: Generations,
        spare: SpareLeases | None,
        *,
        interval_seconds: float,
        spare_seconds: float,
    ) -> None:
        """`spare`: None if there is no Redis. They replace the leases of the database for `spare_seconds` at most."""
        self._store = store
        self._generations = generations
        self._spare = spare
        self._interval_seconds = interval_seconds
        self._spare_seconds = spare_seconds
        self._renewed_at = asyncio.get_running_loop().time()

    async def run(self) -> NoReturn:
        """Renews all leases by one round trip an interval. While the database is away, the answers continue.

        It renews even if nothing runs, so that its connection is open when something does.
        """
        while True:
            is_renewed = await self._renew()
            await asyncio.sleep(self._interval_seconds if is_renewed else min(RETRY_SECONDS, self._interval_seconds))

    async def _renew(self) -> bool:
        keys = self._generations.keys
        try:
            await self._store.renew(keys)
        except AichatError as error:
            _log.warning("leases not renewed", generations=len(keys), reason=error.reason)
            await self._renew_spare(keys)
            return False
        self._renewed_at = asyncio.get_running_loop().time()
        return True

    async def _renew_spare(self, keys: Collection[GenerationKey]) -> None:
        """Tells the workers by Redis that the answers are being written, unless the database has been away too long."""
        is_over = asyncio.get_running_loop().time() - self._renewed_at > self._spare_seconds
        if self._spare is None or is_over:
            return
        try:
            await self._spare.renew(keys)
        except RedisUnavailableError as error:
            _log.warning("spare leases not renewed", generations=len(keys), cause=str(error))
