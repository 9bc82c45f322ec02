"""The routes under `/_control`, with which tests control the stand-in."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from aiohttp import web

from .api import Api
from .failures import CallFailedError
from .resources import checkout, portal
from .resources.renewals import catch_up
from .world import Object


def add_routes(app: web.Application, api: Api) -> None:
    """Adds the routes."""
    control = _Control(api)
    app.add_routes(
        [
            web.get("/_log", control.show_log),
            web.delete("/_log", control.clear_log),
            web.post("/_control/webhook", control.set_webhook),
            web.post("/_control/deliver", control.deliver),
            web.post("/_control/events", control.make_event),
            web.post("/_control/checkout/{id}", control.complete),
            web.post("/_control/portal/{id}", control.change_card),
            web.post("/_control/faults", control.add_fault),
            web.delete("/_control/faults", control.clear_faults),
            web.post("/_control/clock", control.advance),
        ]
    )


class _Control:
    def __init__(self, api: Api) -> None:
        self._api = api
        self._account = api.account

    async def show_log(self, _request: web.Request) -> web.Response:
        """Returns the requests so far."""
        return web.json_response([asdict(asked) for asked in self._api.log])

    async def clear_log(self, _request: web.Request) -> web.Response:
        """Clears the log."""
        self._api.log.clear()
        return web.json_response({})

    async def set_webhook(self, request: web.Request) -> web.Response:
        """`{"url", "secret"?, "held"?}`: sets where events go from now on; `held`: send them only on request."""
        told = await request.json()
        webhooks = self._account.webhooks
        webhooks.url = told["url"]
        webhooks.secret = told.get("secret", webhooks.secret)
        webhooks.held = told.get("held", False)
        return web.json_response({})

    async def deliver(self, request: web.Request) -> web.Response:
        """`{"events": [id], "age_seconds"?, "secret"?}`: sends these events now, once each and in this order.

        Returns the HTTP statuses. An id that is listed twice is sent twice; `age_seconds` makes the signatures old, and
        a different `secret` makes them invalid.
        """
        told = await request.json()
        how = {name: told[name] for name in ("age_seconds", "secret") if name in told}
        events = [self._account.world.find("event", key) for key in told["events"]]
        return web.json_response({"statuses": [await self._account.webhooks.send(event, **how) for event in events]})

    async def make_event(self, request: web.Request) -> web.Response:
        """`{"type", "object"}`: creates an event of any type, which is sent like the others."""
        told = await request.json()
        event = self._account.world.emit(told["type"], told["object"])
        self._account.save()
        return web.json_response(event)

    async def complete(self, request: web.Request) -> web.Response:
        """`{"card"?}`: pays a checkout session as the customer would, with one of Stripe's test cards."""
        told = await request.json()

        def change() -> Object:
            return checkout.complete(self._account.world, request.match_info["id"], told.get("card", "pm_card_visa"))

        return self._changed(change)

    async def change_card(self, request: web.Request) -> web.Response:
        """`{"card"?}`: adds one of Stripe's test cards in a portal session, as the customer would."""
        told = await request.json()

        def change() -> Object:
            return portal.change_card(
                self._account.world, request.match_info["id"], told.get("card", "pm_card_mastercard")
            )

        return self._changed(change)

    async def add_fault(self, request: web.Request) -> web.Response:
        """Adds a fault for the next requests: the fields of `Fault`."""
        told: dict[str, Any] = await request.json()
        self._account.faults.add(told)
        return web.json_response({})

    async def clear_faults(self, _request: web.Request) -> web.Response:
        """Removes all faults."""
        self._account.faults.waiting.clear()
        return web.json_response({})

    async def advance(self, request: web.Request) -> web.Response:
        """`{"seconds"}`: advances the clock, and does all that is due by then."""
        seconds = int((await request.json())["seconds"])
        world = self._account.world

        def change() -> Object:
            world.ahead += seconds
            catch_up(world)
            return {"now": world.now()}

        return self._changed(change)

    def _changed(self, change: Any) -> web.Response:
        world = self._account.world
        world.cause = {"id": None, "idempotency_key": None}
        try:
            answer = change()
        except CallFailedError as failure:
            return web.json_response(failure.body("req_control"), status=failure.status)
        finally:
            self._account.save()
        return web.json_response(answer)
