"""How much of which limits a call uses."""

from __future__ import annotations

from uuid import uuid4

from aichat_server.identity.domain.principals import Principal
from aichat_server.limits.domain.limits import Scope, claim_turn

from tests.fixtures.rates import FREE_RATES


def test_a_key_is_counted_as_itself_and_a_session_as_its_member() -> None:
    org_id, member_id, key_id = uuid4(), uuid4(), uuid4()
    by_key = claim_turn(Principal(org_id, member_id, key_id), FREE_RATES, "s", 1)
    by_session = claim_turn(Principal(org_id, member_id), FREE_RATES, "s", 1)
    for claims, scope, owner in ((by_key, Scope.API_KEY, key_id), (by_session, Scope.MEMBER, member_id)):
        for limits in (claims.requests, claims.tokens, claims.streams):
            assert [limit.scope for limit in limits] == [scope, Scope.ORGANIZATION]
            assert [str(owner) in limit.key for limit in limits] == [True, False]
            assert all(limit.key.startswith(f"{{{org_id}}}:") for limit in limits)
    keys = [limit.key for claim in (by_key, by_session) for limit in claim.requests + claim.tokens + claim.streams]
    assert len(set(keys)) == 9


def test_a_turn_larger_than_a_whole_minute_takes_the_whole_minute() -> None:
    claim = claim_turn(Principal(uuid4(), uuid4()), FREE_RATES, "s", 10**9)
    assert [limit.amount for limit in claim.tokens] == [limit.most for limit in claim.tokens]
