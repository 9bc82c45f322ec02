"""LangChain, over both APIs."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from play import ANTHROPIC, CITY, CITY_SCHEMA, HELLO, KEY, OPENAI, PIXEL, ROUNDS, SAID, SUM, SUMS, done, each_model


@tool
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


def chat(model: str, **more: Any) -> BaseChatModel:
    return ChatOpenAI(model=model, base_url=OPENAI, api_key=KEY, max_retries=0, **more)


def claude(model: str) -> BaseChatModel:
    return ChatAnthropic(model=model, base_url=ANTHROPIC, api_key=KEY, max_retries=0)


async def works(llm: BaseChatModel) -> None:
    whole = await llm.ainvoke(HELLO)
    assert whole.text == SAID, whole
    assert whole.usage_metadata["output_tokens"] > 0, whole
    assert "".join([chunk.text async for chunk in llm.astream(HELLO)]) == SAID
    said: list[Any] = [HumanMessage(ROUNDS)]
    sums = []
    while True:
        answer = await llm.bind_tools([add]).ainvoke(said)
        said.append(answer)
        if not answer.tool_calls:
            break
        for call in answer.tool_calls:
            sums.append(add.invoke(call["args"]))
            said.append(ToolMessage(str(sums[-1]), tool_call_id=call["id"]))
    assert (sums, answer.text) == (SUMS, SUM), (sums, answer)
    image = {"type": "image", "base64": PIXEL, "mime_type": "image/png"}
    seen = await llm.ainvoke([HumanMessage([{"type": "text", "text": "What is this?"}, image])])
    assert seen.text


async def openai_chat(model: str) -> None:
    await works(chat(model))
    city = (
        await chat(model).with_structured_output({"title": "City", **CITY_SCHEMA}, method="json_schema").ainvoke(CITY)
    )
    assert city == {"name": "Oslo", "people": 700000}, city


async def openai_responses(model: str) -> None:
    await works(chat(model, use_responses_api=True))


async def anthropic_messages(model: str) -> None:
    await works(claude(model))


async def main() -> None:
    for check in (openai_chat, openai_responses, anthropic_messages):
        await each_model(check)()
    try:
        await chat("no-such-model").ainvoke("Hi")
    except openai.NotFoundError as error:
        assert error.code == "model_not_found", error
        done("error")
    embeddings = OpenAIEmbeddings(
        # It would load the tokens of OpenAI's models from the internet to cut texts that are too long.
        model="text-embedding-3-small",
        base_url=OPENAI,
        api_key=KEY,
        check_embedding_ctx_length=False,
    )
    assert len(await embeddings.aembed_query("Oslo")) == 1536
    done("embeddings")


asyncio.run(main())
