"""Rate limits: what a call comes up against, what it takes, and how it is refused."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from aichat_server.domain.identity import Principal
from aichat_server.domain.plans import PLAN_RATES, Rates

WINDOW_SECONDS = 60
"""How far back a limit per minute looks, from each moment on; what was used is kept by whole seconds."""


class LimitName(StrEnum):
    """What is limited."""

    REQUESTS = "requests_per_minute"
    TOKENS = "tokens_per_minute"
    STREAMS = "open_streams"


class Scope(StrEnum):
    """Whose use is counted together."""

    API_KEY = "api_key"
    MEMBER = "member"
    ORGANIZATION = "organization"


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit, and how much of it a call takes."""

    name: LimitName
    scope: Scope
    org_id: UUID
    owner_id: UUID
    """The API key's, member's or organisation's."""
    most: int
    amount: int = 1

    @property
    def key(self) -> str:
        """Where its use is counted. A Redis cluster keeps together what is alike in braces."""
        return f"{{{self.org_id}}}:{self.scope}:{self.owner_id}:{self.name}"


@dataclass(frozen=True, slots=True)
class Claim:
    """What one call takes: all of it, or nothing."""

    requests: tuple[Limit, ...]
    tokens: tuple[Limit, ...] = ()
    streams: tuple[Limit, ...] = ()
    """The organisation's last."""
    stream: str = ""
    """Names the stream. One that is open already takes neither tokens nor a place again."""


@dataclass(frozen=True, slots=True)
class Granted:
    """A claim that was taken."""

    second: int
    """When, in whole Unix seconds of the clock that the limits go by."""
    joined: bool = False
    """True if the stream was open already, and is another call's to end."""


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A claim that took nothing."""

    limit: Limit
    """The one that it must wait longest for."""
    used: int
    wait: float | None
    """Seconds until there is room; None for streams, which end when they end."""


def claim_call(principal: Principal) -> Claim:
    """What a call takes that begins no answer."""
    return Claim(requests=_limits(principal, LimitName.REQUESTS))


def claim_turn(principal: Principal, stream: str, tokens: int) -> Claim:
    """What a call takes that begins an answer of at most so many tokens.

    One that is larger than a whole minute's limit takes all of that, since it could never be let in otherwise.
    """
    return Claim(
        requests=_limits(principal, LimitName.REQUESTS),
        tokens=_limits(principal, LimitName.TOKENS, tokens),
        streams=_limits(principal, LimitName.STREAMS),
        stream=stream,
    )


def _limits(principal: Principal, name: LimitName, amount: int = 1) -> tuple[Limit, ...]:
    rates, org_id = PLAN_RATES[principal.plan], principal.org_id
    scope, caller_id = Scope.MEMBER, principal.member_id
    if principal.key_id is not None:
        scope, caller_id = Scope.API_KEY, principal.key_id
    callers, all_of_it = _most(rates.caller, name), _most(rates.organization, name)
    return (
        Limit(name, scope, org_id, caller_id, callers, min(amount, callers)),
        Limit(name, Scope.ORGANIZATION, org_id, org_id, all_of_it, min(amount, all_of_it)),
    )


def _most(rates: Rates, name: LimitName) -> int:
    return {
        LimitName.REQUESTS: rates.requests_per_minute,
        LimitName.TOKENS: rates.tokens_per_minute,
        LimitName.STREAMS: rates.open_streams,
    }[name]
