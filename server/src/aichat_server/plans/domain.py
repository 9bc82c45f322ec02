"""What an organisation gets, and may do at most, by the plan that it is on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from aichat_server.core.money import NanoUsd


class Plan(StrEnum):
    """The plan that an organisation is on."""

    FREE = "free"
    PRO = "pro"
    TEAM = "team"


@dataclass(frozen=True, slots=True)
class Rates:
    """How much may go on at once, and in any minute."""

    requests_per_minute: int
    tokens_per_minute: int
    """Input and output together, as the models count them."""
    open_streams: int
    """Answers that are being written."""


@dataclass(frozen=True, slots=True)
class PlanRates:
    """The rates of one plan; both hold."""

    caller: Rates
    """For each API key, and for each member who is signed in."""
    organization: Rates
    """For all of an organisation's callers together."""


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """What a plan is from a moment on. Terms are added and never changed."""

    plan: Plan
    valid_from: datetime
    name: str
    """For people."""
    lookup_key: str | None
    """Of the price at the payment provider, another one for each amount; None for what is not sold."""
    seat_price: NanoUsd
    """For each seat and month, in whole cents."""
    most_seats: int | None
    """The most members; None: any number."""
    included: NanoUsd
    """Usage in a calendar month (UTC) that costs no more than the plan itself."""
    hard: bool
    """Whether turns that could go above what is included are refused; else they are charged, by the overage."""
    overage_basis_points: int
    """Hundredths of a percent that usage above what is included costs on top of its price."""
    rates: PlanRates
    models: frozenset[str] | None
    """The models that may be asked; None: all."""
    retention_days: int | None
    """How long conversations are kept; None: until they are deleted."""
    trial_days: int
    """Days without payment when an organisation subscribes for the first time."""
    overage_cap: NanoUsd | None = None
    """The most that an organisation may owe for usage above what is included; None: the platform's."""

    def offers(self, model: str) -> bool:
        """Whether the model may be asked."""
        return self.models is None or model in self.models


PlanLists = Mapping[Plan, Sequence[PlanTerms]]
"""Every plan's terms, ascending by the moment from which they hold."""


def terms_at(terms: Sequence[PlanTerms], at: datetime) -> PlanTerms:
    """The terms in force at a moment; LookupError if none had begun."""
    for one in reversed(terms):
        if one.valid_from <= at:
            return one
    raise LookupError(f"no terms are in force at {at.isoformat()}")
