from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from aichat_server.core.money import NanoUsd
from aichat_server.notifications.domain.warnings import QuotaUse, QuotaWarning
from aichat_server.quotas.domain import QuotaName, QuotaPeriod, QuotaScope

USE = QuotaUse(
    QuotaName(QuotaScope.KEY, UUID(int=3), QuotaPeriod.MONTH),
    datetime(2026, 1, 1, tzinfo=UTC),
    datetime(2026, 2, 1, tzinfo=UTC),
    limit=NanoUsd(999),
    refuses=True,
    used=NanoUsd(0),
)
WARNING = QuotaWarning(UUID(int=1), UUID(int=2), 50, USE)


@pytest.mark.parametrize(
    ("used", "percent", "thresholds"),
    [(0, 0, ()), (499, 49, ()), (500, 50, (50,)), (799, 79, (50,)), (800, 80, (50, 80)), (998, 99, (50, 80)),
     (999, 100, (50, 80, 100)), (10**18, 100100100100100100, (50, 80, 100))],
)  # fmt: skip
def test_a_threshold_is_reached_to_the_nano_dollar(used: int, percent: int, thresholds: tuple[int, ...]) -> None:
    use = replace(USE, used=NanoUsd(used))
    assert (use.percent, use.thresholds()) == (percent, thresholds)


def test_a_warnings_id_is_that_of_what_it_warns_of() -> None:
    assert replace(WARNING, use=replace(USE, used=NanoUsd(600), limit=NanoUsd(1000))).id == WARNING.id
    others = [
        replace(WARNING, org_id=UUID(int=9)),
        replace(WARNING, member_id=UUID(int=9)),
        replace(WARNING, threshold=80),
        replace(WARNING, use=replace(USE, period_start=datetime(2026, 2, 1, tzinfo=UTC))),
        replace(WARNING, use=replace(USE, name=replace(USE.name, period=QuotaPeriod.DAY))),
        replace(WARNING, use=replace(USE, name=replace(USE.name, scope=QuotaScope.MEMBER))),
        replace(WARNING, use=replace(USE, name=replace(USE.name, id=UUID(int=9)))),
    ]
    assert len({warning.id for warning in (WARNING, *others)}) == 1 + len(others)
