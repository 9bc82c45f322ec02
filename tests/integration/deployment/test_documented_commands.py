"""The command lines in the operators' pages work as they stand there, against a new database."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from aichat_sandbox.postgres import run_postgres

from tests.fixtures.documents import ROOT, command_lines
from tests.fixtures.nursery import run_program
from tests.fixtures.postgres import postgres_folder

OPERATORS = ("aichat_server", "aichat_workers")
# A page may have ten commands.
pytestmark = pytest.mark.timeout(600)
# These have nothing to work on in a new database: they say so, and fail.
FAILING = {
    ("webhooks", "retry"),
    ("organizations", "erase-member"),
    ("invoices", "void"),
    ("invoices", "refund"),
    ("health",),
}


def operators_lines(page: Path) -> list[tuple[str, list[str]]]:
    """The page's command lines that need nothing but a database."""
    return [(module, words) for module, words in command_lines(page) if module in OPERATORS]


PAGES = [page for page in sorted((ROOT / "docs/operations").glob("*.md")) if operators_lines(page)]


@pytest.fixture(scope="module")
async def settings(server_settings: dict[str, str]) -> AsyncGenerator[dict[str, str], None]:
    with postgres_folder() as folder:
        async with run_postgres(folder) as postgres:
            settings = {
                **server_settings,
                "DATABASE_URL": postgres.app_url,
                "AICHAT_MIGRATION_DATABASE_URL": postgres.owner_url,
                # An erasure waits for this time, until no server accepts the key any more.
                "AICHAT_AUTH_CACHE_SECONDS": "0.1",
            }
            code, said = await run_program(settings, folder, "aichat_server", "migrate")
            assert code == 0, said
            yield settings


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
async def test_the_commands_of_a_page_work(settings: dict[str, str], tmp_path: Path, page: Path) -> None:
    mint = ("keys", "mint", "--json", "--owner", "--organization", page.stem)
    code, said = await run_program(settings, tmp_path, "aichat_server", *mint)
    assert code == 0, said
    minted = json.loads(said)
    named = {"--organization-id": minted["organization_id"], "--member-id": minted["member_id"]}
    for module, words in operators_lines(page):
        pairs = zip(["", *words], words, strict=False)
        given = [named[option] if word == "ID" else word.replace("KEY", minted["key_id"]) for option, word in pairs]
        code, said = await run_program(settings, tmp_path, module, *given)
        fails = any(tuple(words[: len(head)]) == head for head in FAILING)
        assert code == (1 if fails else 0), (words, said)
        assert "Traceback" not in said, (words, said)
