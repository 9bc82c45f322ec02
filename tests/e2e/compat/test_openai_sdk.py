"""OpenAI's own SDK, with another base URL and key."""

from __future__ import annotations

import openai
import pytest
from aichat_sandbox.platform import Platform
from openai.types.chat import ChatCompletionUserMessageParam

from tests.e2e.calls import MODELS, script

SAY = ChatCompletionUserMessageParam(role="user", content=script(deltas=["Hello ", "there."]))


def client(platform: Platform, root: str = "/openai/v1", key: str | None = None) -> openai.AsyncOpenAI:
    """OpenAI's SDK for the platform's edge."""
    api_key = key or str(platform.key["api_key"])
    return openai.AsyncOpenAI(base_url=f"{platform.http}{root}", api_key=api_key, max_retries=0)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("root", ["/openai/v1", "/v1"])
async def test_a_completion_is_answered_whole_and_as_a_stream(platform: Platform, model: str, root: str) -> None:
    async with client(platform, root) as sdk:
        whole = await sdk.chat.completions.create(model=model, messages=[SAY])
        assert (whole.choices[0].message.content, whole.choices[0].finish_reason) == ("Hello there.", "stop")
        stream = await sdk.chat.completions.create(model=model, messages=[SAY], stream=True)
        chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hello there."
    assert chunks[0].choices[0].delta.role == "assistant"


async def test_failures_raise_what_the_sdk_expects(platform: Platform) -> None:
    async with client(platform) as sdk:
        with pytest.raises(openai.NotFoundError, match="nothing"):
            await sdk.chat.completions.create(model="nothing", messages=[SAY])
        broken = ChatCompletionUserMessageParam(role="user", content=script(deltas=["Hello"], cut_after=1))
        stream = await sdk.chat.completions.create(model=MODELS[0], messages=[broken], stream=True)
        with pytest.raises(openai.APIError):
            [chunk async for chunk in stream]
    async with client(platform, key="aichat_no") as sdk:
        with pytest.raises(openai.AuthenticationError):
            await sdk.chat.completions.create(model=MODELS[0], messages=[SAY])
