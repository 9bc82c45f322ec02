"""Stores the plans' terms: the server reads them, the owner adds to them, and nobody changes them."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Integer, Row, Table, Text, func, insert, select
from sqlalchemy.dialects.postgresql import ARRAY

from aichat_server.core.database.session import PlatformRepository
from aichat_server.core.database.tables import Time, metadata
from aichat_server.plans.domain import Plan, PlanRates, PlanTerms, Rates

_plans = Table(
    "plans",
    metadata,
    Column("plan", Text, primary_key=True),
    Column("valid_from", Time, primary_key=True),
    Column("name", Text, nullable=False),
    Column("lookup_key", Text),
    Column("seat_nano_usd", BigInteger, nullable=False),
    Column("most_seats", Integer),
    Column("included_nano_usd", BigInteger, nullable=False),
    Column("hard", Boolean, nullable=False),
    Column("overage_basis_points", Integer, nullable=False),
    Column("caller_requests", Integer, nullable=False),
    Column("caller_tokens", Integer, nullable=False),
    Column("caller_streams", Integer, nullable=False),
    Column("organization_requests", Integer, nullable=False),
    Column("organization_tokens", Integer, nullable=False),
    Column("organization_streams", Integer, nullable=False),
    Column("models", ARRAY(Text)),
    Column("retention_days", Integer),
    Column("trial_days", Integer, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("overage_cap_nano_usd", BigInteger),
)


class PlanRepository(PlatformRepository):
    """Returns every plan's terms, ascending by the moment from which they apply."""

    async def list(self) -> Mapping[Plan, tuple[PlanTerms, ...]]:
        """Returns every plan's terms, ascending by the moment from which they apply."""
        rows = (await self._connection.execute(select(_plans).order_by(*_plans.primary_key.columns))).all()
        by_plan = groupby(rows, lambda row: row.plan)
        found = {Plan(plan): tuple(_terms(row) for row in of_plan) for plan, of_plan in by_plan}
        return {plan: found[plan] for plan in Plan}

    async def add(self, terms: PlanTerms) -> None:
        """Adds the terms to their plan, in force from now on whatever moment they name, as the schema's owner."""
        await self._connection.execute(insert(_plans).values(_row(terms)))


def _terms(row: Row[Any]) -> PlanTerms:
    return PlanTerms(
        plan=Plan(row.plan),
        valid_from=row.valid_from,
        name=row.name,
        lookup_key=row.lookup_key,
        seat_price=row.seat_nano_usd,
        most_seats=row.most_seats,
        included=row.included_nano_usd,
        hard=row.hard,
        overage_basis_points=row.overage_basis_points,
        rates=PlanRates(
            Rates(row.caller_requests, row.caller_tokens, row.caller_streams),
            Rates(row.organization_requests, row.organization_tokens, row.organization_streams),
        ),
        models=None if row.models is None else frozenset(row.models),
        retention_days=row.retention_days,
        trial_days=row.trial_days,
        overage_cap=row.overage_cap_nano_usd,
    )


def _row(terms: PlanTerms) -> dict[str, object]:
    caller, organization = terms.rates.caller, terms.rates.organization
    return {
        "plan": terms.plan.value,
        "valid_from": func.now(),
        "name": terms.name,
        "lookup_key": terms.lookup_key,
        "seat_nano_usd": terms.seat_price,
        "most_seats": terms.most_seats,
        "included_nano_usd": terms.included,
        "hard": terms.hard,
        "overage_basis_points": terms.overage_basis_points,
        "caller_requests": caller.requests_per_minute,
        "caller_tokens": caller.tokens_per_minute,
        "caller_streams": caller.open_streams,
        "organization_requests": organization.requests_per_minute,
        "organization_tokens": organization.tokens_per_minute,
        "organization_streams": organization.open_streams,
        "models": None if terms.models is None else sorted(terms.models),
        "retention_days": terms.retention_days,
        "trial_days": terms.trial_days,
        "overage_cap_nano_usd": terms.overage_cap,
    }
