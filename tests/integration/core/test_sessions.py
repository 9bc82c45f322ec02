"""Sessions know who acts: a member, a job, a command or the server itself."""

from __future__ import annotations

from uuid import uuid4

import pytest
from aichat_server.core.actor import Actor, acting_as
from aichat_server.core.database.batches import Progress
from aichat_server.core.database.database import Database
from aichat_server.identity.rpc.authentication import Authentication
from aichat_server.identity.service.authenticator import Authenticator
from aichat_server.identity.service.caller import current_principal
from aichat_server.identity.service.organizations import Organizations
from aichat_server.jobs.service.runs import ALWAYS, JobRuns
from aichat_server.telemetry.observing import Observer
from aichat_server.transport.access import MethodAccess
from aichat_server.transport.call import Call
from sqlalchemy import text

MEMBER = text("SELECT current_setting('aichat.member_id')")


async def actor_of_a_session(database: Database) -> Actor:
    async with database.session(uuid4()) as session:
        return session.actor


async def test_the_server_acts_unless_somebody_else_is_named(database: Database) -> None:
    assert await actor_of_a_session(database) == Actor.server()
    with acting_as(Actor.command("keys mint")):
        assert await actor_of_a_session(database) == Actor.command("keys mint")
    assert await actor_of_a_session(database) == Actor.server()


async def test_a_job_acts_in_its_run(database: Database) -> None:
    async def work(_: Progress) -> Actor:
        return await actor_of_a_session(database)

    job = f"test-{uuid4()}"
    assert await JobRuns(database, Observer()).run(job, ALWAYS, work) == Actor.job(job)
    assert await actor_of_a_session(database) == Actor.server()


@pytest.mark.parametrize(
    ("peer", "headers", "address"),
    [
        ("ipv4:192.0.2.1:50123", (), "192.0.2.1"),
        ("ipv6:%5B2001:db8::1%5D:50123", (), "2001:db8::1"),
        ("ipv4:127.0.0.1:50123", (("x-aichat-client-address", "192.0.2.7"),), "192.0.2.7"),
    ],
)
async def test_a_caller_acts_with_key_request_and_address(
    database: Database, peer: str, headers: tuple[tuple[str, str], ...], address: str
) -> None:
    minted = await Organizations(database).mint_key(f"Actors {uuid4()}")
    sent = (("authorization", f"Bearer {minted.api_key}"), ("x-request-id", "request-1"), *headers)
    call = Call("/m", MethodAccess(reads_only=False), sent, peer)
    authenticator = Authenticator(database, None, cache_seconds=60)
    await Authentication(authenticator, cookie="session", origins=()).authenticate(call)
    actor = current_principal().actor
    assert actor == Actor.member(minted.member_id, minted.key_id, request_id="request-1", client_address=address)
    async with database.session(minted.org_id, actor) as session:
        assert session.actor is actor
        assert (await session.connection.execute(MEMBER)).scalar_one() == str(minted.member_id)
