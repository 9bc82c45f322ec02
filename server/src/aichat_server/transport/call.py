"""One call, as the steps around its handler see it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address, ip_network
from typing import Any
from urllib.parse import unquote
from uuid import UUID

from grpc import StatusCode
from grpc.aio import ServicerContext

from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.ids import new_id
from aichat_server.transport.access import MethodAccess

REQUEST_ID_KEY = "x-request-id"
CLIENT_ADDRESS_KEY = "x-aichat-client-address"
"""The header by which the edge says where a call came from. It takes none from outside."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_MOST_SHOWN = 512

# What an IPv6 network is given to one customer at least.
_IPV6_BITS = 64

Metadata = Sequence[tuple[str, str | bytes]]
Context = ServicerContext[Any, Any]


@dataclass(slots=True)
class Call:
    """What is known of a call; the steps fill in the rest as they learn it."""

    method: str
    access: MethodAccess
    metadata: Metadata
    peer: str = ""
    """Who is at the other end of the connection, as gRPC writes it."""
    request_id: str = field(init=False)
    """The caller's, or else a new one."""
    sent_request_id: str | None = field(init=False, default=None)
    """The caller's where a new one stands for it, since it is no name; so that it finds the call all the same."""
    org_id: UUID | None = None
    code: StatusCode = StatusCode.UNKNOWN
    """How the call ended."""
    reason: Reason | None = None
    """Why it failed, if it did."""
    when_failed: Callable[[AichatError], Awaitable[None]] | None = None
    """Called with the failure; if it raises, the caller gets that error instead."""

    def __post_init__(self) -> None:
        given = next(iter(self.values(REQUEST_ID_KEY)), "")
        if _REQUEST_ID.fullmatch(given):
            self.request_id = given
        else:
            self.request_id = str(new_id())
            self.sent_request_id = given.encode("unicode_escape").decode()[:_MOST_SHOWN] or None

    @property
    def status(self) -> str:
        """The name of the status that the call ended with."""
        return self.code.name

    @property
    def client_address(self) -> str:
        """The IP address of the caller, as the edge or the connection reports it."""
        # gRPC writes ipv4:192.0.2.1:50123, and ipv6:[2001:db8::1]:50123 with its brackets encoded.
        host = unquote(self.peer).partition(":")[2].rpartition(":")[0].strip("[]")
        return next(iter(self.values(CLIENT_ADDRESS_KEY)), host)

    @property
    def network(self) -> str:
        """Where the call came from, as far as one caller has it alone: an IPv4 address, or 64 bits of an IPv6 one."""
        try:
            address = ip_address(self.client_address)
        except ValueError:
            return "unknown"
        if isinstance(address, IPv4Address):
            return str(address)
        return str(address.ipv4_mapped or ip_network((address, _IPV6_BITS), strict=False))

    def values(self, key: str) -> list[str]:
        """The values of a header of text, which may come more than once."""
        return [value for name, value in self.metadata if name == key and isinstance(value, str)]


Step = Callable[[Call], Awaitable[None]]
"""Something that a call must pass before its handler runs; it refuses the call by an AichatError."""
