"""The client for code without an event loop: the same core, from any thread."""

from __future__ import annotations

import asyncio
import io
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import grpc
import pytest
from aichat.v1 import chat_pb2, conversations_pb2, files_pb2
from aichat_sdk import AIChat, AIChatError, ClosedError, NotFoundError
from aichat_sdk.sync import ChatStream
from google.api.httpbody_pb2 import HttpBody

from tests.unit.sdk.scripted import API_KEY, ScriptedServer, answer, calling, fail, hang, reply, started, text_delta


@dataclass
class Place:
    name: str


@pytest.fixture
async def sync_client(server: ScriptedServer) -> AsyncIterator[AIChat]:
    client = AIChat(endpoint=server.endpoint, api_key=API_KEY)
    yield client
    await asyncio.to_thread(client.close)


async def test_every_kind_of_call_works_in_a_script(server: ScriptedServer, sync_client: AIChat) -> None:
    page = conversations_pb2.ListConversationsResponse
    conversation = conversations_pb2.Conversation(conversation_id="c")
    server.on("StreamChat", answer("Hi", " you"), answer("a", "b"), answer('{"name": "Rome"}'), answer("x"))
    server.on("StreamChat", calling(("1", "shout", '{"text": "hey"}')), answer("done"))
    server.on("ListConversations", *[reply(page(conversations=[conversation], next_page_token=t)) for t in ("2", "")])
    server.on("ListConversations", reply(page(conversations=[conversation])))
    piece = HttpBody(data=b"abc")
    server.on("DownloadFile", reply(*[files_pb2.DownloadFileResponse(content=piece)] * 2))
    server.on("UploadFile", reply(files_pb2.UploadFileResponse(file=files_pb2.File(file_id="f"))))
    server.on("ResumeChat", reply(text_delta("late", 3)), fail(grpc.StatusCode.NOT_FOUND))

    def shout(text: str) -> str:
        return text.upper()

    def script(client: AIChat) -> None:
        assert client.chat.send(model="m", text="Hi").parts[0].text is not None
        with client.chat.stream(model="m", text="Hi") as stream:
            assert stream.started.model == "model-1"
            assert list(stream.text_stream) == ["a", "b"]
            assert stream.get_final_text() == "ab"
            assert list(stream) == []
        assert client.chat.send(model="m", text="Hi", output_type=Place).output == Place("Rome")
        assert [event.sequence for event in client.chat.stream(model="m", text="Hi")] == [1, 2, 3]
        with client.chat.run_tools(model="m", text="Hi", tools=[shout]) as run:
            assert run.get_final_text() == "done"
        assert [one.conversation_id for one in client.conversations.list()] == ["c", "c"]
        assert client.conversations.list().page().next_page_token == ""
        assert b"".join(client.files.download("f")) == b"abcabc"
        assert client.files.upload(io.BytesIO(b"abc\nde")).file_id == "f"
        with client.chat.resume("g") as resumed:
            assert next(resumed).sequence == 3

    await asyncio.to_thread(script, sync_client)
    [arrived] = [call.request for call in server.calls if call.method == "UploadFile"]
    assert b"".join(piece.content.data for piece in arrived) == b"abc\nde"


async def test_many_threads_use_one_client(server: ScriptedServer, sync_client: AIChat) -> None:
    server.on("StreamChat", *[answer("a", "b", "c")] * 32)

    def script(_: int) -> str:
        with sync_client.chat.stream(model="m", text="Hi") as stream:
            return "".join(stream.text_stream)

    with ThreadPoolExecutor(16) as threads:
        texts = await asyncio.gather(
            *(asyncio.get_running_loop().run_in_executor(threads, script, number) for number in range(32))
        )
    assert texts == ["abc"] * 32
    names = [thread.name for thread in threading.enumerate()]
    assert names.count("aichat-sdk") == 1


@pytest.mark.parametrize("closed", ["stream", "client"])
async def test_another_thread_ends_a_read(server: ScriptedServer, closed: str) -> None:
    server.on("StreamChat", hang(started(), text_delta("a")))
    client = AIChat(endpoint=server.endpoint, api_key=API_KEY)
    reading = asyncio.Event()
    loop = asyncio.get_running_loop()

    def handed_on() -> ChatStream:
        return client.chat.stream(model="m", text="Hi")

    stream = handed_on()

    def script() -> None:
        for _ in stream.text_stream:
            loop.call_soon_threadsafe(reading.set)

    task = asyncio.ensure_future(asyncio.to_thread(script))
    await reading.wait()
    await asyncio.to_thread((stream if closed == "stream" else client).close)
    with pytest.raises(ClosedError):
        await task
    await server.cancelled.get()
    await asyncio.to_thread(stream.close)
    await asyncio.to_thread(client.close)
    with pytest.raises(ClosedError, match="the client is closed"):
        await asyncio.to_thread(client.models.list)


async def test_failures_are_raised_as_they_are(server: ScriptedServer, sync_client: AIChat) -> None:
    server.on("StreamChat", fail(grpc.StatusCode.NOT_FOUND, "MODEL_UNKNOWN"))

    def script() -> None:
        stream = sync_client.chat.stream(model="m", text="Hi")
        for _ in range(2):
            with pytest.raises(NotFoundError):
                stream.open()
        with pytest.raises(AIChatError, match="has not begun"):
            _ = stream.started

    await asyncio.to_thread(script)


async def test_a_tool_that_calls_its_own_client_is_told(server: ScriptedServer, sync_client: AIChat) -> None:
    server.on("StreamChat", calling(("1", "ask", "{}"), ("2", "ask_in_thread", "{}")), answer("done"))
    server.on("ListModels", reply(chat_pb2.ListModelsResponse()))

    async def ask() -> int:
        return len(sync_client.models.list())

    def ask_in_thread() -> int:
        return len(sync_client.models.list())

    def script() -> None:
        with sync_client.chat.run_tools(model="m", text="Hi", tools=[ask, ask_in_thread]) as run:
            run.get_final_message()

    await asyncio.to_thread(script)
    [first, second] = [part.tool_result for part in server.calls[-1].request.parts]
    assert first.is_error
    assert "use AsyncAIChat" in first.parts[0].text.text
    assert second.parts[0].text.text == "0"


PROCESS = """
import atexit, os, signal, sys, threading
atexit.register(lambda: print(says(used.models.list), flush=True))
from aichat_sdk import AIChat, ClosedError, ConnectionFailedError

def client():
    return AIChat(endpoint="127.0.0.1:1", api_key="ak_x", max_retries=0)

def says(call):
    try:
        call()
    except (ClosedError, ConnectionFailedError, KeyboardInterrupt) as error:
        return type(error).__name__

used, unused = client(), client()
print(says(used.models.list), flush=True)
if os.fork() == 0:
    print(says(used.models.list), says(unused.models.list), says(client().models.list), flush=True)
    used.close()
    os._exit(0)
os.wait()

# A server that accepts and never answers.
import socket
listener = socket.create_server(("127.0.0.1", 0))
waiting = AIChat(endpoint=f"127.0.0.1:{listener.getsockname()[1]}", api_key="ak_x")
def interrupt():
    listener.accept()
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt).start()
print(says(lambda: waiting.chat.send(model="m", text="Hi")), flush=True)
"""


async def test_forks_are_refused_interrupts_end_calls_and_exits_do_not_wait() -> None:
    command = [sys.executable, "-W", "error::ResourceWarning", "-c", PROCESS]
    ended = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, timeout=120)
    expected = ["ConnectionFailedError", "ClosedError ClosedError ClosedError", "KeyboardInterrupt", "ClosedError"]
    assert ended.stdout.splitlines() == expected, ended.stderr
    assert ended.returncode == 0, ended.stderr
