"""Keeps the generations of this process leased, so that they are not taken for lost."""

from __future__ import annotations

import asyncio
from typing import NoReturn

import structlog

from aichat_server.domain.errors import AichatError
from aichat_server.services.generations import Generations
from aichat_server.storage.turns import TurnStore

_log = structlog.get_logger()

RENEWALS_PER_LEASE = 3
"""So that two may fail, or come late, before a lease is over."""
RETRY_SECONDS = 1.0
"""One that failed is made up for as soon."""


class Leases:
    """Renews all leases at once, again and again."""

    def __init__(self, turns: TurnStore, generations: Generations, *, interval_seconds: float) -> None:
        self._turns = turns
        self._generations = generations
        self._interval_seconds = interval_seconds

    async def run(self) -> NoReturn:
        """Renews what runs, by one round trip an interval. While the database is away the answers go on.

        Also when nothing runs: its connection is there, and alive, when something does.
        """
        while True:
            is_renewed = await self._renew()
            await asyncio.sleep(self._interval_seconds if is_renewed else min(RETRY_SECONDS, self._interval_seconds))

    async def _renew(self) -> bool:
        keys = self._generations.keys
        try:
            await self._turns.renew(keys)
        except AichatError as error:
            _log.warning("leases not renewed", generations=len(keys), reason=error.reason)
            return False
        return True
