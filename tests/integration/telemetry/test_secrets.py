"""A failure with secrets in it is logged and reported without the secrets."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import uuid4

import asyncpg
import httpx
from aichat_sandbox.platform import Platform

from tests.e2e.calls import CHAT, chat_body, chat_events, error_of, script
from tests.fixtures.seen import SeenPlatform, until

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIHVzZXIifQ.c2lnbmF0dXJl"
VENDOR_KEY = "sk-proj-abcdefghijklmnop"


@asynccontextmanager
async def _faulty(platform: Platform, mark: str, secrets: str) -> AsyncGenerator[None, None]:
    """Makes Postgres fail for messages with `mark`, with their text in its error."""
    owner = await asyncpg.connect(platform.database_url)
    try:
        await owner.execute(f"""
            CREATE FUNCTION aichat.fail() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                RAISE EXCEPTION 'rejected for {secrets}' USING DETAIL = 'Failing row contains ' || NEW.parts::text;
            END $$;
            GRANT EXECUTE ON FUNCTION aichat.fail TO aichat_app;
            CREATE TRIGGER fail BEFORE INSERT ON aichat.messages FOR EACH ROW
            WHEN (NEW.parts::text LIKE '%{mark}%') EXECUTE FUNCTION aichat.fail();""")
        yield
    finally:
        await owner.execute("DROP TRIGGER fail ON aichat.messages; DROP FUNCTION aichat.fail")
        await owner.close()


def _log(seen: SeenPlatform) -> list[dict[str, object]]:
    lines = (seen.logs / "server.log").read_text().splitlines()
    return [json.loads(line) for line in lines]


async def test_a_failure_is_reported_without_its_content(seen: SeenPlatform, http: httpx.AsyncClient) -> None:
    mark, request_id, api_key = f"private-{uuid4().hex}", str(uuid4()), seen.platform.key["api_key"]
    headers = {"x-request-id": request_id, "cookie": f"sb-access-token={TOKEN}"}
    async with _faulty(seen.platform, mark, f"{api_key} {TOKEN} {VENDOR_KEY}"):
        response = await http.post(CHAT, json=chat_body(mark), headers=headers)
    assert error_of(response)[1] == "INTERNAL"
    await until(lambda: any(request_id.encode() in envelope for envelope in seen.watchers.envelopes))
    [line] = [line for line in _log(seen) if line.get("request_id") == request_id and "exception" in line]
    assert "RaiseError: rejected for [removed] [removed] [removed]" in str(line["exception"])
    reported = b"".join(seen.watchers.envelopes)
    assert b"RaiseError" in reported
    assert b"in_app" in reported
    # The trace of the call must arrive, too, before it can be searched.
    await until(lambda: any(s.attributes.get("aichat.request_id") == request_id for s in seen.watchers.spans))
    everything = reported + (seen.logs / "server.log").read_bytes() + b"".join(seen.watchers.traces_raw)
    for secret in (mark, api_key, TOKEN, VENDOR_KEY):
        assert secret.encode() not in everything


async def test_log_lines_have_the_caller_and_no_text(seen: SeenPlatform, http: httpx.AsyncClient) -> None:
    asked, answered, request_id = f"asked-{uuid4().hex}", f"answered-{uuid4().hex}", str(uuid4())
    events = await chat_events(http, script(deltas=[answered]), options={"system_prompt": asked})
    generation_id = events[0]["started"]["generation_id"]
    org_id = seen.platform.key["organization_id"]

    def lines(name: str) -> list[dict[str, object]]:
        return [line for line in _log(seen) if (line["event"], line.get("generation_id")) == (name, generation_id)]

    await until(lambda: bool(lines("call")))
    [ended], [call] = lines("generation ended"), lines("call")
    assert ended["request_id"] == call["request_id"]
    assert ended["org_id"] == call["org_id"] == org_id
    assert ended["state"] == "complete"
    # Reading and cancelling by its id names it again.
    cancelled = await http.post(
        f"/v1/generations/{generation_id}:cancel", headers={"x-request-id": request_id}, json={}
    )
    assert cancelled.status_code == 200
    await until(lambda: len(lines("call")) == 2)
    assert lines("call")[1]["request_id"] == request_id
    for path in sorted(seen.logs.glob("*.log")):
        if path.stem in ("server", "envoy"):
            text = path.read_text()
            assert asked not in text
            assert answered not in text
            assert seen.platform.key["api_key"] not in text
