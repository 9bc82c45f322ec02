"""The platform in memory behaves as the real one does, for both clients."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aichat_sdk import (
    AnswerCancelledError,
    ClosedError,
    ConnectionFailedError,
    DeadlineExceededError,
    NotFoundError,
    ProviderError,
    RateLimitError,
    message_text,
    tool_calls,
)
from aichat_sdk.testing import SILENCE, FakePlatform, ToolCall
from aichat_sdk.types import File, GenerationState, Plan, StopReason


def test_answers_are_scripted_and_kept() -> None:
    platform = FakePlatform()
    platform.answer("It is ", "blue.")
    platform.answer("It scatters.")
    with platform.client(metadata={"x-team": "a"}) as client:
        with client.chat.stream(model="m", text="Which colour?") as stream:
            assert list(stream.text_stream) == ["It is ", "blue."]
            message = stream.get_final_message()
        client.chat.send(model="m", text="Why?", conversation_id=message.conversation_id)
        kept = client.conversations.list_messages(message.conversation_id)
        assert [message_text(one) for one in kept] == ["Which colour?", "It is blue.", "Why?", "It scatters."]
        assert [one.parent_message_id for one in kept] == ["", *[one.message_id for one in kept][:3]]
        assert [sent.text for sent in platform.calls[:2]] == ["Which colour?", "Why?"]
        assert platform.calls[0].rpc == "StreamChat"
        assert platform.calls[0].request.model == "m"
        assert platform.calls[0].metadata["x-team"] == "a"
        assert "test" not in platform.calls[0].metadata.values()
        with pytest.raises(NotFoundError):
            client.chat.send(model="m", text="Hi", conversation_id="none")
        file = client.files.upload(b"abc")
        assert b"".join(client.files.download(file.file_id)) == b"abc"
        with pytest.raises(AssertionError, match=r"call platform\.answer"):
            client.chat.send(model="m", text="Hi")


async def test_tools_run_and_typed_answers_are_values() -> None:
    platform = FakePlatform()
    platform.answer(ToolCall("add", {"a": 2, "b": 3}))
    platform.answer("5")
    async with platform.async_client() as client:

        def add(a: int, b: int) -> int:
            return a + b

        async with client.chat.run_tools(model="m", text="2 + 3?", tools=[add]) as run:
            assert await run.get_final_text() == "5"
        assert [message.stop_reason for message in run.messages] == [StopReason.TOOL_USE, StopReason.END_TURN]
        assert tool_calls(run.messages[0])[0].arguments == '{"a": 2, "b": 3}'
        [result] = platform.calls[-1].request.parts
        assert result.tool_result.parts[0].text.text == "5"


async def test_failures_before_and_within_answers() -> None:
    platform = FakePlatform()
    platform.answer("Hel", ConnectionFailedError("cut"), "lo")
    platform.fail(RateLimitError("too many", reason="RATE_LIMITED", retry_after=3))
    platform.answer("Hel", ProviderError("overloaded", reason="PROVIDER_OVERLOADED"))
    async with platform.async_client() as client:
        assert message_text(await client.chat.send(model="m", text="Hi")) == "Hello"
        assert [sent.rpc for sent in platform.calls] == ["StreamChat", "ResumeChat"]
        with pytest.raises(RateLimitError) as limited:
            await client.chat.send(model="m", text="Hi")
        assert limited.value.retry_after == 3
        with pytest.raises(ProviderError) as failed:
            await client.chat.send(model="m", text="Hi")
        assert failed.value.generation_id == "generation-2"


async def test_silence_ends_by_cancelling_closing_or_in_time() -> None:
    platform = FakePlatform()
    for _ in range(4):
        platform.answer("Hel", SILENCE)
    client = platform.async_client()
    async with client.chat.stream(model="m", text="Hi") as stream:
        reading = asyncio.ensure_future(stream.get_final_message())
        await asyncio.sleep(0)
        assert await client.chat.cancel(stream.generation_id) is GenerationState.CANCELLED
        with pytest.raises(AnswerCancelledError):
            await reading
    with pytest.raises(DeadlineExceededError):
        await client.chat.send(model="m", text="Hi", timeout=0.01)
    for closed in (None, client):
        stream = await client.chat.stream(model="m", text="Hi").open()
        reading = asyncio.ensure_future(stream.get_final_message())
        await asyncio.sleep(0)
        await (closed or stream).close()
        with pytest.raises(ClosedError):
            await reading
    with pytest.raises(ClosedError, match="the client is closed"):
        await client.models.list()


async def test_other_calls_are_replied_to_and_a_notebook_needs_no_await() -> None:
    platform = FakePlatform()
    platform.reply("ListPlans", plans=[Plan(plan="team")])
    # The test's own event loop runs meanwhile, as a notebook's does.
    with platform.client() as client:
        assert [plan.plan for plan in client.billing.list_plans()] == ["team"]
        with pytest.raises(AssertionError, match="nothing is scripted for ListPlans"):
            client.billing.list_plans()
    with pytest.raises(ValueError, match="no RPC ListPlanets"):
        platform.reply("ListPlanets")
    with pytest.raises(TypeError):
        platform.reply("ListPlans", planets=[])
    async with platform.async_client() as elsewhere:
        platform.reply("UploadFile", file=File(file_id="f"))
        assert (await elsewhere.files.upload(b"abc")).file_id == "f"


def wrong_script(platform: Any) -> list[tuple[Callable[[], object], str]]:
    return [
        (lambda: platform.answer("a", ["b"]), r"pieces\[1\] must be a str"),
        (lambda: platform.answer(None), r"pieces\[0\] must be"),
        (lambda: platform.answer(RateLimitError), r"pieces\[0\] must be"),
        (lambda: platform.answer(ToolCall(5)), "name must be str"),  # type: ignore[arg-type]
        (lambda: platform.answer(ToolCall("add", "{}")), "arguments must be a dict"),  # type: ignore[arg-type]
        (lambda: platform.fail(ValueError("no")), "must be an AIChatError"),
        (lambda: platform.reply("StreamChat"), "`answer` scripts answers"),
        (lambda: platform.reply("ListPlans", plans=["team"]), r"plans\[0\] must be Plan"),
    ]


def test_a_script_that_cannot_be_played_is_refused_at_once() -> None:
    for script, told in wrong_script(FakePlatform()):
        with pytest.raises((TypeError, ValueError), match=told):
            script()
