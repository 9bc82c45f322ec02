"""How callers stand with their limits per minute, as far as one process knows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from aichat_server.limits.domain.limits import WINDOW_SECONDS, Claim, Granted, Limit, LimitName

RESET_SECONDS = WINDOW_SECONDS + 1
"""How long after a call all of a limit is left again, unless the caller uses more: a second counts until its end."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How a caller stands with one of its limits."""

    name: LimitName
    most: int
    left: int | None = None
    """What is left of it; None: it is not known."""


@dataclass(frozen=True, slots=True)
class _Noted:
    standings: Mapping[LimitName, Standing]
    at: float


class Standings:
    """Knows what was left when each caller was last counted.

    Every time is in seconds of a clock that never goes back.
    """

    def __init__(self) -> None:
        self._noted: dict[str, _Noted] = {}
        """By the key of the caller's first limit."""

    def note(self, claim: Claim, granted: Granted, now: float) -> None:
        """Records what a claim has left of each kind of limit: the caller's or the organisation's, if that is less."""
        used = zip(claim.requests + claim.tokens, granted.used, strict=False)
        standings = {name: _tightest(name, limits) for name, limits in groupby(used, lambda one: one[0].name)}
        self._noted[claim.requests[0].key] = _Noted(standings, now)

    def of(self, key: str, since: float) -> Mapping[LimitName, Standing]:
        """Returns how the caller stands whose first limit has this key; nothing if it was not counted since then."""
        noted = self._noted.get(key)
        return noted.standings if noted is not None and noted.at >= since else {}

    def forget(self, now: float) -> None:
        """Deletes what has expired."""
        for key in [key for key, noted in self._noted.items() if noted.at + WINDOW_SECONDS <= now]:
            del self._noted[key]


def _tightest(name: LimitName, used: Iterable[tuple[Limit, int]]) -> Standing:
    left, most = min((limit.most - one, limit.most) for limit, one in used)
    return Standing(name, most, max(0, left))
