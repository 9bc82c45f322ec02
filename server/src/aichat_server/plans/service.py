"""Caches the plans' terms, and reads them from the database at regular intervals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NoReturn, Protocol

import structlog

from aichat_server.core.database.database import Database
from aichat_server.core.database.owner import owner_session
from aichat_server.core.errors import AichatError, Reason
from aichat_server.plans.domain import Plan, PlanLists, PlanRates, PlanTerms, terms_at
from aichat_server.plans.storage import PlanRepository

_log = structlog.get_logger()


class PlanSource(Protocol):
    """Where the plans' terms are stored."""

    async def plans(self) -> PlanLists:
        """Returns every plan's terms, ascending by the moment from which they apply."""
        ...


class StoredPlans:
    """The plans in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def plans(self) -> PlanLists:
        """Returns every plan's terms, ascending by the moment from which they apply; raises STORAGE_UNAVAILABLE."""
        async with self._database.platform_session() as session:
            return await PlanRepository(session).list()


def _now() -> datetime:
    return datetime.now(UTC)


class PlanBook:
    """The terms as last read; refresh it before use."""

    def __init__(self, source: PlanSource, clock: Callable[[], datetime] = _now) -> None:
        self._source = source
        self._clock = clock
        self._terms: PlanLists = {}

    def current(self, plan: Plan) -> PlanTerms:
        """Returns the plan's terms in force."""
        return terms_at(self._terms[plan], self._clock())

    def rates(self, plan: Plan) -> PlanRates:
        """Returns the plan's rates."""
        return self.current(plan).rates

    def offers(self, plan: Plan, model: str) -> bool:
        """Whether the plan offers the model."""
        return self.current(plan).offers(model)

    def check_model(self, plan: Plan, model: str) -> None:
        """Raises MODEL_NOT_IN_PLAN if the plan does not offer the model."""
        if not self.offers(plan, model):
            message = f"the plan {plan} does not offer {model}: ask another model, or change to a larger plan"
            raise AichatError(Reason.MODEL_NOT_IN_PLAN, message, metadata={"model": model, "plan": plan.value})

    def sold_as(self, lookup_key: str | None) -> Plan | None:
        """Returns the plan that has, or had, a price with that key; None if none of ours has."""
        for plan, terms in self._terms.items():
            if lookup_key is not None and any(one.lookup_key == lookup_key for one in terms):
                return plan
        return None

    async def refresh(self) -> None:
        """Reads the terms; STORAGE_UNAVAILABLE keeps those that were read before."""
        self._terms = await self._source.plans()

    async def keep_fresh(self, seconds: float) -> NoReturn:
        """Reads the terms again every `seconds`."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.refresh()
            except AichatError as error:
                _log.warning("plans not read; the earlier terms stay in force", reason=error.reason)


async def add_terms(url: str, terms: PlanTerms) -> None:
    """Adds the terms to their plan, in force from now on whatever moment they name, as the owner that `url` names.

    Raises STORAGE_UNAVAILABLE if the database is unreachable.
    """
    async with owner_session(url) as session:
        await PlanRepository(session).add(terms)
