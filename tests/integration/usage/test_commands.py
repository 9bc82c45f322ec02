"""The operators' commands for usage sums and time zones."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from aichat_sandbox.postgres import Postgres
from aichat_server.core.database.database import Database
from aichat_server.identity.domain.principals import Principal
from aichat_server.identity.storage.organizations import OrganizationRepository
from aichat_server.usage.service.rollups import Rollups

from tests.fixtures.nursery import run_program
from tests.fixtures.rows import connection
from tests.integration.usage.books import LATER, NOON, Entry, add


async def run(settings: dict[str, str], *arguments: str) -> tuple[int, str]:
    return await run_program(settings, Path.cwd(), "aichat_server", *arguments)


async def test_sums_are_checked_and_mended(
    server_settings: dict[str, str], postgres: Postgres, database: Database, principal: Principal
) -> None:
    whose = ("--organization-id", str(principal.org_id))
    await add(postgres, principal, Entry(NOON))
    await Rollups(database).run(LATER)
    async with connection(postgres.owner_url) as owner:
        await owner.execute("UPDATE aichat.usage_hourly SET turns = 2 WHERE org_id = $1", principal.org_id)
    assert await run(server_settings, "usage", "verify", *whose) == (
        1,
        "2026-03-10T12:00Z differs from the ledger\n",
    )
    code, printed = await run(server_settings, "usage", "rebuild", *whose)
    assert (code, printed.split(" ", 1)[1]) == (0, "hours summed\n")
    assert await run(server_settings, "usage", "verify", *whose) == (0, "")


async def test_the_time_zone_is_set(server_settings: dict[str, str], database: Database, principal: Principal) -> None:
    command = ("organizations", "set-time-zone", "--organization-id")
    whose = (*command, str(principal.org_id))
    assert await run(server_settings, *whose, "--zone", "Europe/Berlin") == (0, "")
    async with database.session(principal.org_id) as session:
        assert await OrganizationRepository(session).time_zone() == "Europe/Berlin"
    code, printed = await run(server_settings, *whose, "--zone", "Berlin")
    assert (code, printed) == (1, "Berlin is not a time zone: use an IANA name, such as Europe/Berlin\n")
    code, printed = await run(server_settings, *command, str(uuid4()), "--zone", "UTC")
    assert (code, printed) == (1, "the organisation does not exist\n")
