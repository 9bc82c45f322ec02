"""What operators may want to see of calls. Nothing here loads gRPC, since workers load `telemetry` as well."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol
from uuid import UUID

from aichat_server.core.errors import Reason


class SeenCall(Protocol):
    """A call of an RPC, of which more is known at its end than at its beginning."""

    @property
    def method(self) -> str:
        """For example "/aichat.v1.ChatService/StreamChat"."""
        ...

    @property
    def request_id(self) -> str:
        """The caller's, or else a new one."""
        ...

    @property
    def org_id(self) -> UUID | None:
        """None until the caller is known."""
        ...

    @property
    def status(self) -> str:
        """The name of the gRPC status that it ended with."""
        ...

    @property
    def reason(self) -> Reason | None:
        """Why it failed, if it did."""
        ...

    def values(self, key: str) -> list[str]:
        """The values of a header."""
        ...


class CallObserver:
    """Hears of calls; this one ignores them. Must be quick, and must not fail."""

    def call(self, call: SeenCall) -> AbstractContextManager[object]:  # noqa: ARG002 — for those that do not ignore it
        """A call of an RPC, for as long as it runs."""
        return nullcontext()
