"""Stripe's API over HTTP: authentication, routing and responses."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from .calls import Call, Route, shown
from .failures import CallFailedError, scripted
from .faults import Fault
from .forms import Params, decode
from .state import Account
from .world import API_VERSION, Object

LOG_LENGTH = 1000
KEY_PREFIX = "sk_test_"
"""The prefix of every accepted key."""


@dataclass(slots=True)
class Asked:
    """One request, as in the log."""

    request_id: str
    method: str
    path: str
    params: dict[str, Any]
    idempotency_key: str | None
    stripe_version: str
    user_agent: str
    status: int | None = None
    """None: no response was sent."""
    replayed: bool = False


@dataclass(slots=True)
class Api:
    """Serves the routes of one account."""

    account: Account
    log: deque[Asked] = field(default_factory=lambda: deque(maxlen=LOG_LENGTH))

    def serving(self, route: Route) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Returns the handler of one route."""

        async def handle(request: web.Request) -> web.Response:
            return await self._serve(request, route)

        return handle

    async def unknown(self, request: web.Request) -> web.Response:
        """Answers all other paths."""
        return await self._serve(request, None)

    async def _serve(self, request: web.Request, route: Route | None) -> web.Response:
        pairs = [(name, str(value)) for name, value in {**request.query, **await request.post()}.items()]
        asked = Asked(
            request_id=f"req_{secrets.token_hex(7)}",
            method=request.method,
            path=request.path,
            params=decode(pairs),
            idempotency_key=request.headers.get("idempotency-key") if request.method == "POST" else None,
            stripe_version=request.headers.get("stripe-version", API_VERSION),
            user_agent=request.headers.get("user-agent", ""),
        )
        self.log.append(asked)
        try:
            _authenticate(request)
            status, body = await self._answer(request, route, asked)
        except CallFailedError as failure:
            status, body = failure.status, failure.body(asked.request_id)
        asked.status = status
        headers = {"request-id": asked.request_id, "stripe-version": asked.stripe_version}
        if asked.idempotency_key:
            headers["idempotency-key"] = asked.idempotency_key
        if asked.replayed:
            headers["idempotent-replayed"] = "true"
        return web.Response(
            status=status, body=json.dumps(body, indent=2).encode(), content_type="application/json", headers=headers
        )

    async def _answer(self, request: web.Request, route: Route | None, asked: Asked) -> tuple[int, Object]:
        keys, key = self.account.keys, asked.idempotency_key
        with keys.using(key) if key else nullcontext():
            fault = self.account.faults.take(asked.method, asked.path)
            if fault is not None and fault.how == "hang":
                await asyncio.get_running_loop().create_future()
            found = keys.find(key, asked.path, asked.params) if key else None
            asked.replayed = found is not None
            status, body, executed = found or self._carry_out(request, route, asked, fault)
            if key and executed and not found:
                keys.keep(key, asked.path, asked.params, status, body)
        if asked.method != "GET":
            self.account.save()
        if fault is not None and fault.how == "cut":
            if request.transport is not None:
                request.transport.close()
            raise ConnectionResetError("cut on request")
        if fault is not None and fault.how == "mute":
            await asyncio.get_running_loop().create_future()
        return status, body

    def _carry_out(
        self, request: web.Request, route: Route | None, asked: Asked, fault: Fault | None
    ) -> tuple[int, Object, bool]:
        """Returns status, body, and whether the request was executed."""
        world = self.account.world
        world.origin = str(request.url.origin())
        world.cause = {"id": asked.request_id, "idempotency_key": asked.idempotency_key}
        try:
            if fault is not None and fault.how == "status":
                raise scripted(fault.status)
            if route is None:
                message = f"Unrecognized request URL ({asked.method}: {asked.path})."
                raise CallFailedError(404, message, executed=False)
            route.check(asked.params)
            params = Params(asked.params)
            call = Call(world, params, request.match_info.get("id", ""), asked.path)
            return 200, shown(world, route.handler(call), params.texts("expand")), True
        except CallFailedError as failure:
            return failure.status, failure.body(asked.request_id), failure.executed


def _authenticate(request: web.Request) -> None:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        raise CallFailedError(401, "You did not provide an API key.", executed=False)
    if not key.startswith(KEY_PREFIX):
        raise CallFailedError(401, "Invalid API Key provided: the stand-in accepts only test keys.", executed=False)
