"""Promise 22: a conversation continues with any other vendor, whatever was said in it, and later with the first again.

The stand-ins refuse what the vendors refuse: results without their calls, empty content, other vendors' signatures.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import product
from typing import Any
from uuid import uuid4

import pytest
from aichat.v1 import chat_pb2, messages_pb2, options_pb2, parts_pb2
from aichat_sandbox.postgres import Postgres

from tests.fixtures.rows import connection
from tests.fixtures.server import ApiKey, ServerUnderTest
from tests.fixtures.vendors import MODELS, Vendors
from tests.integration.conversations.asking import script

PAIRS = list(product(sorted(MODELS), repeat=2))
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc000000301010018dd8db0"
    "0000000049454e44ae426082"
)
LOOK = options_pb2.Tool(
    name="look",
    description="Looks at a place.",
    parameters='{"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"]}',
)
TOOLS = options_pb2.ChatOptions(tools=[LOOK], reasoning_effort=options_pb2.REASONING_EFFORT_LOW)
SEARCH = options_pb2.ChatOptions(web_search=options_pb2.WebSearch(max_searches=2))
CALLS = [{"name": "look", "arguments": {"at": "Zürich"}}, {"name": "look", "arguments": {"at": "Genève"}}]
FOUND = {"url": "https://example.com/lakes", "title": "Lakes", "text": "Lakes are wet."}


class Talk:
    """A conversation."""

    def __init__(self, server: ServerUnderTest, key: ApiKey) -> None:
        self._server = server
        self._key = key
        self._conversation_id = ""
        self._generation_id = ""
        self._mark = str(uuid4())

    def entries(self, vendors: Vendors) -> list[dict[str, Any]]:
        """Returns what the vendors were sent of it, and of no other conversation that is still being answered."""
        return [entry for entry in vendors.log() if self._mark in json.dumps(entry["body"])]

    async def say(
        self, vendor: str, *parts: messages_pb2.Part, options: options_pb2.ChatOptions | None = None
    ) -> messages_pb2.Message:
        """Returns the vendor's whole answer."""
        events = [event async for event in self._stream(vendor, parts, options)]
        message = events[-1].completed.message
        self._conversation_id = message.conversation_id
        return message

    async def loop(self, first: str, second: str, *parts: messages_pb2.Part, words: str) -> None:
        """Has the first vendor call tools, and the second read their results."""
        begin = {"reasoning": ["Hm, ", "well."], "deltas": ["Let me look. "], "tools": CALLS}
        rounds = script(rounds=[begin, {"reasoning": ["Ah."], "deltas": [words]}])
        called = await self.say(first, text(rounds + self._mark), *parts, options=TOOLS)
        assert called.stop_reason == messages_pb2.STOP_REASON_TOOL_USE
        calls = [part.tool_call for part in called.parts if part.HasField("tool_call")]
        assert [json.loads(call.arguments) for call in calls] == [call["arguments"] for call in CALLS]
        answer = await self.say(second, *(result(call.call_id) for call in calls), options=TOOLS)
        assert answer_text(answer) == words

    async def break_off(self, vendor: str) -> None:
        """Stops the vendor in the middle of its answer."""
        call = self._stream(vendor, [text(script(reasoning=["Hm."], deltas=["Half ", "an "], hang_after=2))], None)
        async for event in call:
            if event.HasField("text_delta"):
                break
        request = chat_pb2.CancelGenerationRequest(generation_id=self._generation_id)
        await self._server.chat.CancelGeneration(request, metadata=self._key.metadata)

    async def _stream(
        self, vendor: str, parts: Sequence[messages_pb2.Part], options: options_pb2.ChatOptions | None
    ) -> AsyncIterator[chat_pb2.StreamChatResponse]:
        request = chat_pb2.StreamChatRequest(
            conversation_id=self._conversation_id, model=MODELS[vendor], parts=parts, options=options
        )
        async for event in self._server.chat.StreamChat(request, metadata=self._key.metadata):
            if event.HasField("started"):
                self._generation_id = event.started.generation_id
            if not event.HasField("heartbeat"):
                yield event


def text(words: str) -> messages_pb2.Part:
    return messages_pb2.Part(text=messages_pb2.TextPart(text=words))


IMAGE = parts_pb2.ImagePart(data=PNG)


def result(call_id: str) -> messages_pb2.Part:
    shown = messages_pb2.ResultPart(image=IMAGE)
    parts = [messages_pb2.ResultPart(text=messages_pb2.TextPart(text="A lake.")), shown]
    return messages_pb2.Part(tool_result=messages_pb2.ToolResultPart(call_id=call_id, parts=parts))


def answer_text(message: messages_pb2.Message) -> str:
    return "".join(part.text.text for part in message.parts)


async def continues(talk: Talk, vendor: str) -> None:
    """The vendor answers a plain question, and one that needs tools."""
    assert answer_text(await talk.say(vendor, text(script(deltas=["Yes."])))) == "Yes."
    await talk.loop(vendor, vendor, words="Both are lakes.")


def marks(told: Any) -> Iterator[tuple[str, str]]:
    """Yields what only its vendor understands in stored parts, with the vendor's name: marks, and ids in its items."""
    match told:
        case {"provider": str(vendor), "data": str(mark)} | {"provider": str(vendor), "json": str(mark)}:
            yield from ((vendor, secret) for secret in secrets(mark))
        case dict():
            for inner in told.values():
                yield from marks(inner)
        case list():
            for inner in told:
                yield from marks(inner)


def secrets(mark: str) -> Iterator[str]:
    """Yields the opaque strings of a mark: itself, or those in its JSON."""
    if mark.startswith("{"):
        yield from re.findall(r'"(?:id|encrypted_\w+|thoughtSignature)": *"([^"\s]{12,})"', mark)
    else:
        yield mark


async def stored_marks(postgres: Postgres, key: ApiKey) -> set[tuple[str, str]]:
    query = "SELECT content FROM aichat.messages WHERE org_id = $1::text::uuid AND content IS NOT NULL"
    async with connection(postgres.owner_url) as owner:
        return {mark for row in await owner.fetch(query, key.organization_id) for mark in marks(json.loads(row[0]))}


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=map("-".join, PAIRS))
async def test_a_conversation_changes_its_vendor_and_back(
    server: ServerUnderTest, api_key: ApiKey, vendors: Vendors, postgres: Postgres, first: str, second: str
) -> None:
    talk = Talk(server, api_key)
    await talk.loop(first, first, messages_pb2.Part(image=IMAGE), words="Lakes.")
    searched = script(deltas=["Lakes are wet."], searches=[{"query": "lakes", "results": [FOUND]}], citations=[
        {"url": FOUND["url"], "title": FOUND["title"], "quote": FOUND["text"]}
    ])  # fmt: skip
    cited = await talk.say(first, text(searched), options=SEARCH)
    assert [citation.url for part in cited.parts for citation in part.text.citations] == [FOUND["url"]]
    await talk.break_off(first)
    await continues(talk, second)
    await talk.loop(second, first, words="They are.")
    await talk.loop(first, second, words="Still.")
    await continues(talk, first)
    known = await stored_marks(postgres, api_key)
    assert {vendor for vendor, _ in known} == {first, second}
    in_base64 = base64.b64encode(PNG).decode()
    sent = talk.entries(vendors)
    for entry in sent:
        foreign = [mark for vendor, mark in known if vendor != entry["vendor"] and mark in json.dumps(entry["body"])]
        assert not foreign
    returned = {vendor for entry in sent for vendor, mark in known if mark in json.dumps(entry["body"])}
    assert returned == {first, second}
    assert all(in_base64 in json.dumps(entry["body"]) for entry in sent)
