"""OpenAI's agents framework."""

from __future__ import annotations

import asyncio

from agents import Agent, Runner, function_tool, set_default_openai_api, set_default_openai_client, set_tracing_disabled
from openai import AsyncOpenAI
from play import HELLO, KEY, OPENAI, ROUNDS, SAID, SUM, SUMS, each_model

set_tracing_disabled(True)
set_default_openai_client(AsyncOpenAI(base_url=OPENAI, api_key=KEY))


async def works(model: str) -> None:
    sums = []

    @function_tool
    def add(a: int, b: int) -> int:
        """Adds two numbers."""
        sums.append(a + b)
        return sums[-1]

    agent = Agent(name="Adder", model=model, tools=[add])
    assert (await Runner.run(agent, HELLO)).final_output == SAID
    assert (await Runner.run(agent, ROUNDS)).final_output == SUM
    assert sums == SUMS, sums
    streamed = Runner.run_streamed(agent, HELLO)
    async for _ in streamed.stream_events():
        """Read to the end."""
    assert streamed.final_output == SAID


async def responses(model: str) -> None:
    set_default_openai_api("responses")
    await works(model)


async def chat_completions(model: str) -> None:
    set_default_openai_api("chat_completions")
    await works(model)


async def main() -> None:
    for check in (chat_completions, responses):
        await each_model(check)()


asyncio.run(main())
