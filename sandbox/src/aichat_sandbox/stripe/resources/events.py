"""Events, to be read again."""

from __future__ import annotations

from aichat_sandbox.stripe.calls import PAGED, Call, Route
from aichat_sandbox.stripe.world import Object


def list_all(call: Call) -> Object:
    """Lists events, the newest first."""
    kind, kinds = call.params.text("type"), call.params.texts("types")
    found = call.world.every("event", **({"type": kind} if kind else {}))
    return call.page(event for event in found if not kinds or event["type"] in kinds)


ROUTES = (
    Route("GET", "/v1/events", list_all, f"{PAGED} type types"),
    Route("GET", "/v1/events/{id}", lambda call: call.subject("event")),
)
