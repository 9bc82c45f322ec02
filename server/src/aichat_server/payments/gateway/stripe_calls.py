"""Calls to Stripe: repeated where that is safe, and their failures as callers may hear of them."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import uuid4

import aiohttp
import stripe
import structlog

from aichat_server.core.errors import AichatError, Reason

_log = structlog.get_logger()

API_VERSION = "2026-10-28.endive"
"""What the objects that we read are shaped by: the version that the installed SDK was made for."""

_WAITS = (0.2, 0.8, 2.0)
"""The longest seconds until each repetition."""
_ANSWER_SECONDS = 10.0
"""How long one answer may take in all; a silence of that length is not waited for twice."""
_AGAIN_WITHIN_SECONDS = 5.0
"""No repetition begins later than so long after the first call."""
_TRY_AGAIN_SECONDS = 5.0

# The SDK turns most of what its transport fails with into an error of its own, but not an answer that breaks off.
_FAILURES = (stripe.StripeError, aiohttp.ClientError, TimeoutError)
_Failure = stripe.StripeError | aiohttp.ClientError | TimeoutError

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class StripeConfig:
    """Where Stripe is, and who we are there."""

    secret_key: str = field(repr=False)
    base_url: str | None = None
    """None: Stripe's own address."""


@dataclass(frozen=True, slots=True)
class StripeCalls:
    """The client, and how it is used: every change goes under an idempotency key, the same one each time it is sent."""

    client: stripe.StripeClient = field(repr=False)

    async def send(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """What `call` gives, which is made again if Stripe did not take it or its answer was lost; within 15 s.

        BILLING_UNAVAILABLE, BILLING_NOT_CONFIGURED, BILLING_OBJECT_MISSING, BILLING_REQUEST_REJECTED or
        PAYMENT_DECLINED.
        """
        last, waits = time.monotonic() + _AGAIN_WITHIN_SECONDS, iter(_WAITS)
        while True:
            try:
                return await call()
            except _FAILURES as error:
                wait = next(waits, math.inf) * random.uniform(0.5, 1)  # noqa: S311 — no secret
                if not _mends(error) or time.monotonic() + wait > last:
                    raise _to_error(error) from error
                _log.info("stripe asked again", error=repr(error))
            await asyncio.sleep(wait)


def new_key() -> str:
    """An idempotency key for a change that is right however often it is asked for, such as finalising."""
    return str(uuid4())


@asynccontextmanager
async def open_stripe(config: StripeConfig) -> AsyncGenerator[StripeCalls, None]:
    """A client of Stripe, which connects when it is used."""
    http = stripe.AIOHTTPClient(timeout=aiohttp.ClientTimeout(total=_ANSWER_SECONDS))
    client = stripe.StripeClient(
        config.secret_key,
        stripe_version=API_VERSION,
        base_addresses={"api": config.base_url} if config.base_url else None,
        # Repeated here, where the keys are known.
        max_network_retries=0,
        http_client=http,
    )
    try:
        yield StripeCalls(client)
    finally:
        await http.close_async()  # type: ignore[no-untyped-call] # the SDK's


def _mends(error: _Failure) -> bool:
    """Whether the same call may go better: never reached, limited, in progress, or failed on Stripe's side."""
    if not isinstance(error, stripe.StripeError) or isinstance(
        error, stripe.APIConnectionError | stripe.RateLimitError
    ):
        return True
    status = error.http_status or 0
    return status == 409 or status >= 500


def _to_error(error: _Failure) -> AichatError:
    """What the caller hears; the rest stays in the cause."""
    if not isinstance(error, stripe.StripeError) or _mends(error):
        message = "the payment provider cannot be reached now; try again"
        return AichatError(Reason.BILLING_UNAVAILABLE, message, retry_after=_TRY_AGAIN_SECONDS)
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        message = "the payment provider refuses this server's key; its operator must mend that"
        return AichatError(Reason.BILLING_NOT_CONFIGURED, message)
    metadata = {"code": error.code} if error.code else {}
    if isinstance(error, stripe.CardError):
        message = "the card was declined; pay with another one or ask its bank"
        return AichatError(Reason.PAYMENT_DECLINED, message, metadata=metadata)
    if error.code == "resource_missing":
        return AichatError(Reason.BILLING_OBJECT_MISSING, "the payment provider knows no such object")
    message = f"the payment provider did not take the request: {error.code or type(error).__name__}"
    return AichatError(Reason.BILLING_REQUEST_REJECTED, message, metadata=metadata)
