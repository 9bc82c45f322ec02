"""Small limits for tests, and claims on them."""

from __future__ import annotations

from uuid import UUID

from aichat_server.limits.domain.limits import Claim, Limit, LimitName, Scope

ORG, KEY = UUID(int=1), UUID(int=2)


def claim(
    *, requests: int = 10, tokens: int = 100, streams: int = 5, stream: str = "a", amount: int = 10, key: UUID = KEY
) -> Claim:
    """Returns the claim of a turn of `amount` tokens; the key has these limits, and the organisation twice as much."""
    return Claim(
        requests=_limits(LimitName.REQUESTS, requests, 1, key),
        tokens=_limits(LimitName.TOKENS, tokens, amount, key),
        streams=_limits(LimitName.STREAMS, streams, 1, key),
        stream=stream,
    )


def _limits(name: LimitName, most: int, amount: int, key: UUID) -> tuple[Limit, ...]:
    return (
        Limit(name, Scope.API_KEY, f"{{{ORG}}}:key:{key}:{name}", most, amount),
        Limit(name, Scope.ORGANIZATION, f"{{{ORG}}}:{name}", 2 * most, amount),
    )
