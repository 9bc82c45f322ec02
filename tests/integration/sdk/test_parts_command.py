"""The `aichat` command with files, tools, sources and reasoning: what a script sees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aichat.v1 import chat_pb2, conversations_pb2, events_pb2, files_pb2, messages_pb2, models_pb2, tokens_pb2
from google.api.httpbody_pb2 import HttpBody

from tests.integration.sdk.aichat import InProcess
from tests.unit.sdk.scripted import Behaviour, ScriptedServer, completed, reply, started, text_delta

ID = "0f" * 32
PNG = b"\x89PNG\r\n\x1a\n"
CITATIONS = [{"url": "https://example.com/a", "title": "A"}, {"document_index": 0, "first_page": 1, "last_page": 2}]
PARTS: list[dict[str, Any]] = [
    {"reasoning": {"text": "Hm."}},
    {"text": {"text": "Half of ", "citations": CITATIONS}},
    {"provider_item": {"provider": "anthropic", "type": "web_search_tool_result", "folded": True}},
    {"text": {"text": "it.", "citations": CITATIONS[:1]}},
    {"tool_call": {"call_id": "call-1", "name": "add", "arguments": '{"a": 2}'}},
]
ASKED: list[dict[str, Any]] = [
    {
        "tool_result": {
            "call_id": "call-0",
            "is_error": True,
            "parts": [{"text": {"text": "no"}}, {"image": {"url": "https://a.b/c"}}],
        }
    },
    {"image": {"media_type": "image/png", "size_bytes": 34_000, "width": 4, "height": 3}},
    {"document": {"media_type": "application/pdf", "title": "paper.pdf", "pages": 12, "size_bytes": 12_345_678}},
    {"audio": {"media_type": "audio/wav", "size_bytes": 9}},
    {"text": {"text": "What?"}},
]


def stored(parts: list[dict[str, Any]], **fields: Any) -> messages_pb2.Message:
    return messages_pb2.Message(parts=[messages_pb2.Part(**part) for part in parts], **fields)


def answered(parts: list[dict[str, Any]]) -> Behaviour:
    message = completed("").completed.message
    del message.parts[:]
    message.MergeFrom(stored(parts, stop_reason=messages_pb2.STOP_REASON_TOOL_USE))
    end = chat_pb2.StreamChatResponse(sequence=5, completed=events_pb2.ChatCompleted(message=message))
    thought = chat_pb2.StreamChatResponse(sequence=2, reasoning_delta=events_pb2.ReasoningDelta(text="Hm."))
    return reply(started(), thought, text_delta("Half of ", 3), text_delta("it.", 4), end)


async def test_files_and_options_go_with_the_message(
    server: ScriptedServer, in_process: InProcess, tmp_path: Path
) -> None:
    contents = {"photo": PNG, "song": b"RIFF0000WAVE", "paper.txt": b"text", "schema.json": b'{"type": "object"}'}
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    server.on("StreamChat", answered(PARTS), answered(PARTS), answered(PARTS))
    files = ["-f", "photo", "--file", "song", "-f", "paper.txt"]
    done = await in_process("chat", "--model", "m", *files, "--search", "--schema", "schema.json", "What?")
    assert (done.code, done.out) == (0, "Half of it.\n")
    assert done.err.splitlines()[:3] == [
        '[call call-1] add {"a": 2}',
        "[1] A · https://example.com/a",
        "[2] document 0 · pages 1 to 2",
    ]
    assert "calls tools" in done.err
    request = server.calls[0].request
    assert [part.WhichOneof("kind") for part in request.parts] == ["image", "audio", "document", "text"]
    assert request.options.HasField("web_search")
    assert request.options.response_format.json_schema == '{"type": "object"}'
    done = await in_process("chat", "--model", "m", "-f", "photo", "--reasoning")
    assert "[reasoning] Hm." in done.err.splitlines()
    assert [part.WhichOneof("kind") for part in server.calls[1].request.parts] == ["image"]
    await in_process("chat", "--model", "m", "-f", "-", "What?", stdin=PNG)
    image, text = server.calls[2].request.parts
    assert (image.image.data, text.text.text) == (PNG, "What?")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("chat", "--model", "m", "-f", "missing"), "missing"),
        (("count", "--model", "m", "--schema", "list"), "list"),
        (("files", "upload", "."), "."),
        (("chat", "--model", "m", "-f", "-"), "standard input: data is empty"),
        (("chat", "--model", "m"), "nothing to send"),
    ],
)
async def test_what_cannot_be_sent_is_refused(
    server: ScriptedServer, in_process: InProcess, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    (tmp_path / "list").write_text("[]")
    done = await in_process(*arguments)
    assert done.code == 1
    assert told in done.err
    assert len(done.err.splitlines()) == 1
    assert server.calls == []


async def test_history_shows_every_part(server: ScriptedServer, in_process: InProcess) -> None:
    answer = stored(PARTS, role=messages_pb2.ROLE_ASSISTANT, model="m")
    page = conversations_pb2.ListMessagesResponse(messages=[stored(ASKED, role=messages_pb2.ROLE_USER), answer])
    server.on("ListMessages", reply(page))
    done = await in_process("conversations", "show", "c", "--unfold")
    assert server.calls[0].request.unfold
    lines = [line for line in done.out.splitlines() if line and "·" not in line]
    assert lines == [
        "[error of call-0] no [image, https://a.b/c]",
        "[image, image/png, 4 x 3, 34 kB]",
        "[document, paper.pdf, application/pdf, 12 pages, 12 MB]",
        "[audio, audio/wav, 9 bytes]",
        "What?",
        "[reasoning] Hm.",
        "Half of ",
        "[anthropic web_search_tool_result]",
        "it.",
        '[call call-1] add {"a": 2}',
    ]
    assert "[1] A · https://example.com/a" in done.err.splitlines()


async def test_tokens_files_and_abilities(server: ScriptedServer, in_process: InProcess, tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(PNG)
    counted = tokens_pb2.CountTokensResponse(input_tokens=7, estimated=True, context_window=1000)
    server.on("CountTokens", reply(counted), reply(counted))
    assert (await in_process("count", "--model", "m", "Hi")).out == "at most 7 tokens of the 1000 that fit\n"
    told = json.loads((await in_process("count", "--model", "m", "Hi", "--json")).out)
    assert told == {"input_tokens": "7", "estimated": True, "context_window": "1000"}
    file = files_pb2.File(file_id=ID, media_type="image/png", size_bytes=8)
    server.on("UploadFile", reply(files_pb2.UploadFileResponse(file=file)))
    server.on("GetFile", reply(files_pb2.GetFileResponse(file=file)))
    server.on("DownloadFile", reply(files_pb2.DownloadFileResponse(content=HttpBody(data=PNG))))
    assert (await in_process("files", "upload", "photo.png")).out == f"{ID}  image/png  8 bytes\n"
    done = await in_process("files", "get", ID, "-o", "copy.png", "--json")
    assert json.loads(done.out)["file"]["size_bytes"] == "8"
    assert (tmp_path / "copy.png").read_bytes() == PNG
    abilities = models_pb2.ModelAbilities(images=True, tools=True, response_format=True, web_search=True)
    model = models_pb2.Model(model="m", provider="p", abilities=abilities)
    server.on("ListModels", reply(chat_pb2.ListModelsResponse(models=[model])))
    assert (await in_process("models")).out == "m  p  images, tools, schemas, search\n"
