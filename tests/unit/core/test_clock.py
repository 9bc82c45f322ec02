"""The database's time is known without another query, whatever happens to the machine's own clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from aichat_server.core.clock import Clock
from aichat_server.core.clock_skew import ClockWrongError
from aichat_server.core.errors import AichatError, Reason
from aichat_server.telemetry.observing import Observer

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)


class World(Observer):
    """A database, and a machine's clocks. A query takes two seconds, one in each direction."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.set_by = 0.0
        self.away = False
        self.seen: list[float] = []

    def clock_seen(self, skew: float) -> None:
        self.seen.append(skew)

    def own(self) -> float:
        return NOON.timestamp() + self.passed + self.set_by

    def steady(self) -> float:
        return 7.0 + self.passed

    async def now(self) -> datetime:
        if self.away:
            raise AichatError(Reason.STORAGE_UNAVAILABLE, "away")
        self.passed += 1
        found = NOON + timedelta(seconds=self.passed)
        self.passed += 1
        return found


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def clock(world: World) -> Clock:
    return Clock(world, world, own=world.own, steady=world.steady)


@pytest.mark.parametrize("set_by", [0.0, 119.0, -119.0])
async def test_a_machine_whose_clock_is_almost_right_goes_by_the_databases(
    world: World, clock: Clock, set_by: float
) -> None:
    world.set_by = set_by
    assert await clock.agreed() == NOON + timedelta(seconds=1)
    assert world.seen == [set_by]
    world.passed += 10
    assert clock.now() == NOON + timedelta(seconds=world.passed)


@pytest.mark.parametrize("set_by", [121.0, -121.0, 40 * 86_400.0, -40 * 86_400.0])
async def test_a_machine_whose_clock_is_wrong_knows_the_time_and_agrees_to_nothing(
    world: World, clock: Clock, set_by: float
) -> None:
    world.set_by = set_by
    with pytest.raises(ClockWrongError):
        await clock.agreed()
    assert clock.is_wrong
    assert clock.now() == NOON + timedelta(seconds=world.passed)
    world.set_by = 0
    await clock.agreed()
    assert not clock.is_wrong


async def test_a_clock_that_is_set_while_the_database_is_away_changes_nothing(world: World, clock: Clock) -> None:
    await clock.read()
    world.away, world.set_by, world.passed = True, -3600, world.passed + 60
    with pytest.raises(AichatError):
        await clock.agreed()
    assert clock.now() == NOON + timedelta(seconds=world.passed)
