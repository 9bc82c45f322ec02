"""A provider sends what the vendor's own SDK sends for the same question."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from aichat_server.content.parts import (
    DocumentPart,
    ImagePart,
    Link,
    ReasoningPart,
    Role,
    Signature,
    StoredFile,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from aichat_server.core.errors import AichatError
from aichat_server.providers.domain.requests import (
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
from pydantic import TypeAdapter

from tests.fixtures.vendors import answer, asking

KEY = "a-key"
PNG = StoredFile("0" * 64, "image/png", 3, 1, 1)
PDF = StoredFile("1" * 64, "application/pdf", 3, pages=1)
NOTES = StoredFile("2" * 64, "text/markdown", 3)
EVERYTHING = (
    ImagePart(PNG), ImagePart(Link("https://example.com/a.png")), DocumentPart(PDF, "A report"), DocumentPart(NOTES),
    DocumentPart(Link("https://example.com/a.pdf")),
)  # fmt: skip
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


class Stored:
    """Files of three bytes each."""

    async def read(self, file: StoredFile) -> AsyncIterator[bytes]:
        """Yields them in two pieces."""
        yield b"a"
        yield file.media_type[-2:].encode()


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
    async with client, create(**body, betas=["thinking-binding-controls-2026-08-01"]):
        pass


async def by_openai(url: str, _request: ProviderRequest, body: Any) -> None:
    client = openai.AsyncOpenAI(api_key=KEY, base_url=url, max_retries=0)
    async with client, client.chat.completions.with_streaming_response.create(**body):
        pass


async def by_gemini(url: str, request: ProviderRequest, body: Any) -> None:
    thinking = body["generationConfig"].get("thinkingConfig")
    config = types.GenerateContentConfig(
        max_output_tokens=request.max_output_tokens,
        temperature=request.options.temperature,
        stop_sequences=list(request.options.stop) or None,
        system_instruction=request.options.system_prompt or None,
        thinking_config=types.ThinkingConfig(**thinking) if thinking else None,
        automatic_continuation=False,
    )
    async with httpx2.AsyncClient(trust_env=False) as http:
        retries = types.HttpRetryOptions(attempts=1)
        options = types.HttpOptions(base_url=url, retry_options=retries, httpx_async_client=http)
        models = genai.Client(api_key=KEY, vertexai=False, http_options=options).aio.models
        async for _ in await models.generate_content_stream(
            model=request.model, contents=body["contents"], config=config
        ):
            """No event arrives."""


SDKS: dict[str, Callable[[str, ProviderRequest, Any], Awaitable[None]]] = {
    "anthropic": by_anthropic, "openai": by_openai, "gemini": by_gemini,
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


async def test_all_that_claude_takes_is_the_sdks(taken: Taken) -> None:
    factory = AIProviderFactory([ProviderConfig("anthropic", KEY, taken.url)])
    request = asking(
        "anthropic",
        "What is this?",
        tools=(Tool("look", "Looks.", '{"type":"object","properties":{"where":{"type":"string"}}}'),),
        tool_choice=ToolChoice(ToolChoiceMode.AUTO),
        parallel_tool_calls=False,
        response_format=ResponseFormat('{"type":"object","properties":{"it":{"type":"string","maxLength":9}}}'),
        web_search=WebSearch(2, ("example.com",)),
    )
    asked = dataclasses.replace(request.prompt.messages[0], parts=(*EVERYTHING, *request.prompt.messages[0].parts))
    called = (ReasoningPart("Hm.", Signature("anthropic", "c2ln", "thinking")), ToolCallPart("toolu_1", "look", "{}"))
    result = ToolResultPart("toolu_1", (TextPart("A cat."), *EVERYTHING))
    path = (asked, PathMessage(Role.ASSISTANT, called), PathMessage(Role.USER, (result,)))
    request = dataclasses.replace(request, prompt=Prompt(path, Stored()))
    provider = factory.get("anthropic")
    assert (await answer(provider, request)).error
    with pytest.raises(AichatError):
        await provider.count_tokens(request)
    await factory.aclose()
    [ours, count] = taken.requests
    client = anthropic.AsyncAnthropic(api_key=KEY, base_url=taken.url, max_retries=0)
    betas = ["thinking-binding-controls-2026-08-01"]
    with pytest.raises(anthropic.InternalServerError):
        await by_anthropic(taken.url, request, ours[2])
    with pytest.raises(anthropic.InternalServerError):
        await client.beta.messages.with_raw_response.count_tokens(**count[2], betas=betas)
    await client.close()
    assert taken.requests == [ours, count, ours, count]
    adapter = TypeAdapter(MessageCreateParamsStreaming)
    adapter.validate_python(ours[2], extra="forbid")


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
