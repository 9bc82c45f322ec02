"""Claude over its stand-in, which refuses what Anthropic refuses: tools with thinking, the cache, and exact counts."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aichat_server.content.parts import (
    ImagePart,
    Part,
    ProviderItem,
    ReasoningPart,
    Role,
    StoredFile,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from aichat_server.core.errors import Reason
from aichat_server.generations.domain.content import AnswerContent
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import Sent, Stop, StopReason, UsageReport
from aichat_server.providers.domain.requests import ChatOptions, PathMessage, Prompt, ProviderRequest, Tool, WebSearch
from aichat_server.providers.gateway.base import BaseAIProvider
from aichat_server.providers.gateway.factory import AIProviderFactory

from tests.fixtures.vendors import answer, scripted

LOOK = Tool("look", "Looks.", '{"type": "object", "properties": {"at": {"type": "string"}}}')
LONG = "A sentence that is not short at all. " * 200
PNG = StoredFile("0" * 64, "image/png", 24, 100, 300)


class Pictures:
    """A picture of 100 x 300 pixels."""

    async def read(self, file: StoredFile) -> AsyncIterator[bytes]:
        """Yields it."""
        yield b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + struct.pack(">II", file.width, file.height)


class Talk:
    """A conversation with Claude."""

    def __init__(self, provider: BaseAIProvider) -> None:
        self.path: list[PathMessage] = []
        self.provider = provider
        self.usage = Usage()

    def asking(self, *parts: Part, **options: Any) -> ProviderRequest:
        """Returns the request for the next turn."""
        messages = (*self.path, PathMessage(Role.USER, parts))
        prompt = Prompt(messages, Pictures())
        return ProviderRequest("claude-opus-5-5", prompt, 1000, ChatOptions(**{"tools": (LOOK,)} | options))

    async def ask(self, *parts: Part, **options: Any) -> tuple[tuple[Part, ...], StopReason]:
        """Returns what the model answers, which it remembers, and why it stopped."""
        request = self.asking(*parts, **options)
        result = await answer(self.provider, request)
        assert result.error is None
        content = AnswerContent()
        for event in result.events:
            match event:
                case UsageReport(usage):
                    self.usage = usage
                case Stop(reason):
                    stop = reason
                case Sent():
                    raise AssertionError(event)
                case _:
                    content.take(event)
        self.path = [*request.prompt.messages, PathMessage(Role.ASSISTANT, content.parts())]
        return content.parts(), stop


@pytest.fixture
def talk(factory: AIProviderFactory) -> Talk:
    """A new conversation."""
    return Talk(factory.get("anthropic"))


async def test_a_loop_of_tools_keeps_its_thinking(talk: Talk) -> None:
    call = {"name": "look", "arguments": {"at": "Zürich"}}
    rounds = [
        {"reasoning": ["Hm."], "tools": [call, call], "deltas": ["Wait."]},
        {"reasoning": ["Ah."], "deltas": ["Sun."]},
    ]
    parts, stop = await talk.ask(TextPart(scripted(rounds=rounds)))
    thought, text, first, second = parts
    assert isinstance(thought, ReasoningPart)
    assert isinstance(first, ToolCallPart)
    assert isinstance(second, ToolCallPart)
    assert (thought.text, text, first.arguments, stop) == (
        "Hm.", TextPart("Wait."), '{"at": "Zürich"}', StopReason.TOOL_USE,
    )  # fmt: skip
    assert thought.signature is not None
    results = (ToolResultPart(second.call_id, (TextPart("20°"),)), ToolResultPart(first.call_id, is_error=True))
    parts, stop = await talk.ask(*results)
    assert (parts[1], stop) == (TextPart("Sun."), StopReason.END_TURN)
    # What comes before thinking may change: it is then dropped, not refused.
    parts, _ = await talk.ask(TextPart(scripted(deltas=["Yes."])), system_prompt="Be brief.", tools=())
    assert parts == (TextPart("Yes."),)


async def test_older_models_take_a_temperature_in_the_first_version(talk: Talk) -> None:
    messages = (PathMessage(Role.USER, (TextPart(scripted(deltas=["Yes."])),)),)
    for model, refusal in (("claude-haiku-4-5", None), ("claude-opus-5-5", Reason.PROVIDER_REQUEST_REJECTED)):
        request = ProviderRequest(model, Prompt(messages), 100, ChatOptions(temperature=0.5))
        result = await answer(talk.provider, request)
        assert (result.error.reason if result.error is not None else None) is refusal


async def test_a_search_returns_with_what_it_found(talk: Talk) -> None:
    script = scripted(
        searches=[{"query": "weather", "results": [{"url": "https://a/", "title": "A", "text": "Sun."}]}],
        citations=[{"url": "https://a/", "title": "A", "quote": "Sun."}],
    )
    parts, _ = await talk.ask(TextPart(script), web_search=WebSearch())
    assert [part.kind for part in parts if isinstance(part, ProviderItem)] == [
        "server_tool_use",
        "web_search_tool_result",
    ]
    assert isinstance(parts[-1], TextPart)
    assert [citation.quote for citation in parts[-1].citations] == ["Sun."]
    assert talk.usage.web_searches == 1
    await talk.ask(TextPart(scripted()), web_search=WebSearch())


async def test_each_turn_reads_all_of_the_turn_before_from_the_cache(talk: Talk) -> None:
    rounds = [
        {"deltas": ["A", "B"], "tools": [{"name": "look", "arguments": {"n": n}} for n in range(30)]},
        {"deltas": ["Done."]},
    ]
    await talk.ask(TextPart(LONG), TextPart(scripted(rounds=rounds)), system_prompt=LONG)
    before = talk.usage
    assert (before.cache_read, before.input) == (0, 0)
    calls = [part for part in talk.path[-1].parts if isinstance(part, ToolCallPart)]
    await talk.ask(*(ToolResultPart(call.call_id, (TextPart("ok"),)) for call in calls), system_prompt=LONG)
    assert talk.usage.cache_read == before.total_input
    total = talk.usage.total_input
    await talk.ask(*map(TextPart, ["x"] * 60), TextPart(scripted()), system_prompt=LONG)
    assert (talk.usage.cache_read, talk.usage.input) == (total, 0)
    await talk.ask(TextPart(scripted()), system_prompt=LONG, cache=False)
    assert (talk.usage.cache_read, talk.usage.cache_write) == (0, 0)


async def test_tokens_are_counted_as_they_are_charged(talk: Talk) -> None:
    asked = (TextPart(scripted()), ImagePart(PNG))
    counted = await talk.provider.count_tokens(talk.asking(*asked))
    await talk.ask(*asked)
    assert counted == talk.usage.total_input
    assert counted is not None
    assert counted > 4 * 11
