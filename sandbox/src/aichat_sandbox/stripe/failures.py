"""Errors in Stripe's form."""

from __future__ import annotations

from typing import Any


class CallFailedError(Exception):
    """The error that the caller gets instead of an object."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        executed: bool = True,
        **more: str | None,
    ) -> None:
        """`executed`: the call had passed its checks, so its idempotency key stores this failure."""
        super().__init__(message)
        self.status = status
        self.executed = executed
        self._error: dict[str, Any] = {"message": message, "type": kind, "code": code, "param": param, **more}

    def body(self, request_id: str) -> dict[str, Any]:
        """Returns the body of the response."""
        error = {name: value for name, value in self._error.items() if value is not None}
        if "code" in error:
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{error['code'].replace('_', '-')}"
        return {"error": {**error, "request_log_url": f"https://dashboard.stripe.com/test/logs/{request_id}"}}


def invalid(message: str, param: str | None = None, code: str | None = None) -> CallFailedError:
    """Returns the error for an invalid parameter."""
    return CallFailedError(400, message, param=param, code=code, executed=False)


def missing_parameter(param: str) -> CallFailedError:
    """Returns the error for a missing parameter."""
    return invalid(f"Missing required param: {param}.", param, "parameter_missing")


def unknown_parameter(param: str) -> CallFailedError:
    """Returns the error for an unknown parameter."""
    return invalid(f"Received unknown parameter: {param}", param, "parameter_unknown")


def refused(message: str, code: str | None = None, param: str | None = None) -> CallFailedError:
    """Returns the error for a request that the current state does not allow."""
    return CallFailedError(400, message, code=code, param=param)


def no_such(kind: str, key: str, param: str, *, status: int = 404) -> CallFailedError:
    """Returns the error for an object that does not exist: 404 if the path names it, 400 if a parameter does."""
    return CallFailedError(status, f"No such {kind}: '{key}'", code="resource_missing", param=param)


def declined(charge: str | None = None) -> CallFailedError:
    """Returns the error for a card that its bank declines."""
    return CallFailedError(
        402,
        "Your card was declined.",
        kind="card_error",
        code="card_declined",
        decline_code="generic_decline",
        charge=charge,
    )


def scripted(status: int) -> CallFailedError:
    """Returns a failure that a test requested."""
    if status == 429:
        return CallFailedError(429, "Request rate limit exceeded.", code="rate_limit", executed=False)
    if status == 402:
        return declined()
    kind = "api_error" if status >= 500 else "invalid_request_error"
    # 500 is a fault inside Stripe, which the idempotency key stores; the others come from a proxy before it.
    return CallFailedError(status, f"Scripted failure {status}.", kind=kind, executed=status == 500)
