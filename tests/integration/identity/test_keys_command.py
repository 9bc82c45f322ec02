"""The operator's command for API keys: a key can do only what it was created for, and only in its organisation."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import grpc
import pytest
from aichat.v1 import billing_pb2 as pb
from aichat.v1.billing_pb2_grpc import BillingServiceStub

from tests.fixtures.rpc import bearer, refusal
from tests.fixtures.server import ServerUnderTest
from tests.integration.commands.test_commands import run

PORTAL = pb.CreatePortalSessionRequest(return_url="https://app.example")


@dataclass(frozen=True, slots=True)
class Minted:
    """The output of `keys mint --json`."""

    organization_id: str
    member_id: str
    key_id: str
    role: str
    api_key: str


@dataclass(frozen=True, slots=True)
class Keys:
    """The command, and a server that checks its keys."""

    settings: dict[str, str]
    folder: Path
    server: ServerUnderTest

    async def mint(self, *options: str) -> Minted:
        code, printed = await run(self.settings, self.folder, "keys", "mint", "--json", *options)
        assert code == 0, printed
        return Minted(**json.loads(printed))

    async def refused(self, *options: str) -> str:
        code, printed = await run(self.settings, self.folder, "keys", "mint", *options)
        assert code == 1
        return printed

    async def verdict(self, key: str) -> str:
        """Returns why the key may not verify a missing invoice, which only owners may do."""
        stub = BillingServiceStub(self.server.channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.VerifyInvoice(pb.VerifyInvoiceRequest(month="2026-01"), metadata=bearer(key))
        return refusal(caught.value).reason.value


@pytest.fixture
def keys(server_settings: dict[str, str], tmp_path: Path, server: ServerUnderTest) -> Keys:
    return Keys(server_settings, tmp_path, server)


async def test_a_key_is_a_members_unless_an_owners_is_requested(keys: Keys) -> None:
    first = await keys.mint("--organization", f"Acme {uuid4()}")
    assert first.role == "member"
    assert await keys.verdict(first.api_key) == "OWNER_REQUIRED"
    second = await keys.mint("--organization-id", first.organization_id, "--owner")
    assert (second.organization_id, second.member_id) == (first.organization_id, first.member_id)
    assert (second.role, await keys.verdict(second.api_key)) == ("owner", "INVOICE_NOT_FOUND")
    third = await keys.mint("--organization-id", first.organization_id)
    assert await keys.verdict(third.api_key) == "OWNER_REQUIRED"
    fourth = await keys.mint("--organization", f"Acme {uuid4()}", "--owner")
    assert await keys.verdict(fourth.api_key) == "INVOICE_NOT_FOUND"


async def test_a_name_that_is_taken_gives_no_key(keys: Keys) -> None:
    name = f"Acme {uuid4()}"
    first = await keys.mint("--organization", name)
    said = await keys.refused("--organization", name, "--owner", "--plan", "team")
    assert f"--organization-id {first.organization_id}" in said
    assert "ak_" not in said


async def test_a_missing_organisation_gives_no_key(keys: Keys) -> None:
    assert "the organisation does not exist" in await keys.refused("--organization-id", str(uuid4()))
