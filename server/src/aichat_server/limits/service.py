"""Rate limits of the caller's plan, counted for all processes together or, without Redis, by this process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import NoReturn, TypeAlias

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
from aichat_server.limits.domain.room import Room
from aichat_server.limits.domain.standings import Standing, Standings
from aichat_server.limits.gateway.shared_limits import LimitsAwayError, SharedLimits
from aichat_server.plans.domain import Plan, PlanRates

_log = structlog.get_logger()

# How often open streams are renewed, and a lost Redis is tried again.
_BEAT_SECONDS = 5.0
# A slower Redis would delay every call.
_SLOW_SECONDS = 0.5
# Nobody knows when a stream ends; this is how soon a retry is worthwhile.
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


_End: TypeAlias = Callable[[int], None]


class Admission:
    """A turn that is admitted, or whose admission `confirmed` reports.

    End it once its answer is no longer being written, or if the turn was refused.
    """

    def __init__(self, taking: asyncio.Task[_End]) -> None:
        self._taking = taking
        self._ended = False

    async def confirmed(self) -> None:
        """Returns once the turn has been counted; raises RATE_LIMITED, having used nothing, if it is one too many."""
        # A claim that was sent to Redis counts, even if this task is cancelled.
        await asyncio.shield(self._taking)

    def end(self, tokens: int) -> None:
        """Closes the stream, and releases tokens beyond `tokens`. A second call does nothing."""
        if self._ended:
            return
        self._ended = True
        if self._taking.done():
            self._give_back(tokens, self._taking)
        else:
            self._taking.add_done_callback(partial(self._give_back, tokens))

    def _give_back(self, tokens: int, taking: asyncio.Task[_End]) -> None:
        if not taking.cancelled() and taking.exception() is None:
            taking.result()(tokens)


class RateLimits:
    """Admits calls or refuses them with RATE_LIMITED. A refused call has used nothing."""

    def __init__(
        self,
        shared: SharedLimits | None,
        rates: Callable[[Plan], PlanRates],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Without `shared`, this process counts alone.

        `rates` returns a plan's rates, `clock` monotonic seconds.
        """
        self._shared = shared
        self._rates = rates
        self._away = shared is None
        self._local = LocalLimits()
        self._room = Room()
        self._standings = Standings()
        self._clock = clock
        self._open: dict[str, set[str]] = {}
        """The streams that this process renews, by the key of their limit."""

    def watch(self, principal: Principal) -> Callable[[], Iterable[Standing]]:
        """Returns what tells how the caller stands with its limits per minute.

        What is left is what Redis says of the caller's last turn, if that was counted after this call.
        """
        rates, since = self._rates(principal.plan), self._clock()
        key, own = claim_call(principal, rates).requests[0].key, rates.caller
        unknown = {
            LimitName.REQUESTS: Standing(LimitName.REQUESTS, own.requests_per_minute),
            LimitName.TOKENS: Standing(LimitName.TOKENS, own.tokens_per_minute),
        }

        def standings() -> Iterable[Standing]:
            return {**unknown, **self._standings.of(key, since)}.values()

        return standings

    async def admit_call(self, principal: Principal) -> None:
        """Counts a call that begins no answer."""
        await self._take(claim_call(principal, self._rates(principal.plan)))

    async def admit_public(self, network: str) -> None:
        """Counts a call without credentials, by its network."""
        await self._take(claim_public(network))

    async def admit_turn(self, principal: Principal, stream: str, tokens: int) -> Admission:
        """Counts a call that begins an answer of at most `tokens` tokens.

        A caller with plenty of room need not wait for Redis: the call is counted at the same time, and `confirmed`
        reports the result. `stream` names the turn within its organisation: an open one is joined, and uses no slot
        again.
        """
        claim = claim_turn(principal, self._rates(principal.plan), stream, tokens)
        admission = Admission(asyncio.get_running_loop().create_task(self._take_turn(claim)))
        if not self._room.covers(claim, self._clock()):
            try:
                await admission.confirmed()
            except BaseException:
                admission.end(tokens=0)
                raise
        return admission

    async def _take_turn(self, claim: Claim) -> _End:
        """Returns the function that ends the turn."""
        granted, shared = await self._ask(claim)
        self._room.note(claim, granted, self._clock())
        if isinstance(granted, Exceeded):
            raise _refusal(granted)
        if shared is not None:
            self._standings.note(claim, granted, self._clock())
        if granted.joined:
            return _nothing
        if shared is None:
            return partial(self._local.end, claim, granted.second)
        for limit in claim.streams:
            self._open.setdefault(limit.key, set()).add(claim.stream)

        def end(tokens: int) -> None:
            for limit in claim.streams:
                self._close(limit.key, claim.stream)
            shared.end(claim, granted.second, tokens)

        return end

    async def _take(self, claim: Claim) -> None:
        answer, _ = await self._ask(claim)
        if isinstance(answer, Exceeded):
            raise _refusal(answer)

    async def _ask(self, claim: Claim) -> tuple[Granted | Exceeded, SharedLimits | None]:
        """Returns the answer, and the limits that gave it; None for this process's own."""
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
        return answer, shared

    async def keep(self) -> NoReturn:
        """Keeps open streams counted, and returns to Redis when it is up and quick again."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            self._local.forget(self._clock())
            self._room.forget(self._clock())
            self._standings.forget(self._clock())
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


def _nothing(_tokens: int) -> None:
    """Another call ends the turn."""


def _refusal(exceeded: Exceeded) -> AichatError:
    limit = exceeded.limit
    wait = _STREAM_WAIT_SECONDS if exceeded.wait is None else exceeded.wait
    resets_at = datetime.now(UTC) + timedelta(seconds=wait)
    remedy = "wait" if limit.scope is Scope.ADDRESS else "wait, or subscribe to a larger plan"
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
