"""`aichat ... --json` prints what the platform returns over HTTP, for every subcommand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from aichat_sandbox.platform import Platform
from aichat_sdk.cli._arguments import _parser

from tests.integration.sdk.aichat import Aichat, Finished


@pytest.fixture
def aichat(platform: Platform, tmp_path: Path) -> Aichat:
    aichat = Aichat(tmp_path, platform.grpc)
    aichat.environment["AICHAT_API_KEY"] = platform.key["api_key"]
    return aichat


async def read(aichat: Aichat, *arguments: str) -> dict[str, Any]:
    done: Finished = await aichat(*arguments, "--json")
    assert (done.code, done.err) == (0, "")
    assert done.out.count("\n") == 1, "one line"
    document: dict[str, Any] = json.loads(done.out)
    return document


async def test_chat_and_history(aichat: Aichat, http: httpx.AsyncClient) -> None:
    message = (await read(aichat, "chat", "Grüß dich 🌍", "--model", "gpt-6-luna"))["message"]
    conversation_id = message["conversation_id"]
    messages = (await http.get(f"/v1/conversations/{conversation_id}/messages")).json()["messages"]
    assert messages[1] == message
    assert (await read(aichat, "conversations", "show", conversation_id))["messages"] == messages
    renamed = await read(aichat, "conversations", "rename", conversation_id, "Another")
    assert renamed == (await http.get(f"/v1/conversations/{conversation_id}")).json()
    listed = (await http.get("/v1/conversations", params={"page_size": 1})).json()["conversations"]
    for listing in (("conversations",), ("conversations", "list")):
        assert (await read(aichat, *listing))["conversations"][0] == listed[0] == renamed["conversation"]
    assert await read(aichat, "conversations", "delete", conversation_id) == {}


@pytest.mark.parametrize(
    ("command", "paths"),
    [
        ("models", ["/v1/models"]),
        ("plans", ["/v1/billing/plans", "/v1/billing/subscription"]),
        ("invoices", ["/v1/billing/invoices"]),
        ("invoices list", ["/v1/billing/invoices"]),
    ],
)
async def test_lists(aichat: Aichat, http: httpx.AsyncClient, command: str, paths: list[str]) -> None:
    document = await read(aichat, *command.split())
    said: dict[str, Any] = {}
    for path in paths:
        said |= (await http.get(path)).json()
    # Over HTTP, models are also listed in the forms of OpenAI and Anthropic.
    foreign = {"data", "object", "has_more", "first_id", "last_id"}
    assert document == {name: value for name, value in said.items() if name not in {"next_page_token", *foreign}}


async def test_count_and_files(aichat: Aichat, http: httpx.AsyncClient) -> None:
    counted = await read(aichat, "count", "Hi", "--model", "gemini-3.5-flash-lite")
    body = {"model": "gemini-3.5-flash-lite", "parts": [{"text": {"text": "Hi"}}]}
    assert counted == (await http.post("/v1/chat:countTokens", json=body)).json()
    (aichat.directory / "note.txt").write_text("A note.")
    file = (await read(aichat, "files", "upload", "note.txt"))["file"]
    assert {"file": file} == (await http.get(f"/v1/files/{file['file_id']}")).json()
    assert await read(aichat, "files", "get", file["file_id"], "--output", "copy.txt") == {"file": file}
    assert (aichat.directory / "copy.txt").read_text() == "A note."


async def test_usage(aichat: Aichat) -> None:
    document = await read(aichat, "usage", "--by", "provider")
    assert set(document) == {"usage", "quotas"}
    assert int(document["usage"]["total"]["turns"]) > 0


async def test_failures_are_json_on_standard_error(aichat: Aichat) -> None:
    done = await aichat("invoices", "verify", "1990-01", "--json")
    assert (done.code, done.out) == (1, "")
    assert json.loads(done.err)["error"]["reason"] == "INVOICE_NOT_FOUND"


def test_every_subcommand_takes_it() -> None:
    commands = (
        "chat x",
        "conversations",
        "models",
        "usage",
        "plans",
        "invoices",
        "invoices verify 2026-10",
        "count x",
        "files get x",
        "cancel",
        "resume x",
        "completion bash",
    )
    for command in commands:
        assert _parser().parse_args([*command.split(), "--json"]).json
        assert _parser().parse_args(["--json", *command.split()]).json
