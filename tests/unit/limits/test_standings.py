"""How callers stand with their limits, as far as one process knows."""

from __future__ import annotations

from aichat_server.limits.domain.limits import Granted, LimitName
from aichat_server.limits.domain.standings import Standing, Standings

from tests.unit.limits.claims import claim

# The key's limits; the organisation's are twice as large.
WANTED = claim(requests=10, tokens=100)
KEY = WANTED.requests[0].key


def test_the_limit_that_has_less_left_counts() -> None:
    standings = Standings()
    standings.note(WANTED, Granted(0, used=(4, 15, 30, 130)), 1.0)
    assert standings.of(KEY, 1.0) == {
        LimitName.REQUESTS: Standing(LimitName.REQUESTS, 20, 5),
        LimitName.TOKENS: Standing(LimitName.TOKENS, 100, 70),
    }


def test_a_joined_stream_counts_no_tokens() -> None:
    standings = Standings()
    standings.note(WANTED, Granted(0, joined=True, used=(10, 10)), 1.0)
    assert standings.of(KEY, 0.0) == {LimitName.REQUESTS: Standing(LimitName.REQUESTS, 10, 0)}


def test_what_was_counted_before_is_not_told_and_forgotten_after_a_minute() -> None:
    standings = Standings()
    standings.note(WANTED, Granted(0, used=(1, 1, 1, 1)), 1.0)
    assert not standings.of(KEY, 1.5)
    standings.forget(60.5)
    assert standings.of(KEY, 1.0)
    standings.forget(61.0)
    assert vars(standings) == vars(Standings())
