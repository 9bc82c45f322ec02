"""`aichat plans`: lists the plans, and shows the organisation's subscription."""

from __future__ import annotations

from aichat_sdk.cli._context import Context
from aichat_sdk.cli._terminal import dollars
from aichat_sdk.types import Plan, Subscription, money_usd


def plans(context: Context) -> int:
    """Prints one line for each plan, with a mark at the one in force, and the state of the subscription."""
    offered, subscription = context.runner.run(_fetch(context))
    if context.json:
        return context.document(plans=offered, subscription=subscription)
    for plan in offered:
        mark = ("→ ", "green") if plan.plan == subscription.plan else ("  ", "")
        context.terminal.bar("", [mark, (_line(plan), "")])
    context.terminal.note(_standing(subscription))
    return 0


async def _fetch(context: Context) -> tuple[list[Plan], Subscription]:
    billing = context.client.billing
    return await billing.list_plans(), await billing.get_subscription()


def _line(plan: Plan) -> str:
    seat, included = (money_usd(money) for money in (plan.seat_price, plan.included_usage))
    price = f"{dollars(seat)} a seat" if seat else "free"
    above = "refused" if plan.hard_limit else f"its price and {plan.overage_basis_points / 100:g} %"
    kept = f"{plan.retention_days} days" if plan.retention_days else "until deleted"
    return f"{plan.plan:<6} {price:<14} {dollars(included)} of usage a month, above: {above}; chats kept {kept}"


def _standing(subscription: Subscription) -> str:
    if not subscription.subscribed_plan:
        return "no subscription"
    until = f", paid until {subscription.period_end_time:%Y-%m-%d}" if subscription.period_end_time else ""
    status = str(subscription.status.name).lower().replace("_", " ")
    return f"subscribed to {subscription.subscribed_plan} for {subscription.seats} seats: {status}{until}"
