"""The headers of requests."""

from __future__ import annotations

from collections.abc import Mapping

from aichat_server.transport.call import Context

Headers = Mapping[str, str]
"""By lower-case name, the first value of each."""


def headers_of(context: Context) -> Headers:
    """Returns the headers of a call."""
    found: dict[str, str] = {}
    for name, value in context.invocation_metadata() or ():
        if isinstance(value, str):
            found.setdefault(name, value)
    return found
