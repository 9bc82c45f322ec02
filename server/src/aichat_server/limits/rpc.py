"""Refuses calls above the rates of the caller's plan, or of one address without credentials."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import assert_never

from aichat_server.core.errors import AichatError, Reason
from aichat_server.identity.service.caller import current_principal
from aichat_server.limits.service import RateLimits
from aichat_server.transport.access import CountedCalls
from aichat_server.transport.call import Call


class CallLimits:
    """The step that counts calls: by caller, public ones by address. It runs after authentication."""

    def __init__(self, limits: RateLimits) -> None:
        self._limits = limits

    async def check(self, call: Call) -> None:
        """Raises RATE_LIMITED, and does not count the call, if it is one too many."""
        match call.access.counted:
            case CountedCalls.EVERY if call.access.public:
                await self._limits.admit_public(call.network)
            case CountedCalls.EVERY:
                await self._limits.admit_call(current_principal())
            case CountedCalls.WITH_ANSWER:
                # The use case counts it, so that a refusal counts neither the call nor the answer.
                pass
            case CountedCalls.UNSIGNED:
                call.when_failed = self._count_unsigned(call)
            case _:
                assert_never(call.access.counted)

    def _count_unsigned(self, call: Call) -> Callable[[AichatError], Awaitable[None]]:
        async def count(error: AichatError) -> None:
            if error.reason is Reason.WEBHOOK_INVALID:
                await self._limits.admit_public(call.network)

        return count
