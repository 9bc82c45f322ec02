"""The caller of the current call, for its handler."""

from __future__ import annotations

from contextvars import ContextVar

from aichat_server.identity.domain.principals import Principal

_principal: ContextVar[Principal] = ContextVar("principal")


def current_principal() -> Principal:
    """Returns the authenticated caller of the RPC that this task serves; raises LookupError outside of one."""
    return _principal.get()


def set_principal(principal: Principal) -> None:
    """Sets the caller for the rest of this task; gRPC creates a task for each call."""
    _principal.set(principal)
