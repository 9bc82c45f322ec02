"""The SDK and its command with the whole platform: through Envoy, to the vendors' stand-in, stored in Postgres."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aichat_sandbox.platform import Platform
from aichat_sdk import (
    AIChatError,
    AnswerRefusedError,
    AsyncAIChat,
    AuthenticationError,
    ConflictError,
    DeadlineExceededError,
    InvalidRequestError,
    NotFoundError,
    ProviderError,
    RequestTooLargeError,
    cost_usd,
    message_text,
    types,
)

from tests.integration.sdk.aichat import Aichat

MODEL = "gpt-6-luna"
VENDORS = {"anthropic": "claude-haiku-5-5", "openai": MODEL, "gemini": "gemini-3.5-flash-lite"}


def script(**behaviour: object) -> str:
    return f"#script {json.dumps(behaviour)}"


@pytest.fixture
async def client(platform: Platform) -> AsyncIterator[AsyncAIChat]:
    async with AsyncAIChat(endpoint=platform.grpc, api_key=platform.key["api_key"]) as client:
        yield client


@pytest.mark.parametrize("vendor", VENDORS)
async def test_answer_streams_in_and_is_found_in_history(client: AsyncAIChat, vendor: str) -> None:
    question = script(deltas=["Grüß ", "**dich**", ", 🌍"], interval_ms=5)
    async with client.chat.stream(model=VENDORS[vendor], text=question) as stream:
        assert stream.started.provider == vendor
        text = "".join([piece async for piece in stream.text_stream])
        message = await stream.get_final_message()
    assert text == message_text(message) == "Grüß **dich**, 🌍"
    assert message.stop_reason is types.StopReason.END_TURN
    assert (cost_usd(message) or 0) > 0
    history = [stored async for stored in client.conversations.list_messages(message.conversation_id)]
    assert [stored.role for stored in history] == [types.Role.USER, types.Role.ASSISTANT]
    assert message_text(history[0]) == question
    assert history[1] == message


async def test_models_come_by_vendor_and_id(client: AsyncAIChat) -> None:
    names = [(model.provider, model.model) for model in await client.models.list()]
    assert names == sorted(names)
    assert len({provider for provider, _ in names}) == 3


async def test_conversation_continues_where_it_ended(client: AsyncAIChat) -> None:
    first = await client.chat.send(model=MODEL, text=script(deltas=["one"]))
    second = await client.chat.send(
        model=VENDORS["anthropic"], text=script(deltas=["two"]), conversation_id=first.conversation_id
    )
    history = [message async for message in client.conversations.list_messages(first.conversation_id, page_size=1)]
    assert [message.parent_message_id for message in history[1:]] == [message.message_id for message in history[:-1]]
    assert (history[1], history[3]) == (first, second)
    assert (await client.conversations.get(first.conversation_id)).head_message_id == second.message_id


async def test_answer_that_is_left_early_is_stored_whole_and_can_be_asked_for_again(client: AsyncAIChat) -> None:
    question, request_id = script(deltas=["a ", "b ", "c ", "d"], interval_ms=50), str(uuid.uuid4())
    async with client.chat.stream(model=MODEL, text=question, request_id=request_id) as stream:
        async for _ in stream.text_stream:
            break
    # The same call again: the platform sends the events of the one answer.
    message = await client.chat.send(model=MODEL, text=question, request_id=request_id)
    assert message.message_id == stream.started.message_id
    assert message_text(message) == "a b c d"
    with pytest.raises(ConflictError) as caught:
        await client.chat.send(model=MODEL, text="another question", request_id=request_id)
    assert caught.value.reason == "REQUEST_ID_REUSED"


async def test_answer_that_breaks_off_is_a_typed_error_and_keeps_what_came(client: AsyncAIChat) -> None:
    question = script(deltas=["Half ", "an ", "answer"], cut_after=2, interval_ms=50)
    async with client.chat.stream(model=MODEL, text=question) as stream:
        assert await anext(stream.text_stream) == "Half "
        with pytest.raises(ProviderError) as caught:
            await stream.get_final_message()
    assert (caught.value.reason, caught.value.metadata["provider"]) == ("PROVIDER_STREAM_BROKEN", "openai")
    _, stored = (await client.conversations.list_messages(stream.started.conversation_id)).items
    assert stored.state is types.MessageState.FAILED
    assert message_text(stored) == "Half an "


async def test_vendors_failures_have_their_classes(client: AsyncAIChat) -> None:
    with pytest.raises(ProviderError) as limited:
        await client.chat.send(model=MODEL, text=script(status=429, retry_after=7))
    assert (limited.value.reason, limited.value.retry_after) == ("PROVIDER_RATE_LIMITED", 7)
    with pytest.raises(AnswerRefusedError):
        await client.chat.send(model=MODEL, text=script(deltas=["no"], stop="refusal"))


async def test_deadline_ends_the_call(client: AsyncAIChat) -> None:
    with pytest.raises(DeadlineExceededError):
        await client.chat.send(model=MODEL, text=script(deltas=["a"], hang_after=1), timeout=0.5)


async def test_silent_vendor_is_not_a_dead_connection(platform: Platform) -> None:
    # The platform sends heartbeats every 0.5 s here.
    async with AsyncAIChat(endpoint=platform.grpc, api_key=platform.key["api_key"], stall_timeout=2.0) as client:
        message = await client.chat.send(model=MODEL, text=script(deltas=["slow ", "answer"], interval_ms=3000))
    assert message_text(message) == "slow answer"


BIG = "x" * (1 << 20)


@pytest.mark.parametrize(
    ("params", "kind", "reason"),
    [
        ({"model": "gpt-0", "text": "Hi"}, NotFoundError, "MODEL_UNKNOWN"),
        ({"model": MODEL, "text": " "}, InvalidRequestError, "REQUEST_INVALID"),
        ({"model": MODEL, "text": "a\0b"}, InvalidRequestError, "REQUEST_INVALID"),
        ({"model": MODEL, "text": BIG + "x"}, InvalidRequestError, "REQUEST_INVALID"),
        ({"model": MODEL, "parts": [types.Part(text=types.TextPart(text=BIG))] * 33}, RequestTooLargeError, None),
        ({"model": MODEL, "text": "Hi", "max_output_tokens": 10**9}, InvalidRequestError, "OPTION_UNSUPPORTED"),
        ({"model": MODEL, "text": "Hi", "conversation_id": str(uuid.uuid4())}, NotFoundError, "CONVERSATION_NOT_FOUND"),
    ],
    ids=["model", "blank", "NUL", "long text", "large request", "option", "conversation"],
)
async def test_bad_request_is_a_typed_error_and_leaves_nothing_behind(
    client: AsyncAIChat, params: dict[str, object], kind: type[AIChatError], reason: str | None
) -> None:
    before = (await client.conversations.list(page_size=1)).items[:1]
    with pytest.raises(kind) as caught:
        await client.chat.send(**params)  # type: ignore[call-overload]
    assert reason is None or caught.value.reason == reason
    assert (await client.conversations.list(page_size=1)).items[:1] == before


async def test_wrong_key_is_refused_and_not_shown(platform: Platform) -> None:
    key = platform.key["api_key"][:-1] + ("A" if platform.key["api_key"][-1] != "A" else "B")
    async with AsyncAIChat(endpoint=platform.grpc, api_key=key) as client:
        with pytest.raises(AuthenticationError) as caught:
            await client.models.list()
    assert caught.value.reason == "CREDENTIALS_INVALID"
    assert key not in repr(caught.value) + repr(caught.value.__cause__)


async def test_conversations_of_others_do_not_exist(platform: Platform, client: AsyncAIChat, other_key: str) -> None:
    mine = await client.conversations.create(title="Mine")
    async with AsyncAIChat(endpoint=platform.grpc, api_key=other_key) as stranger:
        for attempt in (
            stranger.conversations.get(mine.conversation_id),
            stranger.conversations.update(mine.conversation_id, title="Theirs"),
            stranger.conversations.delete(mine.conversation_id),
            stranger.chat.send(model=MODEL, text="Hi", conversation_id=mine.conversation_id),
        ):
            with pytest.raises(NotFoundError):
                await attempt
    assert (await client.conversations.get(mine.conversation_id)).title == "Mine"


async def test_conversations_page_by_page(client: AsyncAIChat) -> None:
    made = [(await client.conversations.create(title=f"Page {number}")).conversation_id for number in range(3)]
    seen = [conversation.conversation_id async for conversation in client.conversations.list(page_size=2)]
    assert [conversation_id for conversation_id in seen if conversation_id in made] == made[::-1]
    assert len(seen) == len(set(seen))
    await client.conversations.update(made[0], title="Renamed")
    assert (await client.conversations.list(page_size=1)).items[0].title == "Renamed"
    for conversation_id in made:
        await client.conversations.delete(conversation_id)
        with pytest.raises(NotFoundError):
            await client.conversations.get(conversation_id)
    with pytest.raises(InvalidRequestError) as caught:
        await client.conversations.list(page_token="made up")
    assert caught.value.reason == "PAGE_TOKEN_INVALID"


async def test_command_chats_and_finds_it_in_history(platform: Platform, tmp_path: Path) -> None:
    aichat = Aichat(tmp_path, platform.grpc)
    aichat.environment["AICHAT_API_KEY"] = platform.key["api_key"]
    said = await aichat("chat", script(deltas=["Hello ", "**you**"]))
    assert (said.code, said.out) == (0, "Hello **you**\n")
    conversation_id = said.err.split()[-1]
    assert (await aichat("conversations")).out.startswith(conversation_id)
    assert (await aichat("conversations", "rename", conversation_id, "A name")).code == 0
    assert "Hello **you**" in (await aichat("conversations", "show", conversation_id)).out
    assert (await aichat("conversations", "delete", conversation_id)).code == 0
    assert (await aichat("conversations", "show", conversation_id)).code == 1
