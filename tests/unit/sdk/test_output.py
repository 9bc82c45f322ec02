"""Answers that are values of a type."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, TypedDict

import msgspec
import pytest
from aichat_sdk import AnswerInvalidError, AsyncAIChat, InvalidRequestError, TypedAnswer
from pydantic import BaseModel

from tests.unit.sdk.scripted import ScriptedServer, answer, calling


@dataclasses.dataclass
class River:
    name: str
    length: int


class Lake(TypedDict):
    name: str
    length: int


class Sea(msgspec.Struct):
    name: str
    length: int


class Ocean(BaseModel):
    name: str
    length: int


TEXT = '{"name": "Rhine", "length": 1233}'
KINDS: list[type[Any]] = [River, Lake, Sea, Ocean]


@pytest.mark.parametrize("kind", KINDS)
async def test_an_answer_is_a_value_of_its_type(server: ScriptedServer, client: AsyncAIChat, kind: type[Any]) -> None:
    server.on("StreamChat", answer(TEXT[:9], TEXT[9:]), answer(TEXT), answer(TEXT))
    value = kind(name="Rhine", length=1233)
    async with client.chat.stream(model="m", text="Which?", output_type=kind) as stream:
        assert "".join([text async for text in stream.text_stream]) == TEXT
        assert await stream.get_final_output() == value
    sent = await client.chat.send(model="m", text="Which?", output_type=kind)
    assert sent == TypedAnswer(await stream.get_final_message(), value)
    async with client.chat.run_tools(model="m", text="Which?", output_type=kind) as run:
        assert await run.get_final_output() == value
    for call in server.calls:
        asked = call.request.options.response_format
        schema = json.loads(asked.json_schema)
        assert asked.name == schema["title"] == kind.__name__
        assert (schema["type"], sorted(schema["properties"])) == ("object", ["length", "name"])


async def test_an_answer_that_is_no_value_is_a_typed_error(server: ScriptedServer, client: AsyncAIChat) -> None:
    server.on("StreamChat", answer('{"name": "Rhine"}'), answer("The Rhine."), calling(("c", "find", "{}")))
    for told in ("required field `length`", "malformed", "it calls tools"):
        with pytest.raises(AnswerInvalidError, match=f"the answer is no River: .*{told}") as caught:
            await client.chat.send(model="m", text="Which?", output_type=River)
        assert caught.value.conversation_id == "conversation-1"


async def test_an_untyped_answer_has_no_value(server: ScriptedServer, client: AsyncAIChat) -> None:
    server.on("StreamChat", answer(TEXT))
    async with client.chat.stream(model="m", text="Which?") as stream:
        with pytest.raises(TypeError, match="output_type"):
            await stream.get_final_output()


async def test_a_type_that_no_answer_has_is_refused(server: ScriptedServer, client: AsyncAIChat) -> None:
    for kind in (int, list[int], object):
        with pytest.raises(TypeError):
            await client.chat.send(model="m", text="Which?", output_type=kind)
    with pytest.raises(InvalidRequestError, match="response_format"):
        await client.chat.send(model="m", text="Which?", output_type=River, response_format={"type": "object"})
    assert server.calls == []
