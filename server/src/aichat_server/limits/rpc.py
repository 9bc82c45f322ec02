"""Refuses calls that come faster than the caller's plan allows, or than one address may make without credentials."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aichat_server.core.errors import AichatError, Reason
from aichat_server.identity.service.caller import current_principal
from aichat_server.limits.service import RateLimits
from aichat_server.transport.call import Call

# These count themselves together with what they begin, so that a refusal leaves neither counted.
_BEGIN_TURNS = frozenset({"/aichat.v1.ChatService/StreamChat"})


# These come in bursts, from few addresses, and carry a signature: only those without a good one are counted.
_SIGNED = frozenset({"/aichat.v1.BillingService/StripeWebhook"})


class CallLimits:
    """The step that counts calls: by who calls, public ones by where from. It comes after authentication."""

    def __init__(self, limits: RateLimits) -> None:
        self._limits = limits

    async def check(self, call: Call) -> None:
        """RATE_LIMITED, and not counted, if the call is one too many."""
        if call.method in _SIGNED:
            call.when_failed = self._count_unsigned(call)
        elif call.access.public:
            await self._limits.admit_public(call.network)
        elif call.method not in _BEGIN_TURNS:
            await self._limits.admit_call(current_principal())

    def _count_unsigned(self, call: Call) -> Callable[[AichatError], Awaitable[None]]:
        async def count(error: AichatError) -> None:
            if error.reason is Reason.WEBHOOK_INVALID:
                await self._limits.admit_public(call.network)

        return count
