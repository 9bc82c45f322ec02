"""Calls to Stripe: retries them if that is safe, and maps their failures to errors for callers."""

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
"""The version of the objects that we read: the one that the installed SDK was made for."""

_WAITS = (0.2, 0.8, 2.0)
"""The longest delay in seconds before each retry."""
_ANSWER_SECONDS = 10.0
"""The time limit of one response; after a silence that long, the call is not retried."""
_AGAIN_WITHIN_SECONDS = 5.0
"""No retry begins later than this after the first call."""
_TRY_AGAIN_SECONDS = 5.0

# The SDK wraps most failures of its transport, but not a response that breaks off.
_FAILURES = (stripe.StripeError, aiohttp.ClientError, TimeoutError)
_Failure = stripe.StripeError | aiohttp.ClientError | TimeoutError

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class StripeConfig:
    """Stripe's address, and our account."""

    secret_key: str = field(repr=False)
    base_url: str | None = None
    """None: Stripe's public address."""


@dataclass(frozen=True, slots=True)
class StripeCalls:
    """The client, and how to use it: every change has an idempotency key, which stays the same in retries."""

    client: stripe.StripeClient = field(repr=False)

    async def send(self, call: Callable[[], Awaitable[Result]]) -> Result:
        """Returns the result of `call`, retried if Stripe did not accept it or its response was lost; within 15 s.

        Raises BILLING_UNAVAILABLE, BILLING_NOT_CONFIGURED, BILLING_OBJECT_MISSING, BILLING_REQUEST_REJECTED or
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
    """Returns an idempotency key for a change that may be repeated at any time, such as finalizing."""
    return str(uuid4())


@asynccontextmanager
async def open_stripe(config: StripeConfig) -> AsyncGenerator[StripeCalls, None]:
    """Opens a client of Stripe, which connects when used."""
    http = stripe.AIOHTTPClient(timeout=aiohttp.ClientTimeout(total=_ANSWER_SECONDS))
    client = stripe.StripeClient(
        config.secret_key,
        stripe_version=API_VERSION,
        base_addresses={"api": config.base_url} if config.base_url else None,
        # Retried here, where the keys are known.
        max_network_retries=0,
        http_client=http,
    )
    try:
        yield StripeCalls(client)
    finally:
        await http.close_async()  # type: ignore[no-untyped-call] # the SDK's


def _mends(error: _Failure) -> bool:
    """Whether a retry may succeed: the call was not sent, limited, in progress, or failed on Stripe's side."""
    if not isinstance(error, stripe.StripeError) or isinstance(
        error, stripe.APIConnectionError | stripe.RateLimitError
    ):
        return True
    status = error.http_status or 0
    return status == 409 or status >= 500


def _to_error(error: _Failure) -> AichatError:
    """Returns the caller's error; the rest stays in the cause."""
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
