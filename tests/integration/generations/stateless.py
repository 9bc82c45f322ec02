"""A second client of generations: it brings the whole history with each call, and keeps its answers itself.

As a command it asks one question, and writes the generation's id to its output once the answer has begun.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from uuid import UUID, uuid4

from aichat_server.app.engine import Engine, open_engine
from aichat_server.content.parts import Role, TextPart
from aichat_server.generations.domain.generation import Claim
from aichat_server.generations.domain.stream import Started, StreamEvent
from aichat_server.generations.service.journal import Events
from aichat_server.generations.service.keep_nothing import KeepNothing, UnkeptQuestion
from aichat_server.generations.service.requests import GenerationRequest
from aichat_server.identity.domain.principals import Principal
from aichat_server.plans.domain import Plan
from aichat_server.providers.domain.events import TextDelta
from aichat_server.providers.domain.requests import ChatOptions, PathMessage
from aichat_server.settings import Settings
from aichat_server.telemetry.observing import Observer

MODEL, PROVIDER = "gpt-6-luna", "openai"


@dataclass(frozen=True, slots=True)
class Asked:
    """What the client asks."""

    text: str
    request_id: UUID | None = None
    lane: int = 0
    cancel_on_disconnect: bool = False
    options: ChatOptions = field(default_factory=lambda: ChatOptions(system_prompt="Be brief.", max_output_tokens=1000))
    generation_id: UUID = field(default_factory=uuid4)


class Stateless:
    """The client."""

    def __init__(self, engine: Engine, principal: Principal) -> None:
        self.engine = engine
        self.principal = principal
        self._sink = KeepNothing(engine.stores.generations)

    async def ask(self, asked: Asked) -> Events:
        """Begins an answer; returns its events."""
        path = (
            PathMessage(Role.USER, (TextPart("Hello"),)),
            PathMessage(Role.ASSISTANT, (TextPart("Hi"),)),
            PathMessage(Role.USER, (TextPart(asked.text),)),
        )
        fingerprint = sha256(asked.text.encode()).digest()
        request = GenerationRequest(
            principal=self.principal,
            candidates=self.engine.models.candidates(self.principal, MODEL, asked.options),
            question=UnkeptQuestion(self._sink, path),
            asked=path,
            has_history=False,
            options=asked.options,
            claim=Claim(asked.request_id, fingerprint, asked.lane) if asked.request_id is not None else None,
            cancel_on_disconnect=asked.cancel_on_disconnect,
            generation_id=asked.generation_id,
        )
        return await self.engine.running.launcher.launch(request)

    async def answer(self, asked: Asked) -> list[tuple[int, StreamEvent]]:
        """Returns all events of an answer that succeeds."""
        return [event async for event in await self.ask(asked)]


@asynccontextmanager
async def open_client(principal: Principal, settings: dict[str, str]) -> AsyncGenerator[Stateless, None]:
    """A client in this process, with an engine of its own."""
    values: dict[str, object] = {**settings}
    async with open_engine(Settings(_env_file=None, **values), Observer()) as engine:  # type: ignore[arg-type]
        yield Stateless(engine, principal)


def text_of(events: list[tuple[int, StreamEvent]]) -> str:
    """The text that the events make."""
    return "".join(event.text for _, event in events if isinstance(event, TextDelta))


async def main(text: str, *ids: str) -> None:
    """Asks, as the member of `ids`, and reads the answer to its end."""
    org_id, member_id = map(UUID, ids)
    principal = Principal(org_id, member_id, plan=Plan.TEAM)
    async with open_client(principal, dict(os.environ)) as client, aclosing(await client.ask(Asked(text))) as events:
        async for _, event in events:
            if isinstance(event, Started):
                print(event.generation_id, flush=True)  # noqa: T201 — a command's output


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
