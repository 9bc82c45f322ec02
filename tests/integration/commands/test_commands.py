"""The operator's commands for prices, quotas and organisations."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from aichat_sandbox.postgres import Postgres
from aichat_server.core.database.database import Database
from aichat_server.models.service import StoredPrices

from tests.fixtures.nursery import run_program
from tests.fixtures.rows import connection
from tests.fixtures.server import ApiKey


@pytest.fixture
def settings(server_settings: dict[str, str]) -> dict[str, str]:
    """The settings of a command, with a vendor that no other test has."""
    model = {"id": "m", "input_usd_per_mtok": 1, "output_usd_per_mtok": 2}
    endpoint = {"name": f"v{uuid4().hex}", "base_url": "http://127.0.0.1:1", "api_key": "k", "models": [model]}
    return {**server_settings, "AICHAT_OPENAI_COMPATIBLE": json.dumps([endpoint])}


async def run(settings: dict[str, str], folder: Path, *arguments: str) -> tuple[int, str]:
    """Runs a command; returns its exit code and its output."""
    return await run_program(settings, folder, "aichat_server", *arguments)


async def test_prices_are_added_by_sync_and_by_migrate_once(
    settings: dict[str, str], database: Database, tmp_path: Path
) -> None:
    (endpoint,) = json.loads(settings["AICHAT_OPENAI_COMPATIBLE"])
    assert await run(settings, tmp_path, "migrate") == (0, "")
    (price,) = (await StoredPrices(database).prices())[endpoint["name"], f"{endpoint['name']}/m"]
    assert price.tiers[0].output == 2 * 10**9
    assert await run(settings, tmp_path, "prices", "sync") == (0, "prices added: 0\n")
    endpoint["models"][0]["output_usd_per_mtok"] = 3
    changed = settings | {"AICHAT_OPENAI_COMPATIBLE": json.dumps([endpoint])}
    assert await run(changed, tmp_path, "prices", "sync") == (0, "prices added: 1\n")


async def test_a_quota_is_set_shown_and_removed(settings: dict[str, str], api_key: ApiKey, tmp_path: Path) -> None:
    key = ("--organization-id", api_key.organization_id, "--key-id", api_key.key_id, "--period", "day")
    assert await run(settings, tmp_path, "quotas", "set", *key, "--hard", "2.5", "--soft", "2") == (0, "")
    shown = f"key {api_key.key_id} per day: hard 2.5, soft 2 USD; charged 0, held 0\n"
    # The cap on what the organisation may owe counts as a quota, too.
    code, printed = await run(settings, tmp_path, "quotas", "show", *key[:2])
    assert (code, shown in printed) == (0, True)
    assert await run(settings, tmp_path, "quotas", "remove", *key) == (0, "")
    code, printed = await run(settings, tmp_path, "quotas", "show", *key[:2])
    assert (code, shown in printed) == (0, False)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("set",), 1, "give --hard, --soft or both"),
        (("set", "--hard", "0.0000000001"), 2, "nano-dollars at the finest"),
        (("set", "--hard", "NaN"), 2, "US dollars"),
        (("set", "--hard", "-1"), 2, "US dollars"),
        (("set", "--hard", "1", "--key-id", str(uuid4())), 1, "its member or key, does not exist"),
        (("remove",), 1, "the quota does not exist"),
    ],
)
async def test_a_quota_that_makes_no_sense_is_refused(
    settings: dict[str, str], api_key: ApiKey, tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    command, *rest = arguments
    options = ("--organization-id", api_key.organization_id, *rest)
    ended, printed = await run(settings, tmp_path, "quotas", command, *options)
    assert ended == code
    assert said in printed


async def test_an_organisations_contact_is_set_and_taken_away(
    settings: dict[str, str], api_key: ApiKey, postgres: Postgres, tmp_path: Path
) -> None:
    command = ("organizations", "set-contact", "--organization-id")
    query = "SELECT contact_email FROM aichat.organizations WHERE org_id = $1"
    async with connection(postgres.owner_url) as owner:
        for email in ("someone@example.com", None):
            arguments = ("--email", email) if email else ()
            assert await run(settings, tmp_path, *command, api_key.organization_id, *arguments) == (0, "")
            assert await owner.fetchval(query, UUID(api_key.organization_id)) == email
    assert await run(settings, tmp_path, *command, str(uuid4())) == (1, "the organisation does not exist\n")
    code, said = await run(settings, tmp_path, *command, api_key.organization_id, "--email", "nobody")
    assert (code, "an address such as someone@example.com" in said) == (2, True)
