"""`plans`: shows the plans, and changes a plan's terms from now on."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from aichat_server.app.database import connect_database
from aichat_server.commands.owner import owner_url
from aichat_server.core.money import NanoUsd, to_decimal
from aichat_server.plans.domain import Plan, PlanRates, PlanTerms, Rates
from aichat_server.plans.service import PlanBook, StoredPlans, add_terms
from aichat_server.settings import Settings

ANY = "any"
"""The value of an option that means no limit."""

LimitT = TypeVar("LimitT")


def show(settings: Settings, _options: argparse.Namespace) -> int:
    """Prints the terms in force."""
    for terms in asyncio.run(_current(settings)).values():
        sys.stdout.write(f"{_line(terms)}\n")
    return 0


def set_terms(settings: Settings, options: argparse.Namespace) -> int:
    """Adds terms as the schema's owner: those in force, with the changes that the options name."""
    url = owner_url(settings)
    before = asyncio.run(_current(settings))[options.plan]
    if options.seat_usd is not None and before.lookup_key is None:
        sys.stderr.write(f"{before.plan} is not sold, and has no price\n")
        return 1
    asyncio.run(add_terms(url, _changed(before, options)))
    return show(settings, options)


def _changed(terms: PlanTerms, options: argparse.Namespace) -> PlanTerms:
    given = {name: value for name, value in vars(options).items() if value is not None}
    if "seat_usd" in given:
        # A new price at the payment provider for each amount: subscribers at the old price keep paying it.
        terms = replace(terms, seat_price=given["seat_usd"], lookup_key=_lookup_key(terms.plan, given["seat_usd"]))
    rates = PlanRates(
        given.get("caller_rates", terms.rates.caller), given.get("organization_rates", terms.rates.organization)
    )
    return replace(
        terms,
        included=given.get("included_usd", terms.included),
        overage_basis_points=given.get("overage_basis_points", terms.overage_basis_points),
        overage_cap=_limit(given, "overage_cap_usd", terms.overage_cap),
        rates=rates,
        most_seats=_limit(given, "most_seats", terms.most_seats),
        models=_limit(given, "models", terms.models),
        retention_days=_limit(given, "retention_days", terms.retention_days),
        trial_days=given.get("trial_days", terms.trial_days),
    )


def _limit(given: Mapping[str, Any], name: str, before: LimitT | None) -> LimitT | None:
    value: LimitT | None = given.get(name, before)
    return None if value == ANY else value


def _lookup_key(plan: Plan, seat_price: NanoUsd) -> str:
    return f"aichat-{plan}-{to_decimal(seat_price):f}"


def _line(terms: PlanTerms) -> str:
    limit = "hard" if terms.hard else f"then + {terms.overage_basis_points / 100:g} %, {_cap(terms)}"
    told = [
        f"{to_decimal(terms.seat_price):f} USD a seat, at most {terms.most_seats or ANY}",
        f"{to_decimal(terms.included):f} USD included, {limit}",
        f"caller {_rates(terms.rates.caller)}, organization {_rates(terms.rates.organization)}",
        f"models {','.join(sorted(terms.models)) if terms.models else ANY}",
        f"retention {terms.retention_days or ANY} days",
        f"trial {terms.trial_days} days",
    ]
    return f"{terms.plan} since {terms.valid_from.isoformat(timespec='seconds')}: {'; '.join(told)}"


def _cap(terms: PlanTerms) -> str:
    return "up to the platform's cap" if terms.overage_cap is None else f"up to {to_decimal(terms.overage_cap):f} USD"


def _rates(rates: Rates) -> str:
    return f"{rates.requests_per_minute},{rates.tokens_per_minute},{rates.open_streams}"


async def _current(settings: Settings) -> Mapping[Plan, PlanTerms]:
    async with connect_database(settings) as database:
        now = await database.now()
        book = PlanBook(StoredPlans(database), lambda: now)
        await book.refresh()
        return {plan: book.current(plan) for plan in Plan}
