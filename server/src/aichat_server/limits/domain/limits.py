"""Rate limits: which ones apply to a call, how much it uses, and how it is refused."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from aichat_server.identity.domain.principals import Principal
from aichat_server.plans.domain import PlanRates, Rates

WINDOW_SECONDS = 60
"""How far back a limit per minute looks, from each moment; use is stored by whole seconds."""


PUBLIC_REQUESTS_PER_MINUTE = 300
"""Calls without credentials from one address: enough for an office, or a mail program's servers."""


class LimitName(StrEnum):
    """The name of a limit."""

    REQUESTS = "requests_per_minute"
    TOKENS = "tokens_per_minute"
    STREAMS = "open_streams"


class Scope(StrEnum):
    """Whose use counts together."""

    API_KEY = "api_key"
    MEMBER = "member"
    ORGANIZATION = "organization"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit, and how much of it a call uses."""

    name: LimitName
    scope: Scope
    key: str
    """The key of its counter."""
    most: int
    amount: int = 1


@dataclass(frozen=True, slots=True)
class Claim:
    """The limits that one call uses: all of them, or none."""

    requests: tuple[Limit, ...]
    tokens: tuple[Limit, ...] = ()
    streams: tuple[Limit, ...] = ()
    """The organisation's last."""
    stream: str = ""
    """Names the stream. An open one uses neither tokens nor a slot again."""

    @property
    def share(self) -> int:
        """The largest part that it uses of any of its limits, in thousandths of that limit, rounded up."""
        limits = self.requests + self.tokens + self.streams
        return max(-(-1000 * limit.amount // max(limit.most, 1)) for limit in limits)


@dataclass(frozen=True, slots=True)
class Granted:
    """A granted claim."""

    second: int
    """When, in whole seconds of the limits' clock."""
    joined: bool = False
    """Whether the stream was already open; another call ends it then."""
    room: int = 0
    """The smallest part that any of its limits has left, in thousandths of that limit, rounded down."""
    used: tuple[int, ...] = ()
    """What is used of the limits of requests, then of those of tokens unless the stream was open: with this claim."""


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A refused claim, which used nothing."""

    limit: Limit
    """The limit with the longest wait."""
    used: int
    wait: float | None
    """Seconds until it fits; None for streams, whose end is unknown."""


def claim_call(principal: Principal, rates: PlanRates) -> Claim:
    """Returns the claim of a call that begins no answer."""
    return Claim(requests=_requests(_owners(principal, rates)))


def claim_turn(principal: Principal, rates: PlanRates, stream: str, tokens: int) -> Claim:
    """Returns the claim of a call that begins an answer of at most `tokens` tokens.

    A claim above a whole minute's limit is reduced to that limit, since it could never be granted otherwise.
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
    """Returns the claim of a call without credentials from that network."""
    key = f"{{{Scope.ADDRESS}:{network}}}:{LimitName.REQUESTS}"
    return Claim(requests=(Limit(LimitName.REQUESTS, Scope.ADDRESS, key, PUBLIC_REQUESTS_PER_MINUTE),))


@dataclass(frozen=True, slots=True)
class _Owner:
    """Whose use counts together, and its limits."""

    scope: Scope
    prefix: str
    rates: Rates

    def limit(self, name: LimitName, most: int, amount: int = 1) -> Limit:
        return Limit(name, self.scope, self.prefix + name, most, amount)


def _owners(principal: Principal, rates: PlanRates) -> tuple[_Owner, _Owner]:
    """Returns the caller, then the organisation."""
    # A Redis cluster keeps keys with the same text in braces together.
    org = f"{{{principal.org_id}}}:"
    if principal.key_id is not None:
        caller = _Owner(Scope.API_KEY, f"{org}key:{principal.key_id}:", rates.caller)
    else:
        caller = _Owner(Scope.MEMBER, f"{org}member:{principal.member_id}:", rates.caller)
    return caller, _Owner(Scope.ORGANIZATION, org, rates.organization)


def _requests(owners: tuple[_Owner, _Owner]) -> tuple[Limit, ...]:
    return tuple(owner.limit(LimitName.REQUESTS, owner.rates.requests_per_minute) for owner in owners)
