"""Who may call: API keys and session tokens, by header or by cookie, with a real server and real Postgres."""

from __future__ import annotations

import base64
import json
import logging
from datetime import timedelta
from urllib.parse import quote
from uuid import UUID, uuid4

import grpc
import pytest
from aichat.v1 import conversations_pb2 as pb
from aichat_sandbox.postgres import Postgres
from aichat_server.core.actor import Actor
from aichat_server.core.database.database import Database
from aichat_server.core.database.pool import CALLS, Connector, Pool, create_engine
from aichat_server.core.errors import AichatError, Reason
from aichat_server.identity.domain import api_keys
from aichat_server.identity.domain.observing import KeyRefusal
from aichat_server.identity.domain.principals import personal_org_id
from aichat_server.identity.service.authenticator import Authenticator
from aichat_server.identity.service.organizations import MintedKey, Organizations
from aichat_server.identity.storage.api_keys import ApiKeyRepository
from aichat_server.identity.storage.organizations import OrganizationRepository
from aichat_server.telemetry.metrics import Metrics
from aichat_server.telemetry.observing import Observer
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from tests.fixtures.auth import Auth
from tests.fixtures.rows import connection
from tests.fixtures.rpc import COOKIE, ORIGIN, Client, Headers, Refusal, bearer, refusal
from tests.integration.conversations.asking import eventually


async def refused(client: Client, headers: Headers) -> Refusal:
    """Returns the refusal of a call with these headers."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.conversations.ListConversations(pb.ListConversationsRequest(), metadata=headers)
    return refusal(caught.value)


async def org_of(client: Client, headers: Headers) -> UUID:
    made = await client.conversations.CreateConversation(pb.CreateConversationRequest(), metadata=headers)
    return UUID(made.conversation.organization_id)


def cookie(value: str) -> tuple[str, str]:
    return ("cookie", f"theme=dark; {COOKIE}={value}; other=1")


async def test_an_api_key_acts_for_its_organisation(client: Client, key: MintedKey) -> None:
    made = await client.conversations.CreateConversation(pb.CreateConversationRequest(), metadata=bearer(key.api_key))
    assert made.conversation.organization_id == str(key.org_id)
    assert made.conversation.member_id == str(key.member_id)


async def test_a_call_without_credentials_is_refused(client: Client) -> None:
    answer = await refused(client, ())
    assert (answer.code, answer.reason) == (grpc.StatusCode.UNAUTHENTICATED, Reason.CREDENTIALS_MISSING)
    assert (await refused(client, (("cookie", "theme=dark"),))).reason is Reason.CREDENTIALS_MISSING


@pytest.mark.parametrize(
    "value", ["Bearer", "Bearer ", "Basic YTpi", "ak_x", "Bearer ak_", "Bearer ak_wrong", "Bearer x"]
)
async def test_malformed_credentials_are_refused(client: Client, value: str) -> None:
    assert (await refused(client, (("authorization", value),))).reason is Reason.CREDENTIALS_INVALID


async def test_a_key_of_another_company_is_told_what_a_key_looks_like(client: Client) -> None:
    answer = await refused(client, (("authorization", "Bearer sk-proj-x"),))
    assert "no API key of this platform, which begins with `ak_`" in answer.status.message


async def test_unknown_and_wrong_keys_are_refused_alike(client: Client, key: MintedKey) -> None:
    wrong = key.api_key[:-1] + ("0" if key.api_key[-1] != "0" else "1")
    _, unknown = api_keys.new_key(key.org_id)
    _, foreign = api_keys.new_key(uuid4())
    answers = [await refused(client, bearer(text)) for text in (wrong, unknown, foreign, "ak_" + "z" * 76)]
    assert {answer.reason for answer in answers} == {Reason.CREDENTIALS_INVALID}
    assert len({answer.status.SerializeToString() for answer in answers}) == 1


async def test_a_made_up_key_is_refused_without_the_database_and_counted(key: MintedKey) -> None:
    counted: list[KeyRefusal] = []

    class Counting(Observer):
        def key_refused(self, why: KeyRefusal) -> None:
            counted.append(why)

    # Port 1 of the loopback takes no connections.
    nowhere = Connector("postgresql://nobody@127.0.0.1:1/none", prepared_statements=True)
    engine = create_engine(nowhere, 1)
    pool = Pool(nowhere, 1, 1.0)
    authenticator = Authenticator(Database(engine, pool, pool, CALLS), None, cache_seconds=0, observer=Counting())
    last = "0" if key.api_key[-1] != "0" else "1"
    for text in (key.api_key[:-1] + last, key.api_key[:-1], key.api_key + "0", "ak_", "ak_" + "z" * 76):
        assert await reason_of(authenticator, text) is Reason.CREDENTIALS_INVALID
    assert counted == [KeyRefusal.MALFORMED] * 5
    assert await reason_of(authenticator, key.api_key) is Reason.STORAGE_UNAVAILABLE
    await engine.dispose()


async def test_each_refusal_of_a_key_is_counted_by_its_kind(database: Database, key: MintedKey) -> None:
    registry = CollectorRegistry()
    authenticator = Authenticator(database, None, cache_seconds=0, observer=Metrics(registry))
    expired = await Organizations(database).mint_another_key(key.org_id, expires_in=timedelta(seconds=-1))
    assert expired is not None
    await Organizations(database).revoke_key(key.org_id, key.key_id)
    for text in (key.api_key, expired.api_key, api_keys.new_key(key.org_id)[1], "ak_x"):
        await reason_of(authenticator, text)
    kinds = ("malformed", "unknown", "revoked", "expired")
    assert [registry.get_sample_value("aichat_keys_refused_total", {"why": why}) for why in kinds] == [1, 1, 1, 1]


async def test_supabases_own_cookies_are_good(client: Client, auth: Auth) -> None:
    user_id = uuid4()
    session = json.dumps({"access_token": await auth.mint(sub=str(user_id)), "refresh_token": "r"})
    stored = "base64-" + base64.urlsafe_b64encode(session.encode()).decode().rstrip("=")
    half = len(stored) // 2
    crumbs = f"sb-x-auth-token.0={stored[:half]}; sb-x-auth-token.1={stored[half:]}"
    for value in (crumbs, f"sb-x-auth-token={stored}", f"sb-x-auth-token={quote(session)}"):
        assert await org_of(client, (("cookie", value), ("origin", ORIGIN))) == personal_org_id(user_id)
        foreign = await refused(client, (("cookie", value), ("origin", "https://evil.example")))
        assert foreign.reason is Reason.ORIGIN_NOT_ALLOWED
    half_a_character = base64.urlsafe_b64encode(b'{"access_token": "\\ud800"}').decode()
    bad = (("cookie", f"sb-x-auth-token=base64-{half_a_character}"), ("origin", ORIGIN))
    assert (await refused(client, bad)).reason is Reason.CREDENTIALS_INVALID


async def test_two_authorization_headers_are_refused(client: Client, key: MintedKey) -> None:
    answer = await refused(client, (*bearer(key.api_key), *bearer("ak_other")))
    assert answer.reason is Reason.CREDENTIALS_INVALID


async def test_revoked_and_expired_keys_are_told_apart(client: Client, database: Database, key: MintedKey) -> None:
    organizations = Organizations(database)
    expired = await organizations.mint_key("expired", expires_in=timedelta(seconds=-1))
    assert (await refused(client, bearer(expired.api_key))).reason is Reason.CREDENTIALS_EXPIRED
    assert await organizations.revoke_key(key.org_id, key.key_id)
    assert (await refused(client, bearer(key.api_key))).reason is Reason.CREDENTIALS_REVOKED


async def test_a_session_token_acts_for_the_users_own_organisation(client: Client, auth: Auth) -> None:
    user_id = uuid4()
    token = await auth.mint(sub=str(user_id))
    assert await org_of(client, bearer(token)) == personal_org_id(user_id)
    assert await org_of(client, bearer(await auth.mint(sub=str(user_id)))) == personal_org_id(user_id)


async def test_an_expired_session_token_is_refused(client: Client, auth: Auth) -> None:
    assert (await refused(client, bearer(await auth.mint(exp=1)))).reason is Reason.CREDENTIALS_EXPIRED


async def test_the_cookie_is_good_for_pages_of_an_allowed_origin(client: Client, auth: Auth) -> None:
    user_id = uuid4()
    token = await auth.mint(sub=str(user_id))
    for value in (token, token.replace(".", "%2E"), f'"{token}"'):
        assert await org_of(client, (cookie(value), ("origin", ORIGIN))) == personal_org_id(user_id)


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "", f"{ORIGIN}.evil.example", "http://app.example"])
async def test_the_cookie_is_refused_to_any_other_page(client: Client, auth: Auth, origin: str) -> None:
    token = await auth.mint()
    answer = await refused(client, (cookie(token), ("origin", origin)))
    assert (answer.code, answer.reason) == (grpc.StatusCode.PERMISSION_DENIED, Reason.ORIGIN_NOT_ALLOWED)
    assert answer.metadata == {"origin": origin}


async def test_without_an_origin_the_cookie_only_reads(client: Client, auth: Auth) -> None:
    headers: Headers = (cookie(await auth.mint()),)
    await client.conversations.ListConversations(pb.ListConversationsRequest(), metadata=headers)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.conversations.CreateConversation(pb.CreateConversationRequest(), metadata=headers)
    assert refusal(caught.value).reason is Reason.ORIGIN_NOT_ALLOWED


async def test_the_cookie_carries_no_api_key(client: Client, key: MintedKey) -> None:
    answer = await refused(client, (cookie(key.api_key), ("origin", ORIGIN)))
    assert answer.reason is Reason.CREDENTIALS_INVALID


async def test_the_header_wins_over_the_cookie(client: Client, auth: Auth, key: MintedKey) -> None:
    good = cookie(await auth.mint())
    foreign = ("origin", "https://evil.example")
    assert await org_of(client, (*bearer(key.api_key), good, foreign)) == key.org_id
    assert (await refused(client, (*bearer("ak_wrong"), good))).reason is Reason.CREDENTIALS_INVALID


class Clock:
    """A clock that only the test advances."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


async def test_the_cache_forgets_a_revoked_key_in_time(database: Database, key: MintedKey) -> None:
    clock = Clock()
    authenticator = Authenticator(database, None, cache_seconds=10, clock=clock)
    principal = await authenticator.authenticate(key.api_key)
    await Organizations(database).revoke_key(key.org_id, key.key_id)
    clock.seconds += 9
    assert await authenticator.authenticate(key.api_key) == principal
    clock.seconds += 2
    assert await reason_of(authenticator, key.api_key) is Reason.CREDENTIALS_REVOKED


async def test_the_cache_never_outlives_the_key(database: Database, postgres: Postgres) -> None:
    clock = Clock()
    authenticator = Authenticator(database, None, cache_seconds=10**9, clock=clock)
    key = await Organizations(database).mint_key("short", expires_in=timedelta(days=1))
    await authenticator.authenticate(key.api_key)
    async with connection(postgres.owner_url) as owner:
        await owner.execute("UPDATE aichat.api_keys SET expires_at = now() WHERE key_id = $1", key.key_id)
    clock.seconds += timedelta(hours=23).total_seconds()
    await authenticator.authenticate(key.api_key)
    clock.seconds += timedelta(hours=1).total_seconds()
    assert await reason_of(authenticator, key.api_key) is Reason.CREDENTIALS_EXPIRED


async def test_refusals_are_not_cached(database: Database, key: MintedKey) -> None:
    authenticator = Authenticator(database, None, cache_seconds=60)
    key_id, text = api_keys.new_key(key.org_id)
    assert await reason_of(authenticator, text) is Reason.CREDENTIALS_INVALID
    async with database.session(key.org_id) as session:
        await ApiKeyRepository(session).add(key_id, key.member_id, api_keys.digest(text), None)
    assert (await authenticator.authenticate(text)).key_id == key_id


async def test_known_callers_are_not_looked_up_again(database: Database, key: MintedKey, auth: Auth) -> None:
    authenticator = Authenticator(database, auth.verifier(), cache_seconds=60)
    token = await auth.mint()
    known = [await authenticator.authenticate(key.api_key), await authenticator.authenticate(token)]
    await Organizations(database).revoke_key(key.org_id, key.key_id)
    await auth.rotate("ES256")
    fetches = await auth.fetches()
    assert [await authenticator.authenticate(key.api_key), await authenticator.authenticate(token)] == known
    assert await auth.fetches() == fetches


@pytest.mark.parametrize("claim", [True, "true", 1, {}])
async def test_anonymous_users_are_refused_unless_a_setting_allows_them(
    database: Database, auth: Auth, claim: object
) -> None:
    user_id = uuid4()
    token = await auth.mint(sub=str(user_id), email=None, is_anonymous=claim)
    strict = Authenticator(database, auth.verifier(), cache_seconds=60)
    for _ in range(2):
        assert await reason_of(strict, token) is Reason.ANONYMOUS_NOT_ALLOWED
    async with database.session(personal_org_id(user_id), Actor.member(user_id)) as session:
        assert await OrganizationRepository(session).count_members() == 0
    lenient = Authenticator(database, auth.verifier(), cache_seconds=60, allow_anonymous=True)
    assert (await lenient.authenticate(token)).member_id == user_id
    # The same user, who has linked an account since.
    assert (await strict.authenticate(await auth.mint(sub=str(user_id)))).member_id == user_id


async def test_no_credential_reaches_a_log(
    client: Client, key: MintedKey, auth: Auth, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token, expired, wrong = await auth.mint(), await auth.mint(exp=1), key.api_key[:-4] + "0000"
    with capture_logs() as logs:
        for shown in (key.api_key, token):
            await org_of(client, bearer(shown))
        await org_of(client, (cookie(token), ("origin", ORIGIN)))
        for headers in (bearer(expired), bearer(wrong), (cookie(expired), ("origin", ORIGIN)), (cookie(token),)):
            with pytest.raises(grpc.aio.AioRpcError):
                await org_of(client, headers)

        async def calls() -> int:
            return len([line for line in logs if line["event"] == "call"])

        # A caller may have its answer before the server has written its log line.
        await eventually(calls, lambda count: count == 7)
    written = f"{logs}{caplog.text}{caplog.records}"
    assert not [secret for secret in (key.api_key, token, expired, wrong) if secret in written]
    assert not [secret for secret in (key.api_key[-32:], token.split(".")[2]) if secret in written]


async def test_without_sign_in_session_tokens_are_refused(database: Database, auth: Auth) -> None:
    authenticator = Authenticator(database, None, cache_seconds=10)
    assert await reason_of(authenticator, await auth.mint()) is Reason.CREDENTIALS_INVALID


async def reason_of(authenticator: Authenticator, credentials: str) -> Reason:
    with pytest.raises(AichatError) as caught:
        await authenticator.authenticate(credentials)
    return caught.value.reason
