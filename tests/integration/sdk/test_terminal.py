"""The `aichat` command on a terminal: what a person sees."""

from __future__ import annotations

import asyncio
import signal

import grpc

from tests.integration.sdk.aichat import Aichat, on_a_terminal
from tests.unit.sdk.scripted import (
    CANCELLED,
    GENERATION,
    ScriptedServer,
    answer,
    fail,
    hang,
    reply,
    started,
    text_delta,
)


async def test_answer_is_rendered_as_markdown_without_control_characters(
    server: ScriptedServer, aichat: Aichat
) -> None:
    server.on("StreamChat", answer("Some **bo", "ld** <i>tag</i>\n\n\x1b]0;evil\x07\n\n", "- item\n"))
    async with on_a_terminal(aichat, "chat", "Hi", "--model", "m") as (screen, process):
        await screen.until("conversation conversation-1")
        assert await process.wait() == 0
    assert "\x1b[1mbold\x1b[0m <i>tag</i>" in screen.shown
    assert screen.lines() == [
        "Some bold <i>tag</i>",
        "",
        "]0;evil",
        "",
        " • item",
        "model-1 · 12 + 34 tokens · $0.00123 · conversation conversation-1",
        "",
    ]


async def test_answer_taller_than_the_screen_is_shown_once_and_complete(server: ScriptedServer, aichat: Aichat) -> None:
    code = "".join(f"line {number}\n" for number in range(100))
    paragraphs = [f"Paragraph {number}.\n\n" for number in range(50)]
    pieces = [*paragraphs, "```\n", *code.splitlines(keepends=True), "```\n", "The end."]
    server.on("StreamChat", answer(*pieces))
    async with on_a_terminal(aichat, "chat", "Hi", "--model", "m") as (screen, process):
        await screen.until("conversation conversation-1")
        assert await process.wait() == 0
    words = [line.strip() for line in screen.lines() if line.strip()]
    assert words[:-1] == [piece.strip() for piece in pieces if "`" not in piece]


async def test_conversation_continues_until_the_end_of_input(server: ScriptedServer, aichat: Aichat) -> None:
    refused = fail(grpc.StatusCode.UNAVAILABLE, "PROVIDER_OVERLOADED", text="the vendor is overloaded")
    server.on("StreamChat", answer("First answer"), refused, answer("Second answer"))
    async with on_a_terminal(aichat, "chat", "--model", "m") as (screen, process):
        await screen.until("> ", 1)
        screen.type("one\n")
        await screen.until("> ", 2)
        screen.type("two\n")
        await screen.until("aichat: the vendor is overloaded")
        await screen.until("> ", 3)
        screen.type("   \n")
        await screen.until("> ", 4)
        screen.type("three\n")
        await screen.until("Second answer")
        await screen.until("> ", 5)
        screen.type("\x04")
        async with asyncio.timeout(30):
            assert await process.wait() == 0
    requests = [call.request for call in server.calls]
    assert [request.parts[0].text.text for request in requests] == ["one", "two", "three"]
    assert [request.conversation_id for request in requests] == ["", "conversation-1", "conversation-1"]


async def test_commands_are_not_sent(server: ScriptedServer, aichat: Aichat) -> None:
    server.on("StreamChat", answer("Yes"))
    async with on_a_terminal(aichat, "chat", "--model", "m") as (screen, process):
        await screen.until("> ")
        screen.type("/help\n")
        await screen.until("ends the conversation")
        screen.type(" /clear \n")
        await screen.until("there is no command /clear; /help lists them")
        screen.type("/etc/hosts is what?\n")
        await screen.until("conversation conversation-1")
        screen.type("Exit\n")
        async with asyncio.timeout(30):
            assert await process.wait() == 0
    assert [call.request.parts[0].text.text for call in server.calls] == ["/etc/hosts is what?"]


async def test_interrupt_in_a_conversation_stops_the_answer_and_not_the_conversation(
    server: ScriptedServer, aichat: Aichat
) -> None:
    server.on("StreamChat", hang(started(), text_delta("Once upon")), answer("The end"))
    server.on("CancelGeneration", reply(CANCELLED))
    async with on_a_terminal(aichat, "chat", "--model", "m") as (screen, process):
        await screen.until("> ", 1)
        screen.type("tell me a story\n")
        await screen.until("Once upon")
        process.send_signal(signal.SIGINT)
        await screen.until("Stopped. What had arrived is stored")
        async with asyncio.timeout(10):
            assert await server.cancelled.get() == "StreamChat"
        await screen.until("> ", 2)
        screen.type("and then?\n")
        await screen.until("The end")
        await screen.until("> ", 3)
        screen.type("\x04")
        async with asyncio.timeout(30):
            assert await process.wait() == 0
    assert [call.request.generation_id for call in server.calls if call.method == "CancelGeneration"] == [GENERATION]
    assert server.calls[-1].request.conversation_id == "conversation-1"


async def test_a_conversation_removed_with_its_only_question_is_not_continued(
    server: ScriptedServer, aichat: Aichat
) -> None:
    overloaded = fail(grpc.StatusCode.UNAVAILABLE, "PROVIDER_OVERLOADED", started(), text="the vendor is overloaded")
    server.on("StreamChat", overloaded, answer("The end"))
    server.on("GetConversation", fail(grpc.StatusCode.NOT_FOUND, "CONVERSATION_NOT_FOUND"))
    async with on_a_terminal(aichat, "chat", "--model", "m") as (screen, process):
        await screen.until("> ", 1)
        screen.type("tell me a story\n")
        await screen.until("the vendor is overloaded")
        await screen.until("> ", 2)
        screen.type("and then?\n")
        await screen.until("The end")
        await screen.until("> ", 3)
        screen.type("\x04")
        async with asyncio.timeout(30):
            assert await process.wait() == 0
    assert server.calls[-1].request.conversation_id == ""
