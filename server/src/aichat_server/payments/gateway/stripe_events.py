"""Events that Stripe sends."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import stripe

from aichat_server.core.errors import AichatError, Reason
from aichat_server.payments.domain.billing import BillingEvent
from aichat_server.payments.domain.provider import PaymentEvents
from aichat_server.payments.domain.webhooks import HANDLED
from aichat_server.payments.gateway.stripe_calls import StripeCalls
from aichat_server.payments.gateway.stripe_values import moment

_TOLERANCE_SECONDS = 300
_MOST_NAME_BYTES = 255


@dataclass(frozen=True, slots=True)
class StripeWebhooks(PaymentEvents):
    """Verifies that events are Stripe's."""

    secret: str = field(repr=False)
    """Stripe's signing secret of this endpoint."""

    def verify(self, body: bytes, signature: str | None) -> BillingEvent:
        """Returns the event of a request with this `Stripe-Signature`; `body` must be exactly as it arrived.

        Raises WEBHOOK_INVALID if it was not signed with our secret in the last five minutes, or is not an event.
        """
        try:
            stripe.WebhookSignature.verify_header(body, signature, self.secret, _TOLERANCE_SECONDS)
            return _event(json.loads(body))
        except Exception as error:
            # Every failure here is the webhook's fault: a signature does not prove a valid form.
            message = (
                "the webhook's signature, or the event in it, is not valid: send it as Stripe signed it, and at once"
            )
            raise AichatError(Reason.WEBHOOK_INVALID, message) from error


@dataclass(frozen=True, slots=True)
class StripeEvents:
    """Reads events from Stripe."""

    calls: StripeCalls

    async def fetch(self, event_id: str) -> BillingEvent:
        """Returns the event with this id; fails as `StripeCalls.send` does."""
        event = await self.calls.send(lambda: self.calls.client.v1.events.retrieve_async(event_id))
        return _event(event.to_dict())


def _event(told: Any) -> BillingEvent:
    """Returns the event; raises any exception if it is not one."""
    key, kind, created = told["id"], told["type"], told["created"]
    # Some objects, such as a balance, have no id; their events are ignored.
    object_id = told["data"]["object"].get("id", "")
    if told["object"] != "event" or not all(map(_is_name, (key, kind, object_id or key))):
        raise ValueError("no event")
    if kind in HANDLED and not object_id:
        raise ValueError("an event of nothing")
    return BillingEvent(id=key, type=kind, object_id=object_id, created_at=moment(created))


def _is_name(value: object) -> bool:
    """Whether it can be stored, unlike a lone surrogate or a NUL, and looked up."""
    if not isinstance(value, str) or "\0" in value:
        return False
    return 0 < len(value.encode()) <= _MOST_NAME_BYTES
