"""`run_tools` calls what the model calls, until it answers."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from aichat.v1 import messages_pb2, options_pb2
from aichat_sdk import (
    AsyncAIChat,
    ClosedError,
    Document,
    Image,
    InvalidRequestError,
    Tool,
    ToolRoundsExceededError,
    UnavailableError,
    message_text,
)

from tests.unit.sdk.scripted import CANCELLED, GENERATION, ScriptedServer, answer, calling, fail, hang, reply, started

CALL = ("call-1", "add", '{"a": 2, "b": 3}')


def add(a: int, b: int) -> int:
    """Adds."""
    return a + b


def results(server: ScriptedServer, number: int = 1) -> list[messages_pb2.Part]:
    """Returns the parts of the message with that number, from 0."""
    sent = [call.request for call in server.calls if call.method == "StreamChat"]
    return list(sent[number].parts)


async def test_results_are_the_next_message_of_the_same_conversation(
    server: ScriptedServer, client: AsyncAIChat
) -> None:
    server.on("StreamChat", calling(CALL), answer("5"))
    async with client.chat.run_tools(
        model="m", text="2 + 3?", tools=[add], tool_choice="required", system_prompt="Be brief."
    ) as run:
        assert [text async for text in run.text_stream] == ["Let me see.", "5"]
        message = await run.get_final_message()
    assert (message_text(message), await run.get_final_text(), len(run.messages)) == ("5", "5", 2)
    first, second = (call.request for call in server.calls)
    assert (second.conversation_id, second.parent_message_id) == ("conversation-1", "message-2")
    assert first.request_id != second.request_id
    (result,) = second.parts
    assert result == messages_pb2.Part(
        tool_result={"call_id": "call-1", "parts": [{"text": {"text": "5"}}]}  # type: ignore[arg-type]
    )
    assert second.options.tools == first.options.tools
    assert second.options.system_prompt == "Be brief."
    assert first.options.tool_choice.mode == options_pb2.TOOL_CHOICE_MODE_REQUIRED
    assert not second.options.HasField("tool_choice"), "a demand for a call would never end"


@dataclass
class Place:
    city: str


class UnreadyError(Exception):
    """Has no text."""


RETURNED: list[tuple[object, list[dict[str, Any]], bool]] = [
    ("text", [{"text": {"text": "text"}}], False),
    (None, [], False),
    ("  ", [], False),
    (Place("Ulm"), [{"text": {"text": '{"city":"Ulm"}'}}], False),
    ([1, "a"], [{"text": {"text": '[1,"a"]'}}], False),
    (Image.from_bytes(b"png"), [{"image": {"data": b"png"}}], False),
    (
        [Document.from_bytes(b"text", title="t"), "seen"],
        [{"document": {"data": b"text", "title": "t"}}, {"text": {"text": "seen"}}],
        False,
    ),
    (ValueError("no\0 such city"), [{"text": {"text": "ValueError: no\N{REPLACEMENT CHARACTER} such city"}}], True),
    (UnreadyError(), [{"text": {"text": "UnreadyError: "}}], True),
    (object(), [{"text": {"text": "TypeError: object has no form as JSON"}}], True),
    ("a\0b", [{"text": {"text": "ValueError: the result holds a NUL character"}}], True),
    (
        "x" * ((1 << 20) + 1),
        [{"text": {"text": "ValueError: the result has 1048577 bytes, at most 1048576 can be sent"}}],
        True,
    ),
    (asyncio.CancelledError(), [{"text": {"text": "CancelledError"}}], True),
    (SystemExit(2), [{"text": {"text": "SystemExit: 2"}}], True),
]


@pytest.mark.parametrize(("returned", "parts", "is_error"), RETURNED, ids=range(len(RETURNED)))
async def test_what_a_function_returns_or_raises_is_its_result(
    server: ScriptedServer, client: AsyncAIChat, returned: Any, parts: list[dict[str, Any]], is_error: bool
) -> None:
    async def look() -> object:
        if isinstance(returned, BaseException):
            raise returned
        return returned

    server.on("StreamChat", calling(("c", "look", "")), answer("Seen."))
    async with client.chat.run_tools(model="m", text="Look!", tools=[look]) as run:
        await run.get_final_message()
    expected = messages_pb2.ToolResultPart(call_id="c", parts=parts, is_error=is_error)  # type: ignore[arg-type]
    assert [part.tool_result for part in results(server)] == [expected]


async def test_calls_that_cannot_be_made_tell_the_model_why(server: ScriptedServer, client: AsyncAIChat) -> None:
    wrong = [("1", "sub", "{}"), ("2", "add", '{"a": 2}'), ("3", "add", '{"a": '), ("4", "add", '{"a": "2", "b": 3}')]

    def first() -> str:
        return next(iter(()))

    server.on("StreamChat", calling(*wrong, ("5", "first", "{}")), answer("Sorry."))
    async with client.chat.run_tools(model="m", text="2 + 3?", tools=[add, first]) as run:
        await run.get_final_message()
    told = [(part.tool_result.is_error, part.tool_result.parts[0].text.text) for part in results(server)]
    assert all(is_error for is_error, _ in told)
    for (_, text), reason in zip(
        told,
        [
            "no tool 'sub'; there are add",
            "required field `b`",
            "truncated",
            "Expected `int`, got `str`",
            "StopIteration",
        ],
        strict=True,
    ):
        assert reason in text


async def test_functions_run_at_the_same_time_and_the_others_in_threads(
    server: ScriptedServer, client: AsyncAIChat
) -> None:
    both = threading.Barrier(2, timeout=30)

    def wait() -> bool:
        both.wait()
        return threading.current_thread() is threading.main_thread()

    server.on("StreamChat", calling(("1", "wait", "{}"), ("2", "wait", "{}")), answer("Done."))
    async with client.chat.run_tools(model="m", text="Wait!", tools=[wait]) as run:
        await run.get_final_message()
    assert [part.tool_result.parts[0].text.text for part in results(server)] == ["false", "false"]


async def test_rounds_end_with_the_last_message(server: ScriptedServer, client: AsyncAIChat) -> None:
    server.on("StreamChat", calling(CALL), calling(CALL))
    async with client.chat.run_tools(model="m", text="Forever?", tools=[add], max_rounds=2) as run:
        for _ in range(2):
            with pytest.raises(ToolRoundsExceededError, match="after 2 rounds") as caught:
                await run.get_final_message()
    assert caught.value.answer == run.messages[-1]
    assert caught.value.conversation_id == "conversation-1"
    assert [call.method for call in server.calls] == ["StreamChat"] * 2


async def test_leaving_early_cancels_the_answer(server: ScriptedServer, client: AsyncAIChat) -> None:
    server.on("StreamChat", hang(started()))
    server.on("CancelGeneration", reply(CANCELLED))
    async with client.chat.run_tools(model="m", text="Hi", tools=[add]) as run:
        await anext(run)
    assert server.calls[-1].request.generation_id == GENERATION
    with pytest.raises(ClosedError):
        await run.get_final_message()


async def test_closing_elsewhere_ends_a_read_and_cancels_the_answer(
    server: ScriptedServer, client: AsyncAIChat
) -> None:
    server.on("StreamChat", hang(started()))
    server.on("CancelGeneration", reply(CANCELLED))
    run, begun = client.chat.run_tools(model="m", text="Hi", tools=[add]), asyncio.Event()

    async def read() -> None:
        async for _ in run:
            begun.set()

    reader = asyncio.create_task(read())
    await begun.wait()
    await asyncio.gather(run.close(), run.close())
    with pytest.raises(ClosedError, match="the run was closed"):
        await reader
    assert [call.method for call in server.calls] == ["StreamChat", "CancelGeneration"]


async def test_a_cancelled_run_cancels_the_answer(server: ScriptedServer, client: AsyncAIChat) -> None:
    begun = asyncio.Event()

    async def ask() -> None:
        async with client.chat.run_tools(model="m", text="Hi", tools=[add]) as run:
            async for _ in run:
                begun.set()

    server.on("StreamChat", hang(started()))
    server.on("CancelGeneration", reply(CANCELLED))
    task = asyncio.create_task(ask())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert server.calls[-1].request.generation_id == GENERATION


async def test_a_cancelled_run_stops_its_functions(server: ScriptedServer, client: AsyncAIChat) -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async def ask() -> None:
        async with client.chat.run_tools(model="m", text="Work!", tools=[work]) as run:
            await run.get_final_message()

    server.on("StreamChat", calling(("1", "work", "{}")))
    task = asyncio.create_task(ask())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stopped.is_set()
    assert [call.method for call in server.calls] == ["StreamChat"], "the answer had ended"


async def test_a_round_is_repeated_under_its_id(server: ScriptedServer, client: AsyncAIChat) -> None:
    down = fail(grpc.StatusCode.UNAVAILABLE, "SERVER_UNAVAILABLE")
    server.on("StreamChat", calling(CALL), down, answer("5"))
    async with client.chat.run_tools(model="m", text="2 + 3?", tools=[add]) as run:
        await run.get_final_message()
    _, failed, repeated = (call.request for call in server.calls)
    assert failed == repeated
    server.on("StreamChat", *[down] * 3)
    async with client.chat.run_tools(model="m", text="2 + 3?", tools=[add]) as run:
        for _ in range(2):
            with pytest.raises(UnavailableError):
                await run.get_final_message()


async def test_a_run_that_cannot_work_is_refused(server: ScriptedServer, client: AsyncAIChat) -> None:
    for wrong in ({"max_rounds": 0}, {"tools": [Tool("by_hand")]}):
        with pytest.raises(InvalidRequestError):
            async with client.chat.run_tools(model="m", text="Hi", **wrong):
                pass
    assert server.calls == []
