"""Rate limits: what a caller's plan lets through, counted for all processes together or, failing that, by this one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import structlog

from aichat_server.core.errors import AichatError, Reason
from aichat_server.identity.domain.principals import Principal
from aichat_server.limits.domain.limits import (
    Claim,
    Exceeded,
    Granted,
    LimitName,
    Scope,
    claim_call,
    claim_public,
    claim_turn,
)
from aichat_server.limits.domain.local_limits import LocalLimits
from aichat_server.limits.gateway.shared_limits import LimitsAwayError, SharedLimits
from aichat_server.plans.domain import Plan, PlanRates

_log = structlog.get_logger()

# How often open streams are renewed, and Redis is looked for where it was lost.
_BEAT_SECONDS = 5.0
# A Redis that is slower would hold up every call.
_SLOW_SECONDS = 0.5
# When a stream will end is not known; this is how soon it is worth looking again.
_STREAM_WAIT_SECONDS = 1.0

_UNITS = {
    LimitName.REQUESTS: "requests a minute",
    LimitName.TOKENS: "tokens a minute",
    LimitName.STREAMS: "answers at once",
}
_OWNERS = {
    Scope.API_KEY: "this API key",
    Scope.MEMBER: "this member",
    Scope.ORGANIZATION: "the organisation",
    Scope.ADDRESS: "this address",
}


class Admission:
    """A turn that was let in. End it once its answer is no longer being written."""

    def __init__(self, end: Callable[[int], None]) -> None:
        self._end: Callable[[int], None] | None = end

    def end(self, tokens: int) -> None:
        """Closes the stream, and gives back what was taken beyond `tokens`. Once; then it does nothing."""
        end, self._end = self._end, None
        if end is not None:
            end(tokens)


class RateLimits:
    """Lets calls in or refuses them with RATE_LIMITED. A call that is refused has used nothing up."""

    def __init__(
        self,
        shared: SharedLimits | None,
        rates: Callable[[Plan], PlanRates],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Without `shared`, this process counts alone. `rates` tells those of a plan, `clock` monotonic
        seconds.
        """
        self._shared = shared
        self._rates = rates
        self._away = shared is None
        self._local = LocalLimits()
        self._clock = clock
        self._open: dict[str, set[str]] = {}
        """The streams that this process has to renew, by the key of their limit."""

    async def admit_call(self, principal: Principal) -> None:
        """Counts a call that begins no answer."""
        await self._take(claim_call(principal, self._rates(principal.plan)))

    async def admit_public(self, network: str) -> None:
        """Counts a call without credentials, by where it comes from."""
        await self._take(claim_public(network))

    async def admit_turn(self, principal: Principal, stream: str, tokens: int) -> Admission:
        """Counts a call that begins an answer of at most so many tokens.

        `stream` names the turn within its organisation: one that is open already is joined, and takes no place again.
        """
        claim = claim_turn(principal, self._rates(principal.plan), stream, tokens)
        granted, shared = await self._take(claim)
        if granted.joined:
            return Admission(lambda _: None)
        if shared is None:
            return Admission(lambda tokens: self._local.end(claim, granted.second, tokens))
        for limit in claim.streams:
            self._open.setdefault(limit.key, set()).add(stream)

        def end(tokens: int) -> None:
            for limit in claim.streams:
                self._close(limit.key, stream)
            shared.end(claim, granted.second, tokens)

        return Admission(end)

    async def _take(self, claim: Claim) -> tuple[Granted, SharedLimits | None]:
        """What was granted, and where; None for here."""
        shared = None if self._away else self._shared
        answer: Granted | Exceeded | None = None
        if shared is not None:
            try:
                answer = await shared.take(claim)
            except LimitsAwayError as error:
                self._lose(str(error))
                shared = None
        if answer is None:
            answer = self._local.take(claim, self._clock())
        if isinstance(answer, Exceeded):
            raise _refusal(answer)
        return answer, shared

    async def keep(self) -> NoReturn:
        """While it runs, open streams stay counted, and Redis is used again when it is back and quick."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            self._local.forget(self._clock())
            if self._shared is None:
                continue
            began = loop.time()
            try:
                await self._shared.renew(self._open)
            except LimitsAwayError as error:
                self._lose(str(error))
            else:
                seconds = loop.time() - began
                if seconds > _SLOW_SECONDS:
                    self._lose(f"Redis takes {seconds:.1f} s to answer")
                else:
                    self._find()

    def _lose(self, cause: str) -> None:
        if not self._away:
            self._away = True
            _log.warning("rate limits are counted by each process alone", cause=cause)

    def _find(self) -> None:
        if self._away:
            self._away = False
            _log.info("rate limits are shared again")

    def _close(self, key: str, stream: str) -> None:
        names = self._open.get(key, set())
        names.discard(stream)
        if not names:
            self._open.pop(key, None)


def _refusal(exceeded: Exceeded) -> AichatError:
    limit = exceeded.limit
    wait = _STREAM_WAIT_SECONDS if exceeded.wait is None else exceeded.wait
    resets_at = datetime.now(UTC) + timedelta(seconds=wait)
    remedy = "wait" if limit.scope is Scope.ADDRESS else "wait, or ask for a larger plan"
    message = f"{_OWNERS[limit.scope]} may have {limit.most} {_UNITS[limit.name]}; {remedy}"
    metadata = {
        "name": limit.name.value,
        "scope": limit.scope.value,
        "limit": str(limit.most),
        "used": str(exceeded.used),
        "remaining": str(max(0, limit.most - exceeded.used)),
        "reset_time": resets_at.isoformat(timespec="milliseconds"),
    }
    return AichatError(Reason.RATE_LIMITED, message, metadata=metadata, retry_after=wait)
