"""`aichat usage`: a chart of each day's cost, and the current use of quotas."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo

from aichat_sdk.cli._context import Context
from aichat_sdk.cli._terminal import Terminal, dollars
from aichat_sdk.types import QuotaState, UsageReport, UsageRow, UsageTotals, input_tokens, money_usd
from aichat_sdk.usage import Dimension

_COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "red", "bright_black")
_BAR = 40
_FINEST = Decimal("0.0001")


def usage(context: Context, *, days: int, by: Dimension, time_zone: str) -> int:
    """Shows the last days, today included."""
    report, quotas = context.runner.run(_fetch(context, days, by, time_zone))
    if context.json:
        return context.document(usage=report, quotas=quotas)
    if not report.rows:
        context.terminal.note("no usage in this time")
    else:
        _show(context.terminal, report, by)
    for quota in quotas:
        context.terminal.line(_quota(quota))
    return 0


async def _fetch(
    context: Context, days: int, by: Dimension, time_zone: str
) -> tuple[UsageReport, Sequence[QuotaState]]:
    client = context.client.usage
    midnight = datetime.now().astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    start, end = midnight - timedelta(days=days - 1), midnight + timedelta(days=1)
    report = await client.query(start, end, bucket="day", group_by=[by], time_zone=time_zone)
    return report, await client.quotas()


def _show(terminal: Terminal, report: UsageReport, by: Dimension) -> None:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    by_day: dict[str, dict[str, Decimal]] = defaultdict(dict)
    zone = _zone(report.time_zone)
    for row in report.rows:
        name = _name(row, by)
        sums[name] += _cost(row.totals)
        by_day[_day(row.start_time, zone)][name] = _cost(row.totals)
    dearest = sorted(sums, key=lambda name: (-sums[name], name))
    colours = {name: _COLOURS[min(number, len(_COLOURS) - 1)] for number, name in enumerate(dearest)}
    most = max(sum(costs.values(), Decimal(0)) for costs in by_day.values())
    for day, costs in by_day.items():
        bars = [("█" * _length(costs.get(name, Decimal(0)), most), colours[name]) for name in dearest]
        terminal.bar(f"{day}  {_rounded(sum(costs.values(), Decimal(0))):>10}  ", bars)
    terminal.line("")
    for name in dearest:
        terminal.bar("", [("█ ", colours[name]), (f"{name or '(none)'}  {_rounded(sums[name])}", "")])
    terminal.note(_summary(report))


def _summary(report: UsageReport) -> str:
    total = report.total or UsageTotals()
    written = total.usage.output_tokens if total.usage else 0
    tokens = f"{input_tokens(total.usage)} + {written} tokens"
    facts = [f"{total.turns} turns", f"{total.errors} failed", tokens, dollars(_cost(total))]
    return " · ".join([*facts, f"days of {report.time_zone}"])


def _quota(quota: QuotaState) -> str:
    limits = [("hard", quota.hard_limit), ("soft", quota.soft_limit)]
    stated = " and ".join(f"{kind} {dollars(money_usd(limit))}" for kind, limit in limits if limit is not None)
    whose = f"{quota.scope.name} {quota.scope_id}".lower() if quota.scope.name else quota.scope_id
    used, forecast = money_usd(quota.used), _rounded(money_usd(quota.forecast))
    return (
        f"quota of {whose} per {str(quota.period.name).lower()}: {dollars(used)} of {stated}, at this pace {forecast}"
    )


def _name(row: UsageRow, by: Dimension) -> str:
    values = {
        "model": row.model,
        "provider": row.provider,
        "member": row.member_id,
        "key": row.key_id,
        "conversation": row.conversation_id,
    }
    return values[by]


def _cost(totals: UsageTotals | None) -> Decimal:
    return money_usd(totals.cost if totals else None)


def _rounded(amount: Decimal) -> str:
    return dollars(amount.quantize(_FINEST))


def _length(cost: Decimal, most: Decimal) -> int:
    return int(cost * _BAR / most + Decimal("0.5")) if most else 0


def _day(moment: datetime | None, zone: tzinfo) -> str:
    return "" if moment is None else moment.astimezone(zone).strftime("%Y-%m-%d")


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (LookupError, OSError, ValueError):
        # This machine has fewer time zones than the platform.
        return UTC
