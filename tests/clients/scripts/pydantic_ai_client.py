"""Pydantic AI, over both APIs."""

from __future__ import annotations

import asyncio
import base64

from play import ANTHROPIC, CITY, HELLO, KEY, OPENAI, PIXEL, ROUNDS, SAID, SUM, SUMS, done, each_model
from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, NativeOutput
from pydantic_ai.exceptions import ModelHTTPError
from pydantic_ai.models import Model
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider


class City(BaseModel):
    name: str
    people: int


async def works(model: Model) -> None:
    agent = Agent(model)
    assert (await agent.run(HELLO)).output == SAID
    async with agent.run_stream(HELLO) as stream:
        assert "".join([text async for text in stream.stream_text(delta=True)]) == SAID
    sums = []
    adder = Agent(model)

    @adder.tool_plain
    def add(a: int, b: int) -> int:
        """Adds two numbers."""
        sums.append(a + b)
        return sums[-1]

    assert (await adder.run(ROUNDS)).output == SUM
    assert sums == SUMS, sums
    seen = await agent.run(["What is this?", BinaryContent(base64.b64decode(PIXEL), media_type="image/png")])
    assert seen.output
    if model.profile.get("supports_json_schema_output"):
        found = await Agent(model, output_type=NativeOutput(City)).run(CITY)
        assert found.output == City(name="Oslo", people=700000), found


def openai() -> OpenAIProvider:
    return OpenAIProvider(base_url=OPENAI, api_key=KEY)


async def openai_chat(model: str) -> None:
    await works(OpenAIChatModel(model, provider=openai()))


async def openai_responses(model: str) -> None:
    await works(OpenAIResponsesModel(model, provider=openai()))


async def anthropic_messages(model: str) -> None:
    await works(AnthropicModel(model, provider=AnthropicProvider(base_url=ANTHROPIC, api_key=KEY)))


async def main() -> None:
    for check in (openai_chat, openai_responses, anthropic_messages):
        await each_model(check)()
    try:
        await Agent(OpenAIChatModel("no-such-model", provider=openai())).run("Hi")
    except ModelHTTPError as error:
        assert error.status_code == 404, error
        done("error")


asyncio.run(main())
