"""One call, as the steps around its handler see it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from grpc import StatusCode
from grpc.aio import ServicerContext

from aichat_server.domain.errors import Reason
from aichat_server.domain.ids import new_id
from aichat_server.rpc.access import MethodAccess

REQUEST_ID_KEY = "x-request-id"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_MOST_SHOWN = 512

Metadata = Sequence[tuple[str, str | bytes]]
Context = ServicerContext[Any, Any]


@dataclass(slots=True)
class Call:
    """What is known of a call; the steps fill in the rest as they learn it."""

    method: str
    access: MethodAccess
    metadata: Metadata
    request_id: str = field(init=False)
    """The caller's, or else a new one."""
    sent_request_id: str | None = field(init=False, default=None)
    """The caller's where a new one stands for it, since it is no name; so that it finds the call all the same."""
    org_id: UUID | None = None
    code: StatusCode = StatusCode.UNKNOWN
    """How the call ended."""
    reason: Reason | None = None
    """Why it failed, if it did."""

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

    def values(self, key: str) -> list[str]:
        """The values of a header of text, which may come more than once."""
        return [value for name, value in self.metadata if name == key and isinstance(value, str)]


Step = Callable[[Call], Awaitable[None]]
"""Something that a call must pass before its handler runs; it refuses the call by an AichatError."""
