"""Promise 6: what vendors count for images, documents, tools and searches is never more than what was held for them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from hashlib import sha256

import pytest
from aichat_server.content.parts import DocumentPart, ImagePart, Part, Role, StoredFile, TextPart
from aichat_server.generations.domain.generation import Beginning, Begun
from aichat_server.generations.domain.stream import Completed
from aichat_server.generations.service.keep_nothing import KeepNothing
from aichat_server.generations.service.requests import GenerationRequest
from aichat_server.identity.domain.principals import Principal
from aichat_server.models.domain.models import ServiceTier
from aichat_server.providers.domain.requests import ChatOptions, PathMessage, Prompt, ResponseFormat, Tool, WebSearch

from tests.integration.conversations.asking import script
from tests.integration.generations.stateless import Stateless, open_client

CLAUDE, GPT, GEMINI = "claude-sonnet-5-5", "gpt-6.1-terra", "gemini-3.8-flash"
SCHEMA = '{"type": "object", "properties": {}, "additionalProperties": false}'
PAGE = {"url": "https://example.com/", "title": "Example", "text": "found " * 2_000}


def png(width: int, height: int) -> bytes:
    """Returns a black image."""
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(height * (1 + -(-width // 8))))),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


class Files:
    """Files in memory."""

    def __init__(self) -> None:
        self._known: dict[str, bytes] = {}

    def add(self, media_type: str, data: bytes, *, width: int = 0, height: int = 0, pages: int = 0) -> StoredFile:
        """Keeps a file; returns what is known about it."""
        name = sha256(data).hexdigest()
        self._known[name] = data
        return StoredFile(name, media_type, len(data), width, height, pages)

    async def read(self, file: StoredFile) -> AsyncIterator[bytes]:
        """See FileReader."""
        yield self._known[file.sha256]


FILES = Files()
IMAGES = tuple(
    ImagePart(FILES.add("image/png", png(width, height), width=width, height=height))
    for width, height in ((1, 1), (640, 480), (1000, 1000), (2000, 1500), (7000, 200), (6000, 6000))
)
PDF = DocumentPart(FILES.add("application/pdf", b"%PDF-1.4\n" + b"<< /Type /Page >>\n" * 3, pages=3), "Paper")
NOTES = DocumentPart(FILES.add("text/plain", b"A note. " * 500))


@dataclass(frozen=True, slots=True)
class Question:
    """Asks about files, and keeps nothing."""

    sink: KeepNothing
    path: tuple[PathMessage, ...]

    async def begin(self, beginning: Beginning) -> Begun:
        """See Question."""
        return await self.sink.begin(beginning, self.path)

    async def prompt(self) -> Prompt:
        """See Question."""
        return Prompt(self.path, FILES)


async def answered(client: Stateless, model: str, options: ChatOptions, parts: tuple[Part, ...]) -> tuple[int, int]:
    """Returns what the answer cost, and what was held for it."""
    path = (PathMessage(Role.USER, parts),)
    request = GenerationRequest(
        principal=client.principal,
        candidates=client.engine.models.candidates(client.principal, model, options, parts),
        question=Question(KeepNothing(client.engine.stores.generations), path),
        asked=path,
        has_history=False,
        options=options,
    )
    hold = request.beginning().hold
    assert hold.most is not None
    events = [event async for _, event in await client.engine.running.launcher.launch(request)]
    completed = events[-1]
    assert isinstance(completed, Completed)
    assert completed.answer.usage.total_input > 0
    return completed.answer.cost, min(hold.known, hold.most)


@pytest.mark.parametrize("model", [CLAUDE, GPT, GEMINI])
async def test_no_answer_costs_more_than_its_hold_whatever_it_reads(
    model: str, principal: Principal, server_settings: dict[str, str]
) -> None:
    words = TextPart(script(words=20))
    calling = TextPart(script(tools=[{"name": "look_up", "arguments": {"place": "Zürich"}}]))
    searching = TextPart(script(words=20, searches=[{"query": "example", "results": [PAGE] * 3}] * 2))
    tool = Tool("look_up", "Looks up.", SCHEMA)
    brief, formed = ChatOptions(max_output_tokens=100), ResponseFormat(SCHEMA)
    cases: list[tuple[ChatOptions, tuple[Part, ...]]] = [
        (brief, (*IMAGES, words)),
        *((brief, (image, words)) for image in IMAGES),
        (brief, (PDF, NOTES, words)),
        (ChatOptions(max_output_tokens=100, tools=(tool,)), (calling,)),
        (
            ChatOptions(max_output_tokens=100, response_format=formed),
            (TextPart(script(deltas=["{}"])),),
        ),
        (ChatOptions(max_output_tokens=100, web_search=WebSearch(2)), (searching,)),
    ]
    async with open_client(principal, server_settings) as client:
        for options, parts in cases:
            spent, held = await answered(client, model, options, parts)
            assert 0 < spent <= held, (options, parts)


@pytest.mark.parametrize(("model", "dearer"), [(GPT, 200), (GEMINI, 180)])
async def test_the_class_of_service_that_the_vendor_gave_is_charged_and_held(
    model: str, dearer: int, principal: Principal, server_settings: dict[str, str]
) -> None:
    words, spent = TextPart(script(words=20)), {}
    async with open_client(principal, server_settings) as client:
        for tier in ServiceTier:
            options = ChatOptions(max_output_tokens=100, service_tier=tier)
            spent[tier], held = await answered(client, model, options, (words,))
            assert 0 < spent[tier] <= held
    standard = spent[ServiceTier.STANDARD]
    assert spent[ServiceTier.FLEX] == -(-standard * 50 // 100)
    assert spent[ServiceTier.PRIORITY] == -(-standard * dearer // 100)
