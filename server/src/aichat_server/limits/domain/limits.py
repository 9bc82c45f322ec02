"""Rate limits: what a call comes up against, what it takes, and how it is refused."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from aichat_server.identity.domain.principals import Principal
from aichat_server.plans.domain import PlanRates, Rates

WINDOW_SECONDS = 60
"""How far back a limit per minute looks, from each moment on; what was used is kept by whole seconds."""


PUBLIC_REQUESTS_PER_MINUTE = 300
"""What may be called without credentials, from one address: enough for an office, or a mail program's servers."""


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
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit, and how much of it a call takes."""

    name: LimitName
    scope: Scope
    key: str
    """Where its use is counted."""
    most: int
    amount: int = 1


@dataclass(frozen=True, slots=True)
class Claim:
    """What one call takes: all of it, or nothing."""

    requests: tuple[Limit, ...]
    tokens: tuple[Limit, ...] = ()
    streams: tuple[Limit, ...] = ()
    """The organisation's last."""
    stream: str = ""
    """Names the stream. One that is open already takes neither tokens nor a place again."""

    @property
    def share(self) -> int:
        """The most that it takes of any of its limits, in thousandths of that limit, rounded up."""
        limits = self.requests + self.tokens + self.streams
        return max(-(-1000 * limit.amount // max(limit.most, 1)) for limit in limits)


@dataclass(frozen=True, slots=True)
class Granted:
    """A claim that was taken."""

    second: int
    """When, in whole seconds of the clock that the limits go by."""
    joined: bool = False
    """True if the stream was open already, and is another call's to end."""
    room: int = 0
    """The least that any of its limits has left, in thousandths of that limit, rounded down."""


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A claim that took nothing."""

    limit: Limit
    """The one that it must wait longest for."""
    used: int
    wait: float | None
    """Seconds until there is room; None for streams, which end when they end."""


def claim_call(principal: Principal, rates: PlanRates) -> Claim:
    """What a call takes that begins no answer."""
    return Claim(requests=_requests(_owners(principal, rates)))


def claim_turn(principal: Principal, rates: PlanRates, stream: str, tokens: int) -> Claim:
    """What a call takes that begins an answer of at most so many tokens.

    One that is larger than a whole minute's limit takes all of that, since it could never be let in otherwise.
    """
    owners = _owners(principal, rates)
    return Claim(
        requests=_requests(owners),
        tokens=tuple(
            owner.limit(LimitName.TOKENS, owner.rates.tokens_per_minute, min(tokens, owner.rates.tokens_per_minute))
            for owner in owners
        ),
        streams=tuple(owner.limit(LimitName.STREAMS, owner.rates.open_streams) for owner in owners),
        stream=stream,
    )


def claim_public(network: str) -> Claim:
    """What a call without credentials takes that comes from there."""
    key = f"{{{Scope.ADDRESS}:{network}}}:{LimitName.REQUESTS}"
    return Claim(requests=(Limit(LimitName.REQUESTS, Scope.ADDRESS, key, PUBLIC_REQUESTS_PER_MINUTE),))


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whose use is counted together, and what it may be."""

    scope: Scope
    prefix: str
    rates: Rates

    def limit(self, name: LimitName, most: int, amount: int = 1) -> Limit:
        return Limit(name, self.scope, self.prefix + name, most, amount)


def _owners(principal: Principal, rates: PlanRates) -> tuple[_Owner, _Owner]:
    """The caller, and then the organisation."""
    # A Redis cluster keeps together what is alike in braces.
    org = f"{{{principal.org_id}}}:"
    if principal.key_id is not None:
        caller = _Owner(Scope.API_KEY, f"{org}key:{principal.key_id}:", rates.caller)
    else:
        caller = _Owner(Scope.MEMBER, f"{org}member:{principal.member_id}:", rates.caller)
    return caller, _Owner(Scope.ORGANIZATION, org, rates.organization)


def _requests(owners: tuple[_Owner, _Owner]) -> tuple[Limit, ...]:
    return tuple(owner.limit(LimitName.REQUESTS, owner.rates.requests_per_minute) for owner in owners)
