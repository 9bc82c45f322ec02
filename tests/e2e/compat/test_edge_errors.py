"""What the edge itself refuses, as OpenAI's and Anthropic's own SDKs raise it; and what it lets through."""

from __future__ import annotations

import gzip
import json
from collections.abc import Awaitable

import anthropic
import httpx
import openai
import pytest
from aichat_sandbox.platform import Platform

from tests.e2e.calls import MODELS, script

LARGE, TOO_LARGE = "x" * 2_000_000, "x" * 33_554_433


async def failure(call: Awaitable[object]) -> openai.APIStatusError | anthropic.APIStatusError:
    try:
        await call
    except (openai.APIStatusError, anthropic.APIStatusError) as error:
        refused = error
    else:
        pytest.fail("the call was answered")
    # Users tell it to the operators.
    assert refused.request_id
    return refused


async def test_openais_sdk_raises_what_the_edge_refuses(platform: Platform) -> None:
    root, key = f"{platform.http}/openai/v1", platform.key["api_key"]
    async with (
        openai.AsyncOpenAI(base_url=root, api_key=key, max_retries=0) as sdk,
        openai.AsyncOpenAI(base_url=root, api_key="no", max_retries=0) as stranger,
    ):
        missing = await failure(sdk.files.list())
        assert (type(missing), missing.message) == (
            openai.NotFoundError,
            "Error code: 404 - the path does not exist",
        )
        too_large = await failure(sdk.responses.create(model="m", input=TOO_LARGE))
        assert (too_large.status_code, type(too_large)) == (413, openai.APIStatusError)
        unknown = await failure(stranger.responses.create(model="m", input=LARGE))
        assert type(unknown) is openai.AuthenticationError


async def test_anthropics_sdk_raises_what_the_edge_refuses(platform: Platform) -> None:
    root, key = f"{platform.http}/anthropic", platform.key["api_key"]
    async with (
        anthropic.AsyncAnthropic(base_url=root, api_key=key, max_retries=0) as sdk,
        anthropic.AsyncAnthropic(base_url=root, api_key="no", max_retries=0) as stranger,
    ):
        said: list[anthropic.types.MessageParam] = [{"role": "user", "content": TOO_LARGE}]
        assert type(await failure(sdk.beta.files.list())) is anthropic.NotFoundError
        too_large = await failure(sdk.messages.create(model="m", messages=said, max_tokens=1))
        assert (too_large.status_code, type(too_large).__name__) == (413, "ContentTooLargeError")
        said = [{"role": "user", "content": LARGE}]
        unknown = await failure(stranger.messages.create(model="m", messages=said, max_tokens=1))
        assert type(unknown) is anthropic.AuthenticationError


# OpenAI's own models get such a request as it was sent, and know no field of tomorrow.
@pytest.mark.parametrize("model", [MODELS[0], MODELS[2]])
async def test_a_large_packed_request_is_answered(http: httpx.AsyncClient, model: str) -> None:
    said = {"role": "user", "content": script(deltas=["Hello."])}
    body = {"model": model, "messages": [said], "a_field_of_tomorrow": ["x" * 1000] * 5000}
    packed = gzip.compress(json.dumps(body).encode(), 1)
    headers = {"content-encoding": "gzip", "content-type": "application/json"}
    response = await http.post("/openai/v1/chat/completions", content=packed, headers=headers)
    assert response.status_code == 200, response.text
    assert response.json()["choices"][0]["message"]["content"] == "Hello."
