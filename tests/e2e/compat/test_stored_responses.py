"""Stored responses, by OpenAI's own SDK: followed, read again, run in the background, cancelled and deleted."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import httpx
import openai
import pytest
from aichat_sandbox.platform import Platform
from aichat_sandbox.supervisor import until
from openai.types.responses import Response

from tests.e2e.calls import MODELS, script
from tests.e2e.compat.test_responses import WEATHER, client, last_before_failure, rounds


async def messages_of(platform: Platform, conversation_id: str) -> list[dict[str, Any]]:
    """The messages of a conversation, as the native API tells them."""
    headers = {"authorization": f"Bearer {platform.key['api_key']}"}
    async with httpx.AsyncClient(base_url=platform.http, headers=headers) as http:
        answer = await http.get(f"/v1/conversations/{conversation_id}/messages")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json().get("messages", [])
    return found


def conversation_of(response: Response) -> str:
    """The conversation that a response is kept in."""
    assert response.conversation is not None
    return response.conversation.id


@pytest.mark.parametrize("model", MODELS)
async def test_tools_are_called_in_rounds_that_follow_stored_responses(platform: Platform, model: str) -> None:
    """Multi-turn, tools, and previous_response_id of Open Responses' suite; history has all of it."""
    asked: Any = rounds("Bern", "Basel", reasoning=["Let me see. "])
    previous: str | None = None
    async with client(platform) as sdk:
        for city in ("Bern", "Basel"):
            response = await sdk.responses.create(
                model=model, input=asked, tools=[WEATHER], store=True, previous_response_id=previous
            )
            [call] = [item for item in response.output if item.type == "function_call"]
            assert json.loads(call.arguments) == {"city": city}
            asked, previous = [{"type": "function_call_output", "call_id": call.call_id, "output": "rain"}], response.id
        last = await sdk.responses.create(model=model, input=asked, tools=[WEATHER], previous_response_id=previous)
        assert (last.output_text, last.model_extra) == ("It rains.", {**(last.model_extra or {}), "store": False})
        again = await sdk.responses.retrieve(response.id)
        assert again.output == response.output
        listed = await sdk.responses.input_items.list(response.id)
    assert (again.usage, again.previous_response_id) == (response.usage, response.previous_response_id)
    assert [item.type for item in listed.data] == ["function_call_output"]
    stored = await messages_of(platform, conversation_of(response))
    assert [message["role"] for message in stored] == ["ROLE_USER", "ROLE_ASSISTANT"] * 2
    assert "tool_result" in stored[2]["parts"][0]


async def test_a_response_runs_in_the_background_and_is_read_from_any_event_on(platform: Platform) -> None:
    async with client(platform) as sdk:
        begun = await sdk.responses.create(
            model=MODELS[0], input=script(words=30, interval_ms=30), background=True, metadata={"job": "1"}
        )
        assert (begun.status, begun.background) == ("queued", True)
        events = [event async for event in await sdk.responses.retrieve(begun.id, stream=True)]
        later = [event async for event in await sdk.responses.retrieve(begun.id, stream=True, starting_after=7)]
        whole = await sdk.responses.retrieve(begun.id)
        with pytest.raises(openai.BadRequestError):
            [event async for event in await sdk.responses.retrieve(begun.id, stream=True, starting_after=1000)]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert later == events[8:]
    assert events[-1].type == "response.completed"
    assert events[-1].response == whole
    assert (whole.status, whole.metadata, len(whole.output_text.split())) == ("completed", {"job": "1"}, 30)


async def test_a_stored_response_goes_on_without_its_reader_until_it_is_cancelled(platform: Platform) -> None:
    async with client(platform) as sdk:
        stream = await sdk.responses.create(
            model=MODELS[1], input=script(words=2000, interval_ms=50), store=True, stream=True
        )
        first = await anext(aiter(stream))
        assert first.type == "response.created"
        response_id = first.response.id
        await stream.close()
        running = await sdk.responses.retrieve(response_id)
        assert running.status == "in_progress"
        cancelled = await sdk.responses.cancel(response_id)
        assert cancelled.status == "cancelled"
        last = await last_before_failure(await sdk.responses.retrieve(response_id, stream=True))
    assert last.type == "response.failed"


async def test_a_failed_response_tells_why_and_leaves_no_turn(platform: Platform) -> None:
    async with client(platform) as sdk:
        begun = await sdk.responses.create(model=MODELS[0], input=script(status=400), background=True)

        async def ended() -> bool:
            return (await sdk.responses.retrieve(begun.id)).status not in ("queued", "in_progress")

        await until(ended)
        failed = await sdk.responses.retrieve(begun.id)
    assert failed.status == "failed"
    assert failed.error is not None


async def test_a_deleted_response_is_gone_with_its_conversation(platform: Platform) -> None:
    async with client(platform) as sdk:
        history: Any = [
            {"role": "user", "content": "What is 1 + 1?"},
            {"role": "assistant", "content": "2"},
            {"role": "user", "content": script(deltas=["4"])},
        ]
        response = await sdk.responses.create(model=MODELS[0], input=history, store=True)
        stored = await messages_of(platform, conversation_of(response))
        assert [message["parts"][0]["text"]["text"] for message in stored[:2]] == ["What is 1 + 1?", "2"]
        listed = await sdk.responses.input_items.list(response.id, order="asc", limit=2)
        assert [item.type for item in listed.data] == ["message", "message"]
        assert listed.has_more
        [rest] = (await sdk.responses.input_items.list(response.id, order="asc", after=listed.data[-1].id)).data
        assert rest.type == "message"
        await sdk.responses.delete(response.id)
        for gone in (sdk.responses.retrieve(response.id), sdk.responses.delete(response.id)):
            with pytest.raises(openai.NotFoundError):
                await gone
        with pytest.raises(openai.NotFoundError) as refused:
            await sdk.responses.create(model=MODELS[0], input="Hi", previous_response_id=response.id)
        assert refused.value.param == "previous_response_id"
        for unknown in (f"resp_{uuid4().hex}", "resp_1"):
            with pytest.raises(openai.NotFoundError):
                await sdk.responses.retrieve(unknown)


async def test_any_surface_keeps_its_turns_in_a_conversation(platform: Platform) -> None:
    """Of a known conversation the trailing messages are added."""
    async with client(platform, default_headers={"x-aichat-conversation": "new"}) as sdk:
        messages: Any = [{"role": "user", "content": script(deltas=["One."])}]
        raw = await sdk.chat.completions.with_raw_response.create(model=MODELS[0], messages=messages)
        conversation_id = raw.headers["x-aichat-conversation"]
        messages += [{"role": "assistant", "content": "One."}, {"role": "user", "content": script(deltas=["Two."])}]
        follows = {"x-aichat-conversation": conversation_id}
        response = await sdk.responses.create(model=MODELS[1], input=messages, extra_headers=follows)
        assert response.output_text == "Two."
        with pytest.raises(openai.NotFoundError):
            await sdk.responses.create(
                model=MODELS[0], input="Hi", extra_headers={"x-aichat-conversation": str(uuid4())}
            )
        # What fails without an answer leaves nothing of the turn.
        more = [*messages, {"role": "user", "content": "Well?"}, {"role": "user", "content": script(status=400)}]
        with pytest.raises(openai.APIStatusError):
            await sdk.chat.completions.create(model=MODELS[0], messages=more, extra_headers=follows)
    headers = {"x-api-key": str(platform.key["api_key"]), "anthropic-version": "2023-06-01", **follows}
    messages += [{"role": "assistant", "content": "Two."}, {"role": "user", "content": script(deltas=["Three."])}]
    async with httpx.AsyncClient(base_url=platform.http, headers=headers) as http:
        body = {"model": MODELS[2], "max_tokens": 100, "messages": messages}
        answer = await http.post("/anthropic/v1/messages", json=body)
    assert answer.headers["x-aichat-conversation"] == conversation_id
    stored = await messages_of(platform, conversation_id)
    assert [message["parts"][0]["text"]["text"] for message in stored[1::2]] == ["One.", "Two.", "Three."]
    assert len({UUID(message["message_id"]) for message in stored}) == 6


BASH = {
    "name": "Bash",
    "description": "Runs a command.",
    "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
}
CACHED = {"cache_control": {"type": "ephemeral"}}


@pytest.mark.parametrize("model", MODELS)
async def test_a_session_of_claude_code_is_kept(platform: Platform, model: str) -> None:
    """Claude Code sends the header with each call (ANTHROPIC_CUSTOM_HEADERS), and its whole history."""
    ran = [{"name": "Bash", "arguments": {"command": "ls"}}]
    asked = script(rounds=[{"reasoning": ["Hm."], "tools": ran}, {"deltas": ["Done."]}])
    body = {
        "model": model,
        "max_tokens": 32_000,
        "system": [{"type": "text", "text": "You are an agent."}, {"type": "text", "text": "Be brief.", **CACHED}],
        "tools": [BASH],
        "thinking": {"type": "adaptive", "display": "omitted"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "safeguards": [{"type": "dangerous_tool_use", "classifier_context": {"v": 1}}],
        "output_config": {"effort": "medium"},
        "metadata": {"user_id": "{}"},
    }
    reminder = {"role": "system", "content": [{"type": "text", "text": "# Environment", **CACHED}]}
    said: list[Any] = [{"role": "user", "content": [{"type": "text", "text": asked}]}, reminder]
    headers = {"authorization": f"Bearer {platform.key['api_key']}", "anthropic-version": "2023-06-01"}
    async with httpx.AsyncClient(base_url=platform.http, headers=headers, timeout=20) as http:
        made = await http.post("/v1/conversations", json={})
        conversation_id: str = made.json()["conversation"]["conversation_id"]
        http.headers["x-aichat-conversation"] = conversation_id
        answer = (await http.post("/anthropic/v1/messages?beta=true", json=body | {"messages": said})).json()
        assert answer["stop_reason"] == "tool_use", answer
        result = {"type": "tool_result", "tool_use_id": answer["content"][-1]["id"], "content": "answer.txt"}
        said += [{"role": "assistant", "content": answer["content"]}, {"role": "user", "content": [result]}]
        last = (await http.post("/anthropic/v1/messages?beta=true", json=body | {"messages": said})).json()
    assert last["content"][-1]["text"] == "Done."
    stored = await messages_of(platform, conversation_id)
    kinds = [kind for message in stored for part in message["parts"] for kind in part]
    assert [kind for kind in kinds if kind.startswith("tool")] == ["tool_call", "tool_result"]
    assert stored[-1]["parts"][-1]["text"]["text"] == "Done."
    told = [part["text"]["text"] for message in stored for part in message["parts"] if "text" in part]
    assert told.count(asked) == 1, "each call adds only what is new"
