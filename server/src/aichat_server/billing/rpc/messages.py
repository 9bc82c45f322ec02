"""Converts plans, subscriptions and invoices from the domain to the contract."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from aichat.v1 import invoices_pb2, plans_pb2

from aichat_server.billing.domain import UnpaidInvoice
from aichat_server.billing.service.billing import CURRENCY, Standing
from aichat_server.payments.domain.billing import InvoiceState, InvoiceStatus, PaymentMethodState, SubscriptionStatus
from aichat_server.plans.domain import PlanTerms, Rates
from aichat_server.transport.values import cents_to_proto, money_to_proto

_SUBSCRIPTION: Mapping[SubscriptionStatus, plans_pb2.SubscriptionStatus.ValueType] = MappingProxyType(
    {
        SubscriptionStatus.INCOMPLETE: plans_pb2.SUBSCRIPTION_STATUS_INCOMPLETE,
        SubscriptionStatus.INCOMPLETE_EXPIRED: plans_pb2.SUBSCRIPTION_STATUS_CANCELED,
        SubscriptionStatus.TRIALING: plans_pb2.SUBSCRIPTION_STATUS_TRIALING,
        SubscriptionStatus.ACTIVE: plans_pb2.SUBSCRIPTION_STATUS_ACTIVE,
        SubscriptionStatus.PAST_DUE: plans_pb2.SUBSCRIPTION_STATUS_PAST_DUE,
        SubscriptionStatus.CANCELED: plans_pb2.SUBSCRIPTION_STATUS_CANCELED,
        SubscriptionStatus.UNPAID: plans_pb2.SUBSCRIPTION_STATUS_PAST_DUE,
        SubscriptionStatus.PAUSED: plans_pb2.SUBSCRIPTION_STATUS_PAUSED,
    }
)
_INVOICE: Mapping[InvoiceStatus, invoices_pb2.InvoiceStatus.ValueType] = MappingProxyType(
    {
        InvoiceStatus.DRAFT: invoices_pb2.INVOICE_STATUS_DRAFT,
        InvoiceStatus.OPEN: invoices_pb2.INVOICE_STATUS_OPEN,
        InvoiceStatus.PAID: invoices_pb2.INVOICE_STATUS_PAID,
        InvoiceStatus.VOID: invoices_pb2.INVOICE_STATUS_VOID,
        InvoiceStatus.UNCOLLECTIBLE: invoices_pb2.INVOICE_STATUS_UNCOLLECTIBLE,
    }
)


def plan_to_proto(terms: PlanTerms) -> plans_pb2.Plan:
    """Converts a plan with its terms."""
    proto = plans_pb2.Plan(
        plan=terms.plan.value,
        display_name=terms.name,
        seat_price=money_to_proto(terms.seat_price),
        most_seats=terms.most_seats or 0,
        included_usage=money_to_proto(terms.included),
        hard_limit=terms.hard,
        overage_basis_points=terms.overage_basis_points,
        caller_rates=_rates(terms.rates.caller),
        organization_rates=_rates(terms.rates.organization),
        models=sorted(terms.models or ()),
        retention_days=terms.retention_days or 0,
        trial_days=terms.trial_days,
    )
    if terms.overage_cap is not None and not terms.hard:
        proto.overage_cap.CopyFrom(money_to_proto(terms.overage_cap))
    return proto


def standing_to_proto(standing: Standing) -> plans_pb2.Subscription:
    """Converts the state of an organisation's billing."""
    proto = plans_pb2.Subscription(plan=standing.plan.value, members=standing.members)
    subscription = standing.subscription
    if subscription is not None:
        proto.subscribed_plan = subscription.plan.value
        proto.status = _SUBSCRIPTION[subscription.status]
        proto.seats = subscription.seats
        proto.period_start_time.FromDatetime(subscription.period_start)
        proto.period_end_time.FromDatetime(subscription.period_end)
        proto.cancel_at_period_end = subscription.cancel_at_period_end
        if subscription.trial_end is not None:
            proto.trial_end_time.FromDatetime(subscription.trial_end)
    if standing.grace_ends_at is not None:
        proto.grace_end_time.FromDatetime(standing.grace_ends_at)
    if standing.payment_method is not None:
        proto.payment_method.CopyFrom(_payment_method(standing.payment_method))
    proto.unpaid_invoices.extend(_unpaid(invoice) for invoice in standing.unpaid)
    return proto


def invoice_to_proto(invoice: InvoiceState) -> invoices_pb2.Invoice:
    """Converts an invoice of the payment provider."""
    proto = invoices_pb2.Invoice(
        invoice_id=invoice.id,
        number=invoice.number or "",
        status=_INVOICE[invoice.status],
        total=cents_to_proto(invoice.total, invoice.currency),
        amount_due=cents_to_proto(invoice.amount_due, invoice.currency),
        amount_paid=cents_to_proto(invoice.amount_paid, invoice.currency),
        page_url=invoice.page_url or "",
        pdf_url=invoice.pdf_url or "",
    )
    proto.create_time.FromDatetime(invoice.created_at)
    return proto


def _unpaid(invoice: UnpaidInvoice) -> plans_pb2.UnpaidInvoice:
    proto = plans_pb2.UnpaidInvoice(
        month=invoice.month.name, total=cents_to_proto(invoice.total, CURRENCY), invoice_id=invoice.stripe_id
    )
    proto.unpaid_since_time.FromDatetime(invoice.since)
    return proto


def _rates(rates: Rates) -> plans_pb2.PlanRates:
    return plans_pb2.PlanRates(
        requests_per_minute=rates.requests_per_minute,
        tokens_per_minute=rates.tokens_per_minute,
        open_streams=rates.open_streams,
    )


def _payment_method(method: PaymentMethodState) -> plans_pb2.PaymentMethod:
    return plans_pb2.PaymentMethod(
        kind=method.kind,
        brand=method.brand or "",
        last_digits=method.last_digits or "",
        expires_year=method.expires_year or 0,
        expires_month=method.expires_month or 0,
    )
