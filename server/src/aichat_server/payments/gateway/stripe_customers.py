"""Customers at Stripe, and how they subscribe and pay."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import stripe
from stripe.params import SubscriptionUpdateParams
from stripe.params.checkout import SessionCreateParams

from aichat_server.core.errors import AichatError, Reason
from aichat_server.payments.domain.billing import CheckoutState, Offer, SubscriptionState
from aichat_server.payments.domain.cards import Cards
from aichat_server.payments.domain.provider import PaymentCustomers
from aichat_server.payments.gateway.stripe_calls import StripeCalls, new_key
from aichat_server.payments.gateway.stripe_values import checkout_state, id_of, payment_method_state, subscription_state

_MOST_CARDS = 100


@dataclass(frozen=True, slots=True)
class StripeCustomers(PaymentCustomers):
    """Each method fails as `StripeCalls.send` does."""

    calls: StripeCalls

    async def ensure_customer(self, org_id: UUID, version: int, *, name: str, email: str | None) -> str:
        """Returns the id of the organisation's customer, and creates it if the last 24 hours did not.

        `version` distinguishes a new customer from deleted ones.
        """
        customers = self.calls.client.v1.customers
        # Values that may change are part of the key, so that it always stands for the same request.
        made = await self.calls.send(
            lambda: customers.create_async(
                {"metadata": {"org_id": str(org_id)}}, {"idempotency_key": f"customer:{org_id}:{version}"}
            )
        )
        key = new_key()
        await self.calls.send(
            lambda: customers.update_async(made.id, {"name": name, "email": email or ""}, {"idempotency_key": key})
        )
        return made.id

    async def is_deleted(self, customer_id: str) -> bool:
        """Whether Stripe's customer was deleted there."""
        return _is_deleted(await self.calls.send(lambda: self.calls.client.v1.customers.retrieve_async(customer_id)))

    async def cards(self, customer_id: str, subscription_id: str | None) -> Cards:
        """Returns what the customer can pay with; nothing if the customer was deleted."""
        client = self.calls.client.v1
        customer = await self.calls.send(lambda: client.customers.retrieve_async(customer_id))
        if _is_deleted(customer):
            return Cards((), None, None)
        methods = await self.calls.send(
            lambda: client.customers.payment_methods.list_async(customer_id, {"limit": _MOST_CARDS})
        )
        settings = customer.invoice_settings
        return Cards(
            attached=tuple(payment_method_state(method) for method in methods.data),
            customer_default=id_of(settings.default_payment_method) if settings else None,
            subscription_default=await self._subscription_card(subscription_id) if subscription_id else None,
        )

    async def set_subscription_card(self, subscription_id: str, card_id: str) -> None:
        """Charges the subscription to this card from now on."""
        subscriptions, key = self.calls.client.v1.subscriptions, new_key()
        params: SubscriptionUpdateParams = {"default_payment_method": card_id}
        await self.calls.send(lambda: subscriptions.update_async(subscription_id, params, {"idempotency_key": key}))

    async def _subscription_card(self, subscription_id: str) -> str | None:
        subscriptions = self.calls.client.v1.subscriptions
        try:
            found = await self.calls.send(lambda: subscriptions.retrieve_async(subscription_id))
        except AichatError as error:
            if error.reason is not Reason.BILLING_OBJECT_MISSING:
                raise
            return None
        return id_of(found.default_payment_method)

    async def create_checkout(
        self, customer_id: str, offer: Offer, *, success_url: str, cancel_url: str, org_id: UUID, key: str
    ) -> CheckoutState:
        """Creates a page on which the customer subscribes; the subscription's metadata name the organisation."""
        params: SessionCreateParams = {
            "mode": "subscription",
            "customer": customer_id,
            "client_reference_id": str(org_id),
            "line_items": [{"price": offer.price_id, "quantity": offer.seats}],
            "success_url": success_url,
            "cancel_url": cancel_url,
            "subscription_data": {"metadata": {"org_id": str(org_id)}},
        }
        if offer.trial_days:
            params["subscription_data"]["trial_period_days"] = offer.trial_days
        sessions = self.calls.client.v1.checkout.sessions
        return checkout_state(await self.calls.send(lambda: sessions.create_async(params, {"idempotency_key": key})))

    async def fetch_checkout(self, session_id: str) -> CheckoutState:
        """Returns the page's current state."""
        sessions = self.calls.client.v1.checkout.sessions
        return checkout_state(await self.calls.send(lambda: sessions.retrieve_async(session_id)))

    async def create_portal(self, customer_id: str, *, return_url: str) -> str:
        """Returns the address of a page for cards, subscription and invoices; it is valid for some minutes."""
        sessions, key = self.calls.client.v1.billing_portal.sessions, new_key()
        session = await self.calls.send(
            lambda: sessions.create_async({"customer": customer_id, "return_url": return_url}, {"idempotency_key": key})
        )
        return session.url

    async def fetch_subscription(self, subscription_id: str) -> SubscriptionState:
        """Returns the subscription's current state."""
        subscriptions = self.calls.client.v1.subscriptions
        return subscription_state(await self.calls.send(lambda: subscriptions.retrieve_async(subscription_id)))

    async def list_subscriptions(self, customer_id: str) -> list[SubscriptionState]:
        """Returns the customer's subscriptions that have not ended, the newest first: at most 100."""
        subscriptions = self.calls.client.v1.subscriptions
        found = await self.calls.send(lambda: subscriptions.list_async({"customer": customer_id, "limit": 100}))
        return [subscription_state(one) for one in found.data]

    async def change_subscription(
        self, subscription_id: str, price_id: str, seats: int, *, key: str
    ) -> SubscriptionState:
        """Changes price or seats at once, and prorates the current period on the next invoice.

        It also undoes a cancellation at the period's end.
        """
        subscriptions = self.calls.client.v1.subscriptions
        found = await self.calls.send(lambda: subscriptions.retrieve_async(subscription_id))
        params: SubscriptionUpdateParams = {
            "items": [{"id": found["items"].data[0].id, "price": price_id, "quantity": seats}],
            "proration_behavior": "create_prorations",
            "cancel_at_period_end": False,
        }
        changed = await self.calls.send(
            lambda: subscriptions.update_async(subscription_id, params, {"idempotency_key": key})
        )
        return subscription_state(changed)

    async def cancel_subscription(self, subscription_id: str, *, at_period_end: bool) -> SubscriptionState:
        """Ends it at its period's end, or now. One that has ended stays as it is."""
        subscriptions, key = self.calls.client.v1.subscriptions, new_key()
        try:
            if at_period_end:
                ending: SubscriptionUpdateParams = {"cancel_at_period_end": True}
                ended = await self.calls.send(
                    lambda: subscriptions.update_async(subscription_id, ending, {"idempotency_key": key})
                )
            else:
                ended = await self.calls.send(lambda: subscriptions.cancel_async(subscription_id))
        except AichatError as error:
            if error.reason not in {Reason.BILLING_OBJECT_MISSING, Reason.BILLING_REQUEST_REJECTED}:
                raise
            # If a response was lost, the retry finds it ended.
            return await self.fetch_subscription(subscription_id)
        return subscription_state(ended)

    async def ensure_price(self, lookup_key: str, *, name: str, amount: int, currency: str) -> str:
        """Returns the id of the monthly price with `lookup_key`; creates it and its product if needed.

        `amount` is per seat; an existing price keeps its own.
        """
        prices = self.calls.client.v1.prices
        found = await self.calls.send(lambda: prices.list_async({"lookup_keys": [lookup_key], "active": True}))
        if found.data:
            return found.data[0].id
        product = await self.calls.send(
            lambda: self.calls.client.v1.products.create_async(
                {"name": name}, {"idempotency_key": f"product:{lookup_key}"}
            )
        )
        price = await self.calls.send(
            lambda: prices.create_async(
                {
                    "product": product.id,
                    "lookup_key": lookup_key,
                    "nickname": name,
                    "unit_amount": amount,
                    "currency": currency,
                    "recurring": {"interval": "month"},
                },
                {"idempotency_key": f"price:{lookup_key}"},
            )
        )
        return price.id


def _is_deleted(customer: stripe.Customer) -> bool:
    """Whether the customer is deleted: such a one has only this field."""
    return "deleted" in customer and bool(customer.deleted)
