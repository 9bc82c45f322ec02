"""The `aichat` command through pipes: what a script sees."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator

import grpc
import pytest
from aichat.v1 import chat_pb2, conversations_pb2, messages_pb2, models_pb2, options_pb2
from google.type.money_pb2 import Money

from tests.integration.sdk.aichat import Aichat
from tests.unit.sdk.scripted import (
    API_KEY,
    CANCELLED,
    Behaviour,
    ScriptedServer,
    answer,
    completed,
    fail,
    hang,
    reply,
    started,
    text_delta,
)

MODELS = reply(
    chat_pb2.ListModelsResponse(
        models=[
            models_pb2.Model(model="model-0", provider="anthropic", prices=[{"output": Money(units=9)}]),  # type: ignore[list-item]
            models_pb2.Model(model="model-1", provider="anthropic", prices=[models_pb2.ModelPrice()]),
            models_pb2.Model(model="model-2", provider="openai"),
        ]
    )
)


async def test_answer_goes_to_stdout_as_it_is_and_the_rest_to_stderr(server: ScriptedServer, aichat: Aichat) -> None:
    server.on("ListModels", MODELS)
    server.on("StreamChat", answer("**Hel", "lo** <b>wörld</b>"))
    done = await aichat("chat", "Hi")
    assert (done.code, done.out) == (0, "**Hello** <b>wörld</b>\n")
    assert done.err == "model-1 · 12 + 34 tokens · $0.00123 · conversation conversation-1\n"
    request = server.calls[-1].request
    assert request.model == "model-1", "the cheapest model is the default"
    assert [part.text.text for part in request.parts] == ["Hi"]


async def test_options_reach_the_platform(server: ScriptedServer, aichat: Aichat) -> None:
    server.on("StreamChat", answer("Yes"))
    options = ["--model", "m", "--conversation", "c", "--system", "Be brief.", "--max-output-tokens", "7"]
    done = await aichat("chat", "Hi", *options, "--effort", "low")
    assert done.code == 0
    (call,) = server.calls
    assert (call.request.model, call.request.conversation_id) == ("m", "c")
    assert (call.request.options.system_prompt, call.request.options.max_output_tokens) == ("Be brief.", 7)
    assert call.request.options.reasoning_effort == options_pb2.REASONING_EFFORT_LOW


async def test_message_may_come_through_a_pipe(server: ScriptedServer, aichat: Aichat) -> None:
    server.on("StreamChat", answer("Yes"))
    assert (await aichat("chat", "--model", "m", stdin="from a pipe")).out == "Yes\n"
    assert server.calls[0].request.parts[0].text.text == "from a pipe"


@pytest.mark.parametrize(
    ("piped", "said"), [("a\nreport\n", "Sum up:\n\na\nreport\n"), ("", "Sum up:"), (" \n", "Sum up:")]
)
async def test_piped_text_follows_the_text(server: ScriptedServer, aichat: Aichat, piped: str, said: str) -> None:
    server.on("StreamChat", answer("Yes"))
    assert (await aichat("chat", "--model", "m", "Sum up:", stdin=piped)).out == "Yes\n"
    assert server.calls[0].request.parts[0].text.text == said


async def test_a_pipe_that_stays_open_is_reported(server: ScriptedServer, aichat: Aichat) -> None:
    server.on("StreamChat", answer("Yes"))
    process = await aichat.start("chat", "--model", "m", "Hi", stdin=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    async with asyncio.timeout(30):
        assert (await process.stderr.readline()).startswith(b"Waiting for the end of the piped text")
        assert (await process.communicate(b"there"))[0] == b"Yes\n"
    assert server.calls[0].request.parts[0].text.text == "Hi\n\nthere"


async def test_failure_is_one_line_on_stderr_that_says_what_to_do(server: ScriptedServer, aichat: Aichat) -> None:
    refusal = fail(grpc.StatusCode.NOT_FOUND, "MODEL_UNKNOWN", text="there is no model gpt-0")
    server.on("StreamChat", refusal)
    done = await aichat("chat", "Hi", "--model", "gpt-0")
    assert (done.code, done.out) == (1, "")
    assert done.err == "aichat: there is no model gpt-0; `aichat models` lists the models\n"


async def test_field_that_breaks_a_rule_is_named_once(server: ScriptedServer, aichat: Aichat) -> None:
    broken = {"model": "is too long", "options.stop": "is too short"}
    status, reason = grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_INVALID"
    server.on("StreamChat", fail(status, reason, violations=broken, text="not valid: model is too long"))
    done = await aichat("chat", "Hi", "--model", "m")
    assert done.err == "aichat: not valid: model is too long; options.stop is too short\n"


async def test_platform_that_cannot_be_reached_is_one_line_too(server: ScriptedServer, aichat: Aichat) -> None:
    done = await aichat("models", "--endpoint", "127.0.0.1:1")
    assert done.code == 1
    assert done.err.startswith("aichat: no connection to 127.0.0.1:1: ")
    assert len(done.err.splitlines()) == 1
    refused = await aichat("models", "--api-key", "x" * 100_000)
    assert refused.code == 1
    assert len(refused.err.splitlines()) == 1


async def test_text_before_a_failure_is_shown(server: ScriptedServer, aichat: Aichat) -> None:
    broken = fail(grpc.StatusCode.UNAVAILABLE, "PROVIDER_TIMEOUT", started(), text_delta("Half"), retry_after=3)
    server.on("StreamChat", broken)
    done = await aichat("chat", "Hi", "--model", "m")
    assert (done.code, done.out) == (1, "Half\n")
    assert done.err == "aichat: told by the test; retry in 3 s\n"


@pytest.mark.parametrize(
    "arguments",
    [[], ["chat", "--effort", "huge"], ["conversations", "show"], ["chat", "--max-output-tokens", "x"], ["sing"]],
)
async def test_wrong_usage_exits_with_2(server: ScriptedServer, aichat: Aichat, arguments: list[str]) -> None:
    done = await aichat(*arguments)
    assert done.code == 2
    assert done.err.startswith("usage: aichat")
    assert server.calls == []


async def test_text_that_no_encoding_knows_is_refused(server: ScriptedServer, aichat: Aichat) -> None:
    done = await aichat("chat", "--model", "m", "broken \udcff bytes")
    assert done.code == 1
    assert "surrogate" in done.err
    assert server.calls == []


@pytest.mark.parametrize(
    ("then", "told"),
    [
        (reply(CANCELLED), "Stopped. What had arrived is stored"),
        (
            fail(grpc.StatusCode.ABORTED, "GENERATION_IN_PROGRESS"),
            "Stopped showing. The server continues to store the answer",
        ),
    ],
    ids=["it can be stopped", "it cannot"],
)
async def test_interrupt_stops_the_answer_and_says_where_it_is_stored(
    server: ScriptedServer, aichat: Aichat, then: Behaviour, told: str
) -> None:
    server.on("StreamChat", hang(started(), text_delta("Well")))
    server.on("CancelGeneration", then)
    process = await aichat.start("chat", "Hi", "--model", "m")
    assert process.stdout is not None
    async with asyncio.timeout(30):
        assert await process.stdout.readexactly(4) == b"Well"
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert (process.returncode, out) == (130, b"\n")
    assert err.decode() == f"{told}: aichat conversations show conversation-1\n"


async def test_reader_that_disconnects_is_not_a_crash(server: ScriptedServer, aichat: Aichat) -> None:
    gone = asyncio.Event()

    async def behave(_request: object, _context: object) -> AsyncIterator[chat_pb2.StreamChatResponse]:
        yield started()
        yield text_delta("Well")
        await gone.wait()
        yield text_delta(" then")
        yield completed("Well then")

    server.on("StreamChat", behave)
    process = await aichat.start("chat", "Hi", "--model", "m")
    assert process.stdout is not None
    async with asyncio.timeout(30):
        assert await process.stdout.readexactly(4) == b"Well"
        process.stdout._transport.close()  # type: ignore[attr-defined]
        gone.set()
        _, err = await process.communicate()
    assert (process.returncode, err) == (1, b"")


async def test_history(server: ScriptedServer, aichat: Aichat) -> None:
    stored = conversations_pb2.Conversation(conversation_id="c1", title="A\nlong  title")
    stored.update_time.FromSeconds(1_700_000_000)
    question = messages_pb2.Message(role=messages_pb2.ROLE_USER, parts=[{"text": {"text": "Why?"}}])  # type: ignore[list-item]
    half = messages_pb2.Message(
        role=messages_pb2.ROLE_ASSISTANT,
        model="model-1",
        state=messages_pb2.MESSAGE_STATE_FAILED,
        parts=[messages_pb2.Part(text=messages_pb2.TextPart(text="Because **of"))],
    )
    renamed = conversations_pb2.Conversation(title="Short")
    listing = reply(conversations_pb2.ListConversationsResponse(conversations=[stored]))
    server.on("ListConversations", listing, listing)
    server.on("ListMessages", reply(conversations_pb2.ListMessagesResponse(messages=[question, half])))
    server.on("UpdateConversation", reply(conversations_pb2.UpdateConversationResponse(conversation=renamed)))
    server.on("DeleteConversation", reply(conversations_pb2.DeleteConversationResponse()))
    aichat.environment["TZ"] = "UTC"
    assert (await aichat("conversations")).out == "c1  2023-11-14 22:13  A long title\n"
    assert (await aichat("conversations", "list")).out == "c1  2023-11-14 22:13  A long title\n"
    shown = await aichat("conversations", "show", "c1")
    assert shown.out.split() == ["You", "·", "Why?", "model-1", "·", "Because", "**of"]
    assert "incomplete" in shown.err
    assert (await aichat("conversations", "rename", "c1", "Short")).err == "renamed to 'Short'\n"
    assert (await aichat("conversations", "delete", "c1")).err == "deleted\n"
    assert [call.request.conversation_id for call in server.calls[2:]] == ["c1"] * 3


async def test_models(server: ScriptedServer, aichat: Aichat) -> None:
    server.on("ListModels", MODELS)
    done = await aichat("models")
    assert [line.split()[:2] for line in done.out.splitlines()] == [
        ["model-0", "anthropic"], ["model-1", "anthropic"], ["model-2", "openai"]
    ]  # fmt: skip
    assert "$0.00 in, $9.00 out per million tokens" in done.out


async def test_platform_that_make_run_started_is_found_from_below(server: ScriptedServer, aichat: Aichat) -> None:
    server.on("ListModels", MODELS)
    (aichat.directory / ".sandbox").mkdir()
    found = {"grpc": server.endpoint, "http": "unused", "api_key": "ak_of_the_sandbox"}
    (aichat.directory / ".sandbox/endpoints.json").write_text(json.dumps(found))
    aichat.directory = aichat.directory / "deep/down"
    aichat.directory.mkdir(parents=True)
    del aichat.environment["AICHAT_ENDPOINT"]
    assert (await aichat("models")).code == 0
    assert server.calls[0].metadata["authorization"] == "Bearer ak_of_the_sandbox", "no other key goes there"


async def test_arguments_come_before_the_environment(server: ScriptedServer, aichat: Aichat) -> None:
    server.on("ListModels", MODELS, MODELS)
    aichat.environment["AICHAT_ENDPOINT"] = "127.0.0.1:1"
    assert (await aichat("--endpoint", server.endpoint, "models", "--api-key", "ak_given")).code == 0
    assert (await aichat("models", "--endpoint", server.endpoint)).code == 0
    assert [call.metadata["authorization"] for call in server.calls] == ["Bearer ak_given", f"Bearer {API_KEY}"]


async def test_missing_or_broken_target_is_explained(aichat: Aichat) -> None:
    del aichat.environment["AICHAT_ENDPOINT"]
    done = await aichat("models")
    assert done.code == 1
    assert "AICHAT_ENDPOINT" in done.err
    assert "make run" in done.err
    (aichat.directory / ".sandbox").mkdir()
    (aichat.directory / ".sandbox/endpoints.json").write_text("{")
    done = await aichat("models")
    assert done.code == 1
    assert "endpoints.json" in done.err
    assert len(done.err.splitlines()) == 1
