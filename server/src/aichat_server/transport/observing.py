"""The events of calls that operators can observe. It does not load gRPC, since workers load `telemetry` as well."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol
from uuid import UUID

from aichat_server.core.errors import Reason


class SeenCall(Protocol):
    """A call of an RPC; its last fields are set at its end."""

    @property
    def method(self) -> str:
        """For example "/aichat.v1.ChatService/StreamChat"."""
        ...

    @property
    def request_id(self) -> str:
        """The caller's, or a new one."""
        ...

    @property
    def org_id(self) -> UUID | None:
        """None until the caller is identified."""
        ...

    @property
    def status(self) -> str:
        """The name of the gRPC status that it ended with."""
        ...

    @property
    def reason(self) -> Reason | None:
        """The reason of its failure, if any."""
        ...

    def values(self, key: str) -> list[str]:
        """Returns the values of a header."""
        ...


class CallObserver:
    """Observes calls; this one ignores all events. Must be quick, and must not fail."""

    def call(self, call: SeenCall) -> AbstractContextManager[object]:  # noqa: ARG002 — for those that do not ignore it
        """A call of an RPC, for its whole length."""
        return nullcontext()
