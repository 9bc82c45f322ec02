"""The Python SDK with files, tools and typed answers against the running platform, each vendor by its stand-in."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import pytest
from aichat_sandbox.platform import Platform
from aichat_sdk import (
    AnswerInvalidError,
    AsyncAIChat,
    AuthenticationError,
    Document,
    Image,
    InvalidRequestError,
    NotFoundError,
    RequestTooLargeError,
    ToolResult,
    ToolRoundsExceededError,
    citations,
    cost_usd,
    message_text,
    reasoning_text,
    tool_calls,
    types,
)

from tests.e2e.test_sdk import VENDORS, script
from tests.unit.files.made import pdf, png

CLAUDE = VENDORS["anthropic"]


@pytest.fixture
async def client(platform: Platform) -> AsyncIterator[AsyncAIChat]:
    async with AsyncAIChat(endpoint=platform.grpc, api_key=platform.key["api_key"]) as client:
        yield client


@dataclasses.dataclass
class Rounding:
    """How to round."""

    digits: int = 0
    mode: Literal["up", "down"] = "up"


def add(
    a: int,
    b: float,
    more: list[int] | None = None,
    rounding: Rounding | None = None,
    unit: tuple[str, int] = ("m", 1),
    names: dict[str, int] | None = None,
) -> int:
    """Adds two numbers."""
    return round(a + b)


async def look(what: str) -> list[Image | str]:
    """Looks at something."""
    if what != "the sea":
        raise LookupError(f"there is no {what}")
    return [Image.from_bytes(png()), "a picture"]


def rounds(*tools: dict[str, Any], end: str = "Done.", **first: Any) -> str:
    return script(rounds=[{"tools": tools, "deltas": ["Let me ", "see. "], **first}, {"deltas": [end]}])


CALLS = (
    {"name": "add", "arguments": {"a": 2, "b": 3}},
    {"name": "look", "arguments": {"what": "the sea"}},
    {"name": "look", "arguments": {"what": "moon"}},
)


@pytest.mark.parametrize("vendor", VENDORS)
async def test_tools_run_until_the_answer(client: AsyncAIChat, vendor: str, tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(png())
    question = rounds(*CALLS, reasoning=["Hm, ", "tools."])
    seen: list[types.ToolCallPart | None] = []
    async with client.chat.run_tools(
        model=VENDORS[vendor], parts=[Image.from_path(tmp_path / "photo.png"), question], tools=[add, look],
        reasoning_effort="low",
    ) as run:  # fmt: skip
        async for event in run:
            match event:
                case types.ChatEvent(tool_call_ended=types.ToolCallEnded(call=call)):
                    seen.append(call)
        message = await run.get_final_message()
    first, last = run.messages
    assert (message_text(first), message_text(last)) == ("Let me see. ", "Done.")
    assert seen == tool_calls(first)
    assert last == message
    history = [m async for m in client.conversations.list_messages(message.conversation_id, unfold=True)]
    assert [m.role.name for m in history] == ["USER", "ASSISTANT"] * 2
    assert history[0].parts[0].image is not None
    assert (history[0].parts[0].image.media_type, history[0].parts[0].image.width) == ("image/png", 2)
    assert reasoning_text(history[1]) == "Hm, tools."
    results = [part.tool_result for part in history[2].parts if part.tool_result is not None]
    assert [result.call_id for result in results] == [call.call_id for call in tool_calls(first)]
    assert [result.is_error for result in results] == [False, False, True]
    assert results[0].parts[0].text == types.TextPart(text="5")
    assert results[1].parts[0].image is not None
    assert results[2].parts[0].text == types.TextPart(text="LookupError: there is no moon")
    # Another vendor's model goes on.
    other = next(model for name, model in VENDORS.items() if name != vendor)
    went_on = await client.chat.send(model=other, text="And now?", conversation_id=message.conversation_id)
    assert "stand-in" in message_text(went_on)


async def test_a_call_can_be_answered_by_hand(client: AsyncAIChat) -> None:
    first = await client.chat.send(model=CLAUDE, text=rounds(CALLS[0]), tools=[add])
    (call,) = tool_calls(first)
    assert first.stop_reason is types.StopReason.TOOL_USE
    with pytest.raises(InvalidRequestError) as caught:
        await client.chat.send(
            model=CLAUDE, parts=[ToolResult("no such", "5")], tools=[add], conversation_id=first.conversation_id
        )
    assert caught.value.reason == "TOOL_RESULTS_MISMATCHED"
    last = await client.chat.send(
        model=CLAUDE, parts=[ToolResult(call.call_id, "5")], tools=[add], conversation_id=first.conversation_id
    )
    assert message_text(last) == "Done."


async def test_rounds_without_an_end_are_a_typed_error(client: AsyncAIChat) -> None:
    with pytest.raises(ToolRoundsExceededError) as caught:
        async with client.chat.run_tools(
            model=CLAUDE, text=script(rounds=[{"tools": CALLS[:1]}]), tools=[add], max_rounds=2
        ) as run:
            await run.get_final_message()
    assert len(tool_calls(caught.value.answer)) == 1
    assert (cost_usd(run.messages[0]) or 0) > 0


@dataclasses.dataclass
class River:
    name: str
    length: int


async def test_an_answer_is_a_value(client: AsyncAIChat) -> None:
    answer = await client.chat.send(
        model=CLAUDE, text=script(deltas=['{"name": "Rhine", ', '"length": 1233}']), output_type=River
    )
    assert answer.output == River("Rhine", 1233)
    with pytest.raises(AnswerInvalidError) as caught:
        await client.chat.send(model=CLAUDE, text=script(deltas=['{"name": "Rhine"}']), output_type=River)
    assert (caught.value.reason, caught.value.metadata["provider"]) == ("ANSWER_INVALID", "anthropic")


async def test_searches_are_cited(client: AsyncAIChat) -> None:
    cited = {"url": "https://example.com/rivers", "title": "Rivers", "quote": "The Rhine is 1233 km long."}
    question = script(
        searches=[{"query": "Rhine", "results": [{"url": cited["url"], "title": "Rivers", "text": cited["quote"]}]}],
        citations=[cited],
        deltas=["It is ", "1233 km long."],
    )
    answer = await client.chat.send(model=CLAUDE, text=question, web_search=True)
    assert message_text(answer) == "It is 1233 km long."
    assert [(source.url, source.title) for source in citations(answer)] == [(cited["url"], "Rivers")]


async def test_files_are_stored_once_and_come_back(client: AsyncAIChat, platform: Platform, tmp_path: Path) -> None:
    large = pdf(3) + b"%" * (2 << 20)
    (tmp_path / "paper.pdf").write_bytes(large)
    answer = await client.chat.send(model=CLAUDE, parts=[Document.from_path(tmp_path / "paper.pdf"), "Read!"])
    sent = (await client.conversations.list_messages(answer.conversation_id)).items[0].parts[0].document
    assert sent is not None
    assert (sent.title, sent.pages, sent.size_bytes) == ("paper.pdf", 3, len(large))
    stored = await client.files.upload(large)
    assert stored == await client.files.get(sent.file_id or "")
    assert b"".join([piece async for piece in client.files.download(stored.file_id)]) == large
    with pytest.raises(NotFoundError) as missing:
        await client.files.get("0" * 64)
    assert missing.value.reason == "FILE_NOT_FOUND"
    with pytest.raises(InvalidRequestError) as damaged:
        await client.files.upload(png()[:10])
    assert damaged.value.reason == "FILE_INVALID"

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"%" * (1 << 20)

    with pytest.raises(RequestTooLargeError) as too_large:
        await client.files.upload(endless())
    assert too_large.value.reason == "REQUEST_TOO_LARGE"
    key = platform.key["api_key"][:-1] + ("A" if platform.key["api_key"][-1] != "A" else "B")
    async with AsyncAIChat(endpoint=platform.grpc, api_key=key) as stranger:
        with pytest.raises(AuthenticationError):
            await stranger.files.upload(large)


async def test_tokens_are_counted_and_a_run_resumes(client: AsyncAIChat) -> None:
    short = await client.chat.count_tokens(model=CLAUDE, text="Hi")
    long = await client.chat.count_tokens(model=CLAUDE, parts=["Hi " * 100, Image.from_bytes(png())], tools=[add])
    assert 0 < short.input_tokens < long.input_tokens
    async with client.chat.stream(model=CLAUDE, text=rounds(CALLS[0]), tools=[add]) as stream:
        events = [event async for event in stream]
    async with client.chat.resume(stream.generation_id, 1) as resumed:
        again = [event async for event in resumed]
    assert [event for event in again if event.heartbeat is None] == [e for e in events[1:] if e.heartbeat is None]
    kinds = [kind for event in events for kind in ("tool_call_started", "tool_call_delta", "tool_call_ended")
             if getattr(event, kind) is not None]  # fmt: skip
    assert (kinds[0], kinds[-1]) == ("tool_call_started", "tool_call_ended")
