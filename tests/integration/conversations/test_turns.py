"""One turn: what it streams, what it stores, and what a failed turn leaves behind."""

import json

import pytest
from aichat.v1 import (
    chat_pb2,
    conversations_pb2,
    messages_pb2,
    openai_pb2,
    openai_pb2_grpc,
    options_pb2,
    parts_pb2,
)
from aichat_sandbox.postgres import Postgres
from aichat_server.core.money import NanoUsd
from aichat_server.models.domain.pricing import BEGINNING, Price, PriceTier
from aichat_server.models.service import add_prices
from google.api.httpbody_pb2 import HttpBody

from tests.fixtures.server import ApiKey, RunServer, ServerUnderTest
from tests.fixtures.vendors import Vendors
from tests.integration.conversations.asking import (
    ask,
    conversations,
    eventually,
    first_event,
    history,
    refusal,
    script,
    started_of,
    stream,
    text_of,
)
from tests.unit.files import made

USAGE = {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 1010}


@pytest.mark.parametrize(
    ("model", "provider"),
    [("claude-sonnet-5-5", "anthropic"), ("gpt-6-luna", "openai"), ("gemini-3.8-flash", "gemini")],
)
async def test_every_vendor_answers_and_is_stored(
    server: ServerUnderTest, api_key: ApiKey, model: str, provider: str
) -> None:
    events = await ask(server, api_key, script(deltas=["Guten ", "Tag"]), model=model)

    started, completed = started_of(events), events[-1].completed
    assert (started.model, started.provider) == (model, provider)
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert {event.lane for event in events} == {0}
    assert text_of(events) == "Guten Tag"
    answer = completed.message
    assert answer.message_id == started.message_id
    assert answer.parts[0].text.text == "Guten Tag"
    assert answer.stop_reason == messages_pb2.STOP_REASON_END_TURN
    assert answer.usage.input_tokens > 0
    assert answer.usage.output_tokens > 0
    assert answer.cost.nanos > 0
    question, stored = await history(server, api_key, started.conversation_id)
    assert stored == answer
    assert question.message_id == started.user_message_id == answer.parent_message_id
    assert (question.organization_id, question.member_id) == (api_key.organization_id, api_key.member_id)


async def test_the_last_usage_event_says_what_completed_says(server: ServerUnderTest, api_key: ApiKey) -> None:
    events = await ask(server, api_key, script(words=3), model="claude-haiku-5-5")
    usage = [event.usage for event in events if event.HasField("usage")]
    answer = events[-1].completed.message
    assert (usage[-1].usage, usage[-1].cost) == (answer.usage, answer.cost)


@pytest.mark.parametrize("model", ["claude-haiku-5-5", "gpt-6-luna"])
async def test_usage_is_estimated_while_the_answer_is_written(
    server: ServerUnderTest, api_key: ApiKey, model: str
) -> None:
    events = await ask(server, api_key, script(words=40, interval_ms=100), model=model)
    said = [position for position, event in enumerate(events) if event.HasField("text_delta")]
    told = [position for position, event in enumerate(events) if event.HasField("usage")]
    assert any(said[0] < position < told[-1] for position in told)
    usages = [events[position].usage for position in told]
    estimates, exact = usages[:-1], usages[-1]
    assert all(usage.usage.estimated for usage in estimates)
    outputs = [usage.usage.output_tokens for usage in estimates]
    assert outputs == sorted(outputs)
    assert outputs[-1] > 1
    assert all(usage.usage.input_tokens > 0 and usage.cost.nanos > 0 for usage in estimates)
    answer = events[-1].completed.message
    assert (exact.usage, exact.cost, exact.usage.estimated) == (answer.usage, answer.cost, False)
    assert told[-1] > said[-1]


async def test_reasoning_streams_ahead_of_the_answer_and_is_listed_where_it_is_unfolded(
    server: ServerUnderTest, api_key: ApiKey
) -> None:
    events = await ask(server, api_key, script(reasoning=["hm ", "well"], deltas=["yes"]), model="claude-sonnet-5-5")
    assert "".join(event.reasoning_delta.text for event in events) == "hm well"
    answer = events[-1].completed.message
    reasoning, text = answer.parts
    assert (reasoning.reasoning.text, reasoning.reasoning.folded, text.text.text) == ("", True, "yes")
    request = conversations_pb2.ListMessagesRequest(conversation_id=answer.conversation_id)
    assert (await server.conversations.ListMessages(request, metadata=api_key.metadata)).messages[1] == answer
    request.unfold = True
    unfolded = (await server.conversations.ListMessages(request, metadata=api_key.metadata)).messages[1]
    reasoning, text = unfolded.parts
    assert (reasoning.reasoning.text, reasoning.reasoning.folded, text.text.text) == ("hm well", False, "yes")


async def test_an_image_alone_is_a_message_without_a_title_and_may_be_a_result(
    server: ServerUnderTest, api_key: ApiKey
) -> None:
    image = parts_pb2.ImagePart(data=made.png())
    tools = options_pb2.ChatOptions(tools=[options_pb2.Tool(name="look", description="Looks.")])
    tools.tool_choice.mode = options_pb2.TOOL_CHOICE_MODE_REQUIRED
    request = chat_pb2.StreamChatRequest(model="claude-haiku-5-5", options=tools)
    request.parts.add(image=image)
    answer = [event async for event in server.chat.StreamChat(request, metadata=api_key.metadata)][-1].completed.message
    (conversation,) = await conversations(server, api_key)
    assert conversation.title == ""
    (call_id,) = [part.tool_call.call_id for part in answer.parts if part.HasField("tool_call")]
    on = chat_pb2.StreamChatRequest(model="claude-haiku-5-5", conversation_id=answer.conversation_id)
    on.parts.add(tool_result=messages_pb2.ToolResultPart(call_id=call_id, parts=[messages_pb2.ResultPart(image=image)]))
    events = [event async for event in server.chat.StreamChat(on, metadata=api_key.metadata)]
    assert events[-1].HasField("completed")
    shown, _, returned, _ = await history(server, api_key, answer.conversation_id)
    assert returned.parts[0].tool_result.parts[0].image == shown.parts[0].image
    assert shown.parts[0].image.media_type == "image/png"


async def test_a_conversation_continues_from_its_head_or_from_any_message(
    server: ServerUnderTest, api_key: ApiKey
) -> None:
    first = await ask(server, api_key, script(deltas=["one"]))
    conversation = first[0].started.conversation_id
    second = await ask(server, api_key, script(deltas=["two"]), conversation_id=conversation)
    branch = await ask(
        server,
        api_key,
        script(deltas=["three"]),
        conversation_id=conversation,
        parent_message_id=first[0].started.message_id,
    )
    messages = {message.message_id: message for message in await history(server, api_key, conversation)}
    assert len(messages) == 6
    for turn in (second, branch):
        assert messages[turn[0].started.user_message_id].parent_message_id == first[0].started.message_id


async def test_an_answer_cut_by_its_limit_says_so(server: ServerUnderTest, api_key: ApiKey) -> None:
    options = options_pb2.ChatOptions(max_output_tokens=3)
    events = await ask(server, api_key, script(words=50), options=options)
    assert events[-1].completed.message.stop_reason == messages_pb2.STOP_REASON_MAX_TOKENS


async def test_the_answer_is_finished_and_stored_when_its_caller_disconnects(
    server: ServerUnderTest, api_key: ApiKey
) -> None:
    call = stream(server, api_key, script(words=20, interval_ms=10))
    async for event in call:
        if event.HasField("text_delta"):
            break
    call.cancel()
    (conversation,) = await conversations(server, api_key)

    async def look() -> list[messages_pb2.Message]:
        return await history(server, api_key, conversation.conversation_id)

    _, answer = await eventually(look, lambda messages: len(messages) == 2)
    assert answer.parts[0].text.text.split() == [f"word{n}" for n in range(20)]
    assert answer.state == messages_pb2.MESSAGE_STATE_COMPLETE


async def test_an_answer_that_breaks_off_is_stored_as_far_as_it_got(server: ServerUnderTest, api_key: ApiKey) -> None:
    failed = await refusal(stream(server, api_key, script(deltas=["a", "b", "c"], cut_after=2)))
    assert failed.reason == "PROVIDER_STREAM_BROKEN"
    assert text_of(failed.seen) == "ab"
    conversation = started_of(failed.seen).conversation_id
    _, partial = await history(server, api_key, conversation)
    assert partial.state == messages_pb2.MESSAGE_STATE_FAILED
    assert partial.parts[0].text.text == "ab"
    assert partial.usage.estimated
    again = await ask(server, api_key, script(deltas=["d"]), conversation_id=conversation)
    parent = {message.message_id: message for message in await history(server, api_key, conversation)}
    assert parent[again[0].started.user_message_id].parent_message_id == partial.message_id


@pytest.mark.parametrize("model", ["claude-sonnet-5-5", "gpt-6-luna", "gemini-3.8-flash"])
async def test_a_turn_that_fails_before_its_first_word_leaves_nothing(
    server: ServerUnderTest, api_key: ApiKey, model: str
) -> None:
    failed = await refusal(stream(server, api_key, script(status=429, retry_after=7), model=model))
    assert (failed.reason, failed.retry_after) == ("PROVIDER_RATE_LIMITED", 7.0)
    assert failed.seen == []
    assert await conversations(server, api_key) == []


async def test_a_failed_turn_leaves_an_older_conversation_as_it_was(server: ServerUnderTest, api_key: ApiKey) -> None:
    first = await ask(server, api_key, script(deltas=["one"]))
    conversation = first[0].started.conversation_id
    before = await history(server, api_key, conversation)
    failed = await refusal(stream(server, api_key, script(empty=True), conversation_id=conversation))
    assert failed.reason == "PROVIDER_EMPTY_ANSWER"
    assert await history(server, api_key, conversation) == before


async def test_a_conversation_deleted_meanwhile_ends_the_answer_with_an_error(
    server: ServerUnderTest, api_key: ApiKey
) -> None:
    call = stream(server, api_key, script(words=30, interval_ms=10))
    started = await first_event(call)
    conversation = started.started.conversation_id
    await server.conversations.DeleteConversation(
        conversations_pb2.DeleteConversationRequest(conversation_id=conversation), metadata=api_key.metadata
    )
    failed = await refusal(call)
    assert failed.reason == "CONVERSATION_NOT_FOUND"
    assert await conversations(server, api_key) == []


async def test_an_openai_compatible_endpoint_is_a_vendor_like_the_others(
    run_server: RunServer, vendors: Vendors, api_key: ApiKey, postgres: Postgres
) -> None:
    model = {"id": "llama", "input_usd_per_mtok": "0.5", "output_usd_per_mtok": "2"}
    endpoint = {"name": "lab", "base_url": vendors.base_url("openai"), "api_key": "sk-lab", "models": [model]}
    asked, answered = NanoUsd(5 * 10**8), NanoUsd(2 * 10**9)
    price = Price(BEGINNING, (PriceTier(0, asked, asked, asked, asked, answered, NanoUsd(0)),))
    await add_prices(postgres.owner_url, {("lab", "lab/llama"): [price]})
    async with run_server(AICHAT_OPENAI_COMPATIBLE=json.dumps([endpoint])) as server:
        events = await ask(server, api_key, script(deltas=["hi"], usage=USAGE), model="lab/llama")
        answer = events[-1].completed.message
        assert (started_of(events).provider, answer.model, text_of(events)) == ("lab", "lab/llama", "hi")
        assert answer.cost.nanos == 1000 * 500 + 10 * 2000
        body = {"model": "lab/llama", "messages": [{"role": "user", "content": script(deltas=["hi"], usage=USAGE)}]}
        request = openai_pb2.CreateChatCompletionRequest(body=HttpBody(data=json.dumps(body).encode()))
        openai = openai_pb2_grpc.OpenAIServiceStub(server.channel)
        pieces = [answer.piece.data async for answer in openai.CreateChatCompletion(request, metadata=api_key.metadata)]
        told = json.loads(b"".join(pieces))
        assert (told["model"], told["choices"][0]["message"]["content"]) == ("lab/llama", "hi")
        assert told["usage"]["cost"] == 0.00052
