"""Who is calling, for the handler of the call."""

from __future__ import annotations

from contextvars import ContextVar

from aichat_server.identity.domain.principals import Principal

_principal: ContextVar[Principal] = ContextVar("principal")


def current_principal() -> Principal:
    """The authenticated caller of the RPC that this task serves; LookupError outside of one."""
    return _principal.get()


def set_principal(principal: Principal) -> None:
    """Names the caller for the rest of this task, which gRPC makes anew for each call."""
    _principal.set(principal)
