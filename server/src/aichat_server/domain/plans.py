"""What an organisation may do at most, by the plan that it is on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


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


PLAN_RATES: Mapping[Plan, PlanRates] = MappingProxyType(
    {
        Plan.FREE: PlanRates(caller=Rates(60, 100_000, 4), organization=Rates(120, 200_000, 8)),
        Plan.PRO: PlanRates(caller=Rates(600, 2_000_000, 50), organization=Rates(1_200, 4_000_000, 100)),
        Plan.TEAM: PlanRates(caller=Rates(30_000, 50_000_000, 2_000), organization=Rates(60_000, 100_000_000, 4_000)),
    }
)
