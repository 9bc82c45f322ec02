"""What Stripe tells us by itself."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import stripe

from aichat_server.domain.billing import BillingEvent
from aichat_server.domain.errors import AichatError, Reason
from aichat_server.gateways.stripe_calls import StripeCalls
from aichat_server.gateways.stripe_values import moment

_TOLERANCE_SECONDS = 300


@dataclass(frozen=True, slots=True)
class StripeWebhooks:
    """Tells Stripe's events from those of anybody else."""

    secret: str = field(repr=False)
    """What Stripe signs with for this endpoint."""

    def verify(self, body: bytes, signature: str | None) -> BillingEvent:
        """The event in a request, which came with this `Stripe-Signature`; `body` is as it arrived, to the byte.

        WEBHOOK_INVALID if it was not signed with our secret in the last five minutes, or is no event.
        """
        try:
            stripe.WebhookSignature.verify_header(body, signature, self.secret, _TOLERANCE_SECONDS)
            return _event(json.loads(body))
        # What is not UTF-8 is a ValueError, and a signature that is not ASCII a TypeError.
        except (stripe.SignatureVerificationError, ValueError, TypeError, KeyError) as error:
            message = (
                "the webhook's signature, or the event in it, is not valid: send it as Stripe signed it, and at once"
            )
            raise AichatError(Reason.WEBHOOK_INVALID, message) from error


@dataclass(frozen=True, slots=True)
class StripeEvents:
    """Events looked up at Stripe."""

    calls: StripeCalls

    async def fetch(self, event_id: str) -> BillingEvent:
        """The event with this id; fails as `StripeCalls.send` says."""
        event = await self.calls.send(lambda: self.calls.client.v1.events.retrieve_async(event_id))
        return _event(event.to_dict())


def _event(told: Any) -> BillingEvent:
    """KeyError, TypeError or ValueError if it is no event."""
    key, kind, object_id, created = told["id"], told["type"], told["data"]["object"]["id"], told["created"]
    if told["object"] != "event" or not all(isinstance(one, str) for one in (key, kind, object_id)):
        raise ValueError("no event")
    return BillingEvent(id=key, type=kind, object_id=object_id, created_at=moment(created))
