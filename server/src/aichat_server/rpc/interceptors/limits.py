"""Refuses calls that come faster than the caller's plan allows."""

from __future__ import annotations

from aichat_server.rpc.caller import current_principal
from aichat_server.rpc.interceptors.call import Call
from aichat_server.services.limits import RateLimits

# These count themselves together with what they begin, so that a refusal leaves neither counted.
_BEGIN_TURNS = frozenset({"/aichat.v1.ChatService/StreamChat"})


class CallLimits:
    """The step that counts calls, but for public ones, which have no caller. It comes after authentication."""

    def __init__(self, limits: RateLimits) -> None:
        self._limits = limits

    async def check(self, call: Call) -> None:
        """RATE_LIMITED, and not counted, if the call is one too many."""
        if not call.access.public and call.method not in _BEGIN_TURNS:
            await self._limits.admit_call(current_principal())
