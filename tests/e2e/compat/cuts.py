"""Callers of the compatible APIs whose connections break off."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

import httpx
from aichat_sandbox.platform import Platform

from tests.e2e.calls import script
from tests.fixtures.rows import connection

GENERATION = "x-aichat-generation-id"
_BACK_SECONDS = 0.3
"""SDKs wait a little longer before their first repetition."""


def _conversation(model: str, text: str, **fields: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": text}], **fields}


def _response(model: str, text: str, **fields: Any) -> dict[str, Any]:
    return {"model": model, "input": text, "store": False, **fields}


@dataclass(frozen=True)
class Surface:
    """An API that answers."""

    path: str
    body: Callable[..., dict[str, Any]]
    """From a model, a text, and further fields."""
    last: bytes
    """What the last piece of a stream has."""


SURFACES = {
    "chat": Surface("/openai/v1/chat/completions", _conversation, b"data: [DONE]\n\n"),
    "responses": Surface("/openai/v1/responses", _response, b'"type":"response.completed"'),
    "messages": Surface("/anthropic/v1/messages", partial(_conversation, max_tokens=1000), b'{"type":"message_stop"}'),
}


@dataclass(frozen=True)
class Caller:
    """A raw client, and what the platform has done for it."""

    platform: Platform
    http: httpx.AsyncClient
    surface: Surface

    def body(self, model: str, *, stream: bool = True, **how: Any) -> dict[str, Any]:
        """Returns a call that no other test makes. `how`: the script of its answer."""
        # Long enough that the server hears of a cut before the end.
        deltas = [f"{uuid4()} ", *["more "] * 20]
        return self.surface.body(model, script(**{"deltas": deltas, "interval_ms": 60, **how}), stream=stream)

    async def whole(self, body: Mapping[str, Any], **headers: str) -> httpx.Response:
        """Calls, and reads all of the response."""
        response = await self.http.post(self.surface.path, json=body, headers=headers)
        assert response.status_code == 200, response.text
        return response

    async def cut(self, body: Mapping[str, Any], **headers: str) -> tuple[str, bytes]:
        """Calls, and leaves after some of the answer; returns the generation's id, and what was read."""
        async with self.http.stream("POST", self.surface.path, json=body, headers=headers) as response:
            assert response.status_code == 200, await response.aread()
            read = b""
            async for data in response.aiter_bytes():
                read += data
                if read.count(b"data: ") > 4:
                    break
        return response.headers[GENERATION], read

    async def cut_before(self, body: Mapping[str, Any]) -> None:
        """Calls, and leaves once a vendor has been asked; returns when SDKs would be back."""
        call = asyncio.ensure_future(self.whole(body))
        async with asyncio.timeout(20):
            while not await self.vendor_calls(body):
                await asyncio.sleep(0.01)
        call.cancel()
        await asyncio.wait({call})
        await self.back()

    async def back(self) -> None:
        """Returns when an SDK would repeat a call."""
        await asyncio.sleep(_BACK_SECONDS)

    async def vendor_calls(self, body: Mapping[str, Any]) -> int:
        """Returns how often vendors were asked what this call asks."""
        [text] = re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", json.dumps(body))
        async with httpx.AsyncClient() as vendors:
            entries = (await vendors.get(f"{self.platform.vendors_url}/_log")).json()
        return sum(text in json.dumps(entry) for entry in entries)

    async def state(self, generation_id: str) -> str:
        """Returns how far an answer got."""
        async with connection(self.platform.database_url) as owner:
            query = "SELECT state FROM aichat.generations WHERE generation_id = $1::text::uuid"
            return str(await owner.fetchval(query, generation_id))


def without_heartbeats(content: bytes) -> bytes:
    """Returns an answer's bytes. How many heartbeats are among them depends on time."""
    return content.replace(b": heartbeat\n\n", b"")
