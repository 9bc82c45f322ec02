"""Answers tell what is left of the caller's limits, in the headers of each API."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from aichat_sandbox.platform import Platform

from tests.e2e.calls import MODEL, script

SAID = [{"role": "user", "content": script(deltas=["Hi."])}]
OPENAI, ANTHROPIC = "x-ratelimit-{figure}-{unit}", "anthropic-ratelimit-{unit}-{figure}"


@pytest.mark.parametrize(
    ("path", "body", "header"),
    [
        ("/openai/v1/chat/completions", {"model": MODEL, "messages": SAID, "stream": True}, OPENAI),
        ("/openai/v1/responses", {"model": "gpt-6-luna", "input": SAID}, OPENAI),
        ("/openai/v1/embeddings", {"model": "text-embedding-3-small", "input": "a"}, OPENAI),
        ("/anthropic/v1/messages", {"model": MODEL, "messages": SAID, "max_tokens": 9}, ANTHROPIC),
    ],
)
async def test_an_answer_tells_what_is_left(platform: Platform, path: str, body: dict[str, Any], header: str) -> None:
    headers = {"authorization": f"Bearer {platform.key['api_key']}", "anthropic-version": "2023-06-01"}
    async with asyncio.timeout(120), httpx.AsyncClient(base_url=platform.http, headers=headers, timeout=60) as http:
        # While Redis is away from a busy process, or an answer begins late, the limits are told alone.
        while True:
            answer = await http.post(path, json=body)
            assert answer.status_code in (200, 429), answer.text
            if answer.status_code == 200 and header.format(figure="remaining", unit="tokens") in answer.headers:
                break
    for unit in ("requests", "tokens"):
        most, left = (int(answer.headers[header.format(figure=one, unit=unit)]) for one in ("limit", "remaining"))
        assert 0 <= left < most
        assert answer.headers[header.format(figure="reset", unit=unit)]
