"""Gemini's stand-in: what the provider sends it, and what it refuses, as Gemini does."""

from __future__ import annotations

from typing import Any

import pytest
from aichat_server.content.parts import Part, Role, TextPart, ToolCallPart, ToolResultPart
from aichat_server.generations.domain.content import AnswerContent
from aichat_server.models.domain.models import ServiceTier
from aichat_server.providers.domain.events import Sent, Stop, StopReason, UsageReport
from aichat_server.providers.domain.requests import ChatOptions, PathMessage, Prompt, ProviderRequest, Tool, WebSearch
from aichat_server.providers.gateway.base import BaseAIProvider
from aichat_server.providers.gateway.factory import AIProviderFactory

from tests.fixtures.vendors import Vendors, answer, scripted

MODEL = "gemini-3.8-flash"
LOOK = Tool("look", "Looks.", '{"type": "object", "properties": {"at": {"type": "string"}}}')
HI = {"role": "user", "parts": [{"text": "Hi"}]}


def call(name: str = "look", **more: Any) -> dict[str, Any]:
    part = {
        "functionCall": {"id": "c", "name": name, "args": {}},
        "thoughtSignature": "skip_thought_signature_validator",
    }
    return {"role": "model", "parts": [{**part, **more}]}


def result(*names: str, **more: Any) -> dict[str, Any]:
    told = {"id": "c", "response": {"output": "x"}, **more}
    return {"role": "user", "parts": [{"functionResponse": {"name": name, **told}} for name in names]}


def declaring(**tool: Any) -> dict[str, Any]:
    return {"contents": [HI], "tools": [{"functionDeclarations": [{"name": "f", "description": "f", **tool}]}]}


IMAGE = {"inlineData": {"mimeType": "image/gif", "data": "AAAA"}}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"contents": []}, "contents is not specified"),
    ({"contents": [{"role": "assistant", "parts": [{"text": "x"}]}]}, "valid role"),
    ({"contents": [{"role": "user", "parts": []}]}, "must not be empty"),
    ({"contents": [{"role": "user", "parts": [{"text": ""}]}]}, "initialized field"),
    ({"contents": [HI], "messages": []}, "Unknown name"),
    ({"contents": [HI], "generationConfig": {"max_tokens": 9}}, "Unknown name"),
    ({"contents": [{"role": "user", "parts": [IMAGE]}]}, "Unsupported MIME type"),
    ({"contents": [HI, call()]}, "immediately after a function call turn"),
    ({"contents": [HI, call(), HI]}, "number of function response parts"),
    ({"contents": [HI, call(), result("look", "look")]}, "number of function response parts"),
    ({"contents": [HI, call(), result("other")]}, "names and ids"),
    ({"contents": [HI, call(), result("look", id="d")]}, "names and ids"),
    ({"contents": [call(), result("look")]}, "immediately after a user turn"),
    ({"contents": [HI, call(thoughtSignature=""), result("look")]}, "not valid"),
    ({"contents": [HI, call(thoughtSignature=None), result("look")]}, "missing a thought_signature"),
    ({"contents": [HI, call(thoughtSignature="aGk="), result("look")]}, "not valid"),
    ({"contents": [HI, call(), result("look", response="x")]}, "a Struct is expected"),
    (declaring(name="9"), "Invalid function name"),
    (declaring(parametersJsonSchema={"$ref": "#/$defs/a", "title": "x"}), "fields that start with $"),
    ({"contents": [HI], "toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}, "without function_declarations"),
    (
        {**declaring(), "tools": [*declaring()["tools"], {"googleSearch": {}}]},
        "include_server_side_tool_invocations",
    ),
]


def test_it_refuses_what_gemini_refuses(vendors: Vendors) -> None:
    url = f"{vendors.base_url('gemini')}/v1beta/models/{MODEL}:streamGenerateContent?alt=sse"
    for body, words in REFUSED:
        response = vendors.http.post(url, json=body, headers={"x-goog-api-key": "k"})
        assert (response.status_code, words in response.text) == (400, True), (body, response.text)


@pytest.fixture
def gemini(factory: AIProviderFactory) -> BaseAIProvider:
    """The provider."""
    return factory.get("gemini")


def asking(*parts: tuple[Part, ...], **options: Any) -> ProviderRequest:
    messages = tuple(PathMessage((Role.USER, Role.ASSISTANT)[n % 2], one) for n, one in enumerate(parts))
    tiers = {ServiceTier.FLEX: 50}
    return ProviderRequest(MODEL, Prompt(messages), 9000, ChatOptions(**options), tier_percents=tiers)


async def answered(provider: BaseAIProvider, request: ProviderRequest) -> tuple[tuple[Part, ...], StopReason, Any]:
    """Returns the answer's parts, why it ended, and its usage."""
    content, told = AnswerContent(), await answer(provider, request)
    assert told.error is None, told.error
    *events, report, stop = told.events
    for event in events:
        if not isinstance(event, UsageReport | Sent | Stop):
            content.take(event)
    assert isinstance(report, UsageReport)
    assert isinstance(stop, Stop)
    return content.parts(), stop.reason, report.usage


async def test_a_loop_of_tools_and_searches_costs_less_each_time(gemini: BaseAIProvider) -> None:
    search = {"query": "q", "results": [{"url": "https://a.example", "title": "A", "text": "found " * 4}]}
    calls = [{"name": "look", "arguments": {"at": "Zürich"}}, {"name": "look"}]
    begin = {"reasoning": ["Hm."], "deltas": ["Let me look."], "tools": calls, "searches": [search]}
    cited = [{"url": "https://a.example", "title": "A"}]
    question = (TextPart("Long. " * 1000), TextPart(scripted(rounds=[begin, {"deltas": ["Yes."], "citations": cited}])))
    options = {"tools": (LOOK,), "web_search": WebSearch(), "service_tier": ServiceTier.FLEX}
    first, stop, usage = await answered(gemini, asking(question, **options))
    assert (stop, usage.web_searches, usage.percent, usage.cache_read) == (StopReason.TOOL_USE, 1, 50, 0)
    made = [part for part in first if isinstance(part, ToolCallPart)]
    assert [(part.arguments, part.signature is not None) for part in made] == [('{"at":"Zürich"}', True), ("{}", False)]
    results = tuple(ToolResultPart(part.call_id, (TextPart("A lake."),)) for part in made)
    request = asking(question, first, results, **options)
    counted = await gemini.count_tokens(request)
    second, stop, later = await answered(gemini, request)
    [text] = second
    assert isinstance(text, TextPart)
    assert (text.text, len(text.citations), stop) == ("Yes.", 1, StopReason.END_TURN)
    assert counted == later.input + later.cache_read
    # All of the first request, without what the search found.
    assert 1500 < later.cache_read == usage.input - 6
