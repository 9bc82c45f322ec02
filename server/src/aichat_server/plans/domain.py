"""What an organisation gets and may do, by its plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from aichat_server.core.money import NanoUsd


class Plan(StrEnum):
    """The plan of an organisation."""

    FREE = "free"
    PRO = "pro"
    TEAM = "team"


@dataclass(frozen=True, slots=True)
class Rates:
    """Limits of calls, tokens and open streams."""

    requests_per_minute: int
    tokens_per_minute: int
    """Input and output together, as the models count them."""
    open_streams: int
    """Answers being written at the same time."""


@dataclass(frozen=True, slots=True)
class PlanRates:
    """The rates of one plan; both apply."""

    caller: Rates
    """For each API key, and for each member who signs in."""
    organization: Rates
    """For all callers of the organisation together."""


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """The terms of a plan from a moment on. Terms are added and never changed."""

    plan: Plan
    valid_from: datetime
    name: str
    """A name for people."""
    lookup_key: str | None
    """The key of the price at the payment provider; each amount has its own. None if the plan is not sold."""
    seat_price: NanoUsd
    """For each seat and month, in whole cents."""
    most_seats: int | None
    """The most members; None: no limit."""
    included: NanoUsd
    """The usage of a calendar month (UTC) that the plan's price includes."""
    hard: bool
    """Whether turns that could exceed the included usage are refused; otherwise they are charged, with the overage."""
    overage_basis_points: int
    """What usage above that costs on top of its price, in hundredths of a percent."""
    rates: PlanRates
    models: frozenset[str] | None
    """The models that members may use; None: all."""
    retention_days: int | None
    """How long conversations are kept; None: until they are deleted."""
    trial_days: int
    """Days without payment at the organisation's first subscription."""
    overage_cap: NanoUsd | None = None
    """The most that an organisation may owe for usage above what is included; None: the platform's limit."""

    def offers(self, model: str) -> bool:
        """Whether members may use the model."""
        return self.models is None or model in self.models


PlanLists = Mapping[Plan, Sequence[PlanTerms]]
"""Every plan's terms, ascending by the moment from which they apply."""


def terms_at(terms: Sequence[PlanTerms], at: datetime) -> PlanTerms:
    """Returns the terms in force at a moment; raises LookupError if none had begun."""
    for one in reversed(terms):
        if one.valid_from <= at:
            return one
    raise LookupError(f"no terms are in force at {at.isoformat()}")
