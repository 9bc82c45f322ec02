"""OpenAI: by which API it is asked, and its stand-in, which refuses what OpenAI refuses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aichat_server.content.parts import (
    Part,
    ReasoningPart,
    Role,
    Signature,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from aichat_server.core.errors import Reason
from aichat_server.generations.domain.content import AnswerContent
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import Sent, Stop, UsageReport
from aichat_server.providers.domain.requests import ChatOptions, PathMessage, Prompt, ProviderRequest, Tool
from aichat_server.providers.gateway.base import BaseAIProvider, OpenAIApi, ProviderConfig
from aichat_server.providers.gateway.factory import AIProviderFactory
from aiohttp import web

from tests.fixtures.vendors import Answer, Vendors, answer, asking, scripted
from tests.unit.providers.reading import chunk, framed

RESPONSES, COMPLETIONS = "/v1/responses", "/v1/chat/completions"
COMPLETION = framed(chunk({"content": "Hi"}, "stop", usage={"prompt_tokens": 1, "completion_tokens": 1}), b"[DONE]")
RESPONSE = framed(
    {"type": "response.created"},
    {"type": "response.output_text.delta", "delta": "Hi"},
    {"type": "response.completed", "response": {"usage": {"input_tokens": 1, "output_tokens": 1}}},
)
UNVERIFIED = {"error": {"message": "Your organization must be verified.", "param": "reasoning.summary"}}


@dataclass
class Endpoint:
    """An endpoint in OpenAI's place."""

    replies: dict[str, Callable[[dict[str, Any]], web.Response | None]] = field(default_factory=dict)
    """By path; None: the connection is closed."""
    paths: list[str] = field(default_factory=list)
    """What it was asked."""
    url: str = ""

    async def reply(self, request: web.Request) -> web.Response:
        """Notes the request, and replies."""
        self.paths.append(request.path)
        if request.path not in self.replies:
            return web.Response(status=404)
        made = self.replies[request.path](await request.json())
        if made is None and request.transport is not None:
            request.transport.close()
        return made or web.Response()


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    """One that has Chat Completions alone."""
    kept = Endpoint({COMPLETIONS: lambda _: web.Response(body=COMPLETION)})
    app = web.Application()
    app.router.add_post("/{path:.*}", kept.reply)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    kept.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    yield kept
    await runner.cleanup()


async def ask(endpoint: Endpoint, *requests: ProviderRequest, api: OpenAIApi | None = None) -> list[Answer]:
    factory = AIProviderFactory([ProviderConfig("openai", "k", endpoint.url, openai_api=api)])
    provider = factory.get("openai")
    answers = [await answer(provider, request, provider.prepare("m", reasons=False)) for request in requests]
    await factory.aclose()
    return answers


HI = asking("openai", "Hi")
BOTH, OLD, NEW = [RESPONSES, COMPLETIONS, COMPLETIONS], [COMPLETIONS, COMPLETIONS], [RESPONSES, RESPONSES]


@pytest.mark.parametrize(
    ("reply", "api", "paths"),
    [
        (lambda _: web.Response(status=404), None, BOTH),
        (lambda _: web.Response(status=405), None, BOTH),
        (lambda _: web.Response(status=501), None, BOTH),
        (lambda _: None, None, BOTH),
        # It answers with a completion.
        (lambda _: web.Response(body=COMPLETION), None, [RESPONSES, COMPLETIONS]),
        (lambda _: web.Response(body=RESPONSE), None, NEW),
        (lambda _: web.Response(body=RESPONSE), OpenAIApi.CHAT_COMPLETIONS, OLD),
        (lambda _: web.Response(body=COMPLETION), OpenAIApi.RESPONSES, NEW),
    ],
)
async def test_an_endpoint_is_asked_by_the_api_that_it_has(
    endpoint: Endpoint, reply: Callable[[dict[str, Any]], web.Response | None], api: OpenAIApi | None, paths: list[str]
) -> None:
    endpoint.replies[RESPONSES] = reply
    assert [(got.text, got.error) for got in await ask(endpoint, HI, HI, api=api)] == [("Hi", None)] * 2
    assert endpoint.paths == paths


async def test_an_endpoint_that_has_the_api_keeps_it_and_its_failures_are_its_own(endpoint: Endpoint) -> None:
    bodies = iter([web.Response(status=500), web.Response(body=RESPONSE), web.Response(status=404)])
    endpoint.replies[RESPONSES] = lambda _: next(bodies)
    failed, answered, missing = await ask(endpoint, HI, HI, HI)
    assert failed.error
    assert failed.error.reason is Reason.PROVIDER_UNAVAILABLE
    assert answered.text == "Hi"
    assert missing.error
    assert missing.error.reason is Reason.PROVIDER_MODEL_MISSING
    assert endpoint.paths == [RESPONSES] * 3


async def test_an_endpoint_without_either_api_settles_nothing(endpoint: Endpoint) -> None:
    endpoint.replies.clear()
    for got in await ask(endpoint, HI, HI):
        assert got.error
        assert got.error.reason is Reason.PROVIDER_MODEL_MISSING
    assert endpoint.paths == [RESPONSES, COMPLETIONS] * 2


async def test_an_account_that_is_not_verified_gets_no_summaries(endpoint: Endpoint) -> None:
    def reply(body: dict[str, Any]) -> web.Response:
        is_refused = "summary" in body.get("reasoning", {})
        return web.json_response(UNVERIFIED, status=400) if is_refused else web.Response(body=RESPONSE)

    endpoint.replies[RESPONSES] = reply
    reasoning = asking("openai", "Hi", reasons=True)
    assert [got.text for got in await ask(endpoint, reasoning, reasoning)] == ["Hi", "Hi"]
    assert endpoint.paths == [RESPONSES] * 3


LOOK = Tool("look", "Looks.", '{"type": "object", "properties": {"at": {"type": "string"}}}')
LONG = "A sentence that is not short at all. " * 200


@dataclass
class Talk:
    """A conversation with OpenAI."""

    provider: BaseAIProvider
    path: list[PathMessage] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)

    def asking(self, *parts: Part, **options: Any) -> ProviderRequest:
        """Returns the request for the next turn."""
        model, prompt = options.pop("model", "gpt-6-luna"), (*self.path, PathMessage(Role.USER, parts))
        told = ChatOptions(**{"tools": (LOOK,)} | options)
        return ProviderRequest(model, Prompt(prompt, cache_key="key"), 1000, told, reasons=model != "gpt-4.1")

    async def ask(self, *parts: Part, **options: Any) -> tuple[Part, ...]:
        """Returns what the model answers, which it remembers."""
        request = self.asking(*parts, **options)
        result = await answer(self.provider, request)
        assert result.error is None
        content = AnswerContent()
        for event in result.events:
            if isinstance(event, UsageReport):
                self.usage = event.usage
            elif not isinstance(event, Sent | Stop):
                content.take(event)
        self.path = [*request.prompt.messages, PathMessage(Role.ASSISTANT, content.parts())]
        return content.parts()


@pytest.fixture
def talk(factory: AIProviderFactory) -> Talk:
    """A new conversation."""
    return Talk(factory.get("openai"))


async def begin_loop(talk: Talk) -> tuple[ReasoningPart, ToolCallPart]:
    """Has the model think, and call a tool."""
    begin = {"reasoning": ["Hm."], "tools": [{"name": "look", "arguments": {"at": "Zürich"}}], "deltas": []}
    rounds = scripted(rounds=[begin, {"reasoning": ["Ah."], "deltas": ["Sun."]}])
    thought, call = await talk.ask(TextPart(rounds))
    assert isinstance(thought, ReasoningPart)
    assert isinstance(call, ToolCallPart)
    return thought, call


async def test_a_loop_of_tools_keeps_its_reasoning(talk: Talk) -> None:
    _, call = await begin_loop(talk)
    parts = await talk.ask(ToolResultPart(call.call_id, (TextPart("20°"),)))
    assert [part.text for part in parts if isinstance(part, TextPart | ReasoningPart)] == ["Ah.", "Sun."]
    # Another model continues, which does not reason, and then the first one again.
    await talk.ask(TextPart(scripted()), model="gpt-4.1", tools=())
    await talk.ask(TextPart(scripted()))


async def test_changed_reasoning_is_refused(talk: Talk) -> None:
    thought, call = await begin_loop(talk)
    assert thought.signature is not None
    changed = {**json.loads(thought.signature.data), "encrypted_content": "gAAAAchanged"}
    forged = ReasoningPart("Hm.", Signature("openai", json.dumps(changed), "reasoning"))
    talk.path[-1] = PathMessage(Role.ASSISTANT, (forged, call))
    got = await answer(talk.provider, talk.asking(ToolResultPart(call.call_id)))
    assert got.error
    assert got.error.reason is Reason.PROVIDER_REQUEST_REJECTED
    assert "could not be verified" in got.error.message


async def test_a_long_beginning_is_read_from_the_cache(talk: Talk) -> None:
    await talk.ask(TextPart(LONG), TextPart(scripted()))
    first = talk.usage
    assert (first.cache_read, first.cache_write // 128 > 0) == (0, True)
    await talk.ask(TextPart(scripted()))
    assert talk.usage.cache_read == first.cache_write
    assert talk.usage.total_input - talk.usage.cache_read < first.total_input
    await talk.ask(TextPart(scripted()), cache=False)
    assert (talk.usage.cache_read, talk.usage.cache_write) == (0, 0)


async def test_tokens_are_counted_as_they_are_charged(talk: Talk) -> None:
    counted = await talk.provider.count_tokens(talk.asking(TextPart(scripted())))
    await talk.ask(TextPart(scripted()))
    assert counted == talk.usage.total_input


USER: dict[str, Any] = {"role": "user", "content": "Hi"}
CALLED = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "c", "output": "r"}
REASONED = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "foreign"}
FUNCTION = {"type": "function", "name": "f", "parameters": {"type": "object"}}
TOOLS: dict[str, Any] = {"tools": [FUNCTION]}


def content(role: str, *parts: dict[str, Any]) -> dict[str, Any]:
    return {"input": [{"role": role, "content": [*parts]}]}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"stop": ["a"]}, "Unknown parameter: 'stop'"),
    ({"temperature": 0.5}, "Unsupported parameter: 'temperature'"),
    ({"model": "gpt-4.1", "reasoning": {}}, "Unsupported parameter: 'reasoning'"),
    ({"max_output_tokens": 15}, ">= 16"),
    ({"input": [USER, CALLED]}, "No tool output found"),
    ({"input": [USER, RESULT]}, "No tool call found"),
    ({"input": [USER, CALLED, CALLED, RESULT]}, "Duplicate"),
    ({"input": [USER, REASONED, CALLED, RESULT]}, "could not be verified"),
    ({"model": "gpt-4.1", "input": [USER, REASONED, CALLED, RESULT]}, "Reasoning input items"),
    ({"input": [USER, {**CALLED, "id": "fc_r0123456789ab0"}, RESULT]}, "without its required 'reasoning'"),
    (content("assistant", {"type": "input_text", "text": "a"}), "'output_text'"),
    (content("user", {"type": "output_text", "text": "a"}), "'input_text'"),
    (content("user", {"type": "input_image", "image_url": "http://a/b.png"}), "Expected a valid URL"),
    (content("user", {"type": "input_image", "image_url": "data:image/png;base64,AAAA"}), "valid image"),
    (content("user", {"type": "input_file", "file_data": "data:application/pdf;base64,AAAA"}), "'filename'"),
    ({"tools": [{**FUNCTION, "name": "a b"}]}, "does not match"),
    ({"tools": [{**FUNCTION, "strict": True}]}, "'additionalProperties'"),
    ({**TOOLS, "tool_choice": {"type": "function", "name": "g"}}, "not found in 'tools'"),
    ({"tool_choice": "required"}, "only allowed when 'tools'"),
]


@pytest.mark.parametrize(("change", "words"), REFUSED)
def test_the_stand_in_refuses_what_openai_refuses(vendors: Vendors, change: dict[str, Any], words: str) -> None:
    body = {"model": "gpt-6-luna", "input": [USER], "stream": True} | change
    url, headers = f"{vendors.base_url('openai')}/responses", {"authorization": "Bearer k"}
    told = vendors.http.post(url, json=body, headers=headers)
    assert told.status_code == 400
    assert words in told.json()["error"]["message"]
