"""The headers of requests."""

from __future__ import annotations

from collections.abc import Mapping

from aichat_server.compat.domain.terms import Terms
from aichat_server.core.errors import invalid_request
from aichat_server.transport.call import Context

_KEY = "idempotency-key"
_LONGEST_KEY = 255
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
    return Terms(key, tuple(f"{name}: {headers[name]}" for name in _FORMS if name in headers))
