"""The headers of requests, and the limits in those of responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aichat_server.compat.domain.terms import Terms
from aichat_server.core.errors import invalid_request
from aichat_server.identity.service.caller import current_principal
from aichat_server.limits.domain.standings import Standing
from aichat_server.limits.service import RateLimits
from aichat_server.transport.call import Context
from aichat_server.transport.foreign import current_reply

_KEY = "idempotency-key"
_LONGEST_KEY = 255
_REATTACH = "x-aichat-reattach"
_ON, _OFF = "on", "off"
# OpenAI's and Anthropic's SDKs count their retries of one call here.
_RETRIES = "x-stainless-retry-count"
# The same body may ask for another answer under another version of the API.
_FORMS = ("anthropic-version", "anthropic-beta", "openai-beta", "x-aichat-conversation")

Headers = Mapping[str, str]
"""By lower-case name, the first value of each."""


def headers_of(context: Context) -> Headers:
    """Returns the headers of a call."""
    found: dict[str, str] = {}
    for name, value in context.invocation_metadata() or ():
        if isinstance(value, str):
            found.setdefault(name, value)
    return found


def terms_of(headers: Headers) -> Terms:
    """Returns how the call may be repeated. Raises REQUEST_INVALID."""
    key = headers.get(_KEY)
    if key is not None and not 0 < len(key) <= _LONGEST_KEY:
        raise invalid_request(_KEY, f"must have 1 to {_LONGEST_KEY} characters")
    forms = tuple(f"{name}: {headers[name]}" for name in _FORMS if name in headers)
    reattach = headers.get(_REATTACH, _ON).lower()
    if reattach not in (_ON, _OFF):
        raise invalid_request(_REATTACH, f"must be {_ON} or {_OFF}")
    retries = headers[_RETRIES] != "0" if _RETRIES in headers else None
    return Terms(key, forms, reattaches=reattach == _ON, retries=retries)


def tell_limits(limits: RateLimits, write: Callable[[Standing], Mapping[str, str]]) -> None:
    """Has the response tell the caller's limits and, if the call is counted, what is left of them.

    `write` returns an API's headers of one limit.
    """
    standings = limits.watch(current_principal())
    current_reply().late_headers = lambda: {name: value for one in standings() for name, value in write(one).items()}
