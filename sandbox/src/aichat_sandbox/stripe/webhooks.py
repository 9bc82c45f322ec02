"""Sends events to the webhook endpoint: signed, one after another, and again until the endpoint accepts them."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from .world import Object

RETRY_SECONDS = (0.2, 1.0, 5.0, 30.0, 120.0)
"""The wait before each retry."""
_ANSWER_SECONDS = 10.0
SECRET = "whsec_stand_in"  # noqa: S105 — of the stand-in


def signature(body: bytes, secret: str, moment: int) -> str:
    """Returns the Stripe-Signature header for the body."""
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


@dataclass(slots=True)
class Webhooks:
    """The endpoint, and the events still to send."""

    url: str | None = None
    """None: nothing is sent."""
    secret: str = field(default=SECRET, repr=False)
    held: bool = False
    """Whether to send events only on request."""
    _session: aiohttp.ClientSession | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None, None]:
        """Sends events while the context is open."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ANSWER_SECONDS)) as self._session:
            yield
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def queue(self, event: Object) -> None:
        """Sends a new event after those before it; a rejected one is retried later, out of order."""
        if self.url is None or self.held:
            return
        event["pending_webhooks"] = 1
        task = asyncio.get_running_loop().create_task(self._deliver(event, self.url))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, event: Object, url: str) -> None:
        """Retries until the event is accepted, or the endpoint changes."""
        async with self._turn:
            status = await self.send(event)
        for seconds in RETRY_SECONDS:
            if 200 <= status < 300:
                event["pending_webhooks"] = 0
                return
            await asyncio.sleep(seconds)
            if self.url != url:
                return
            status = await self.send(event)

    async def send(self, event: Object, *, age_seconds: int = 0, secret: str | None = None) -> int:
        """Sends it once; returns the HTTP status, 0 without a response.

        `age_seconds` is the age of the signature; `secret` replaces the endpoint's.
        """
        if self.url is None or self._session is None:
            return 0
        body = json.dumps(event, indent=2).encode()
        headers = {
            "content-type": "application/json; charset=utf-8",
            "user-agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "stripe-signature": signature(body, secret or self.secret, int(time.time()) - age_seconds),
        }
        try:
            async with self._session.post(self.url, data=body, headers=headers) as response:
                return response.status
        except (aiohttp.ClientError, TimeoutError):
            return 0
