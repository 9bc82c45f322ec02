"""A provider sends what the vendor's own SDK sends for the same question."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from aichat_server.content.parts import (
    AudioPart,
    Citation,
    DocumentPart,
    ImagePart,
    Link,
    Part,
    ProviderItem,
    ReasoningPart,
    Role,
    Signature,
    StoredFile,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    WebSource,
)
from aichat_server.models.domain.models import ServiceTier
from aichat_server.providers.domain.requests import (
    ChatOptions,
    PathMessage,
    Prompt,
    ProviderRequest,
    ReasoningEffort,
    ResponseFormat,
    Tool,
    ToolChoice,
    ToolChoiceMode,
    WebSearch,
)
from aichat_server.providers.gateway.base import ProviderConfig
from aichat_server.providers.gateway.factory import AIProviderFactory
from aiohttp import web
from anthropic.types.beta.message_create_params import MessageCreateParamsStreaming
from google import genai
from google.genai import types
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming
from openai.types.responses.response_create_params import ResponseCreateParamsStreaming
from pydantic import TypeAdapter

from tests.fixtures.vendors import MODELS, answer, asking

KEY = "a-key"
# Headers of the connection, and those that may differ between requests.
NOT_COMPARED = {"host", "connection", "content-length", "accept-encoding"}
ASKED: list[dict[str, Any]] = [
    {},
    {"system_prompt": "Be brief.", "temperature": 0.5, "stop": ("END", "Ü")},
    *({"reasoning_effort": effort} for effort in ReasoningEffort),
]


@dataclass
class Taken:
    """A vendor that receives requests and answers none."""

    url: str = ""
    requests: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    """Path, headers and JSON of each."""

    async def take(self, request: web.Request) -> web.Response:
        """Stores the request."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        compared = {name: value for name, value in headers.items() if name not in NOT_COMPARED}
        self.requests.append((request.path_qs, compared, await request.json()))
        return web.Response(status=500)


@pytest.fixture
async def taken() -> AsyncIterator[Taken]:
    """The vendor, below a path, as behind a gateway."""
    kept = Taken()
    app = web.Application()
    app.router.add_post("/{path:.*}", kept.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    [address] = runner.addresses
    kept.url = f"http://127.0.0.1:{address[1]}/a/gateway"
    yield kept
    await runner.cleanup()


async def by_anthropic(url: str, _request: ProviderRequest, body: Any) -> None:
    client = anthropic.AsyncAnthropic(api_key=KEY, base_url=url, max_retries=0)
    create = client.beta.messages.with_streaming_response.create
    # The SDK knows no temperature, which the first version of the API takes.
    sampling = {name: body[name] for name in ("temperature", "top_p") if name in body}
    known = {name: value for name, value in body.items() if name not in sampling}
    headers = {"anthropic-version": "2023-06-01"} if sampling else {}
    betas = ["thinking-binding-controls-2026-08-01"]
    async with client, create(**known, betas=betas, extra_body=sampling, extra_headers=headers):
        pass


async def by_openai(url: str, _request: ProviderRequest, body: Any) -> None:
    client = openai.AsyncOpenAI(api_key=KEY, base_url=url, max_retries=0)
    async with client, client.responses.with_streaming_response.create(**body):
        pass


async def by_compatible(url: str, _request: ProviderRequest, body: Any) -> None:
    client = openai.AsyncOpenAI(api_key=KEY, base_url=url, max_retries=0)
    async with client, client.chat.completions.with_streaming_response.create(**body):
        pass


async def by_gemini(url: str, request: ProviderRequest, body: Any) -> None:
    named = {name: value for name, value in body.items() if name not in ("contents", "generationConfig")}
    config = types.GenerateContentConfig.model_validate(body["generationConfig"] | named)
    config.automatic_continuation = False
    contents: Any = [types.Content.model_validate_json(json.dumps(content)) for content in body["contents"]]
    async with httpx2.AsyncClient(trust_env=False) as http:
        retries = types.HttpRetryOptions(attempts=1)
        options = types.HttpOptions(base_url=url, retry_options=retries, httpx_async_client=http)
        models = genai.Client(api_key=KEY, vertexai=False, http_options=options).aio.models
        async for _ in await models.generate_content_stream(model=request.model, contents=contents, config=config):
            """No event arrives."""


SDKS: dict[str, Callable[[str, ProviderRequest, Any], Awaitable[None]]] = {
    "anthropic": by_anthropic, "openai": by_openai, "gemini": by_gemini, "other": by_compatible,
}  # fmt: skip


@pytest.mark.parametrize("asked", ASKED)
async def test_the_request_is_the_sdks(taken: Taken, vendor: str, asked: dict[str, Any]) -> None:
    factory = AIProviderFactory([ProviderConfig(vendor, KEY, taken.url)])
    request = asking(vendor, "Grüezi", 'Hello "you" \u2028', "And?", **asked)
    assert (await answer(factory.get(vendor), request)).error
    await factory.aclose()
    [ours] = taken.requests
    with pytest.raises((anthropic.InternalServerError, openai.InternalServerError, genai.errors.ServerError)):
        await SDKS[vendor](taken.url, request, ours[2])
    assert taken.requests == [ours, ours]


PNG, PDF = StoredFile("a", "image/png", 1), StoredFile("b", "application/pdf", 1)
TXT, WAV = StoredFile("c", "text/plain", 1), StoredFile("d", "audio/wav", 1)
SCHEMA = (
    '{"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"], "additionalProperties": false}'
)
LINK = ImagePart(Link("https://example.com/a.png"))
CLAUDE_SEARCHES = '{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"x"}}'
CLAUDE_FINDS = '{"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[]}'
CLAUDE_CITED = {
    "type": "web_search_result_location", "url": "https://example.com/", "title": "A", "cited_text": "B",
    "encrypted_index": "C",
}  # fmt: skip
CLAUDE_CITES = Citation(
    WebSource("https://example.com/"),
    signature=Signature("anthropic", json.dumps(CLAUDE_CITED), "web_search_result_location"),
)
GPT_REASONS = '{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAAA"}'
GPT_SEARCHES = '{"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"x"}}'
EVERYTHING: dict[str, tuple[tuple[tuple[Part, ...], ...], dict[str, Any]]] = {
    "anthropic": (
        (
            (TextPart("Hi"), ImagePart(PNG), LINK, DocumentPart(PDF, "Terms"), DocumentPart(TXT)),
            (
                ReasoningPart("Hm.", Signature("anthropic", "aGVsbG8=", "thinking")),
                ReasoningPart("", Signature("anthropic", "d29ybGQ=", "redacted_thinking")),
                ProviderItem("anthropic", "server_tool_use", CLAUDE_SEARCHES),
                ProviderItem("anthropic", "web_search_tool_result", CLAUDE_FINDS),
                TextPart("Well.", (CLAUDE_CITES,)),
                ToolCallPart("c1", "look", '{"at": "Zürich"}'),
                ToolCallPart("c2", "look", "no JSON"),
            ),
            (ToolResultPart("c1", (TextPart("x"), ImagePart(PNG), LINK)), ToolResultPart("c2", is_error=True)),
        ),
        {"parallel_tool_calls": False},
    ),
    "gemini": (
        (
            (TextPart("Hi"), ImagePart(PNG), LINK, DocumentPart(PDF, "Terms"), DocumentPart(TXT), AudioPart(WAV)),
            (
                ReasoningPart("Hm.", Signature("gemini", "aGVsbG8=")),
                ProviderItem("gemini", "toolCall", '{"toolCall": {"id": "x", "toolType": "GOOGLE_SEARCH_WEB"}}'),
                ProviderItem("gemini", "toolResponse", '{"toolResponse": {"id": "x", "response": {"a": "b"}}}'),
                TextPart("Well.", signature=Signature("gemini", "d29ybGQ=", "text")),
                ToolCallPart("c1", "look", '{"at": "Zürich"}', Signature("gemini", "d29ybGQh")),
                ToolCallPart("c2", "look", "no JSON"),
            ),
            (ToolResultPart("c1", (TextPart("x"), ImagePart(PNG), LINK)), ToolResultPart("c2", is_error=True)),
        ),
        {"temperature": 0.5, "top_p": 0.5, "seed": 7, "service_tier": ServiceTier.FLEX},
    ),
    "openai": (
        (
            (TextPart("Hi"), ImagePart(PNG), LINK, DocumentPart(PDF, "Terms"), DocumentPart(TXT)),
            (
                ReasoningPart("Hm.", Signature("openai", GPT_REASONS, "reasoning")),
                ProviderItem("openai", "web_search_call", GPT_SEARCHES),
                TextPart("Well.", signature=Signature("openai", '{"id":"msg_1","status":"completed"}', "message")),
                ToolCallPart("c1", "look", '{"at": "Zürich"}', Signature("openai", '{"id":"fc_1"}', "function_call")),
                ToolCallPart("c2", "look", "no JSON"),
            ),
            (ToolResultPart("c1", (TextPart("x"), ImagePart(PNG), LINK)), ToolResultPart("c2", is_error=True)),
        ),
        {"parallel_tool_calls": False, "service_tier": ServiceTier.FLEX, "cache": False},
    ),
    # A compatible endpoint.
    "other": (
        (
            (TextPart("Hi"), ImagePart(PNG), LINK, DocumentPart(PDF, "Terms"), DocumentPart(TXT), AudioPart(WAV)),
            (TextPart("Well."), ToolCallPart("c1", "look", '{"at": "Zürich"}'), ToolCallPart("c2", "look", "no JSON")),
            (ToolResultPart("c1", (TextPart("x"), ImagePart(PNG), LINK)), ToolResultPart("c2", is_error=True)),
        ),
        {"parallel_tool_calls": False, "temperature": 0.5, "top_p": 0.5, "seed": 7, "stop": ("END",)},
    ),
}
FORMS: dict[str, Any] = {
    "anthropic": MessageCreateParamsStreaming,
    "openai": ResponseCreateParamsStreaming,
    "other": CompletionCreateParamsStreaming,
}


class Files:
    """Files whose content is their name."""

    async def read(self, file: StoredFile) -> AsyncIterator[bytes]:
        """Yields the name."""
        yield file.sha256.encode()


def in_camel_case(value: Any) -> Any:
    """Returns JSON with Google's other form of names: its SDK writes one form here and the other there."""
    match value:
        case dict():
            return {re.sub("_(.)", lambda m: m[1].upper(), k): in_camel_case(v) for k, v in value.items() if v != []}
        case list():
            return [in_camel_case(inner) for inner in value]
        case _:
            return value


@pytest.mark.parametrize("asked", EVERYTHING)
async def test_all_parts_and_options_have_the_sdks_form(taken: Taken, asked: str) -> None:
    turns, more = EVERYTHING[asked]
    config = ProviderConfig(asked, KEY, taken.url, openai_compatible=asked == "other")
    factory = AIProviderFactory([config])
    options = ChatOptions(
        system_prompt="Be brief.",
        tools=(Tool("look", "Looks.", SCHEMA),),
        tool_choice=ToolChoice(ToolChoiceMode.ONE, "look"),
        response_format=ResponseFormat(SCHEMA),
        web_search=WebSearch(),
        **more,
    )
    messages = tuple(PathMessage((Role.USER, Role.ASSISTANT)[n % 2], parts) for n, parts in enumerate(turns))
    model = MODELS.get(asked, "a-model")
    request = ProviderRequest(model, Prompt(messages, Files(), "a-key"), 1000, options, reasons=True)
    assert (await answer(factory.get(asked), request)).error
    await factory.aclose()
    [ours] = taken.requests
    with pytest.raises((anthropic.InternalServerError, openai.InternalServerError, genai.errors.ServerError)):
        await SDKS[asked](taken.url, request, ours[2])
    if asked in FORMS:
        TypeAdapter(FORMS[asked]).validate_python(ours[2], extra="forbid")
    [_, theirs] = taken.requests
    assert (*theirs[:2], in_camel_case(theirs[2])) == (*ours[:2], in_camel_case(ours[2]))


async def test_every_model_has_its_own_head(taken: Taken, vendor: str) -> None:
    factory = AIProviderFactory([ProviderConfig(vendor, KEY, taken.url)])
    models = ["model-a", "model-b", "model-a", "model-b"]
    await asyncio.gather(
        *(answer(factory.get(vendor), asking(vendor, model, model=model, max_output_tokens=9)) for model in models)
    )
    await factory.aclose()
    for path, _, body in taken.requests:
        model = next(name for name in models if name in str(body))
        assert body.get("model", path.rpartition("/")[2].partition(":")[0]) == model
