"""Files in messages: stored first and once, shown to the vendor as they are, refused before anything is stored."""

from __future__ import annotations

import base64
from pathlib import Path
from uuid import uuid4

import grpc
import pytest
from aichat.v1 import chat_pb2, conversations_pb2, messages_pb2, parts_pb2
from aichat_server.core.errors import Reason

from tests.fixtures.rpc import refusal
from tests.fixtures.server import ApiKey, ServerUnderTest
from tests.fixtures.vendors import Vendors
from tests.integration.files.uploads import upload
from tests.unit.files import made

MODEL = "gemini-3.8-flash"
Part, Image, Document, Audio = messages_pb2.Part, parts_pb2.ImagePart, parts_pb2.DocumentPart, parts_pb2.AudioPart


def stored(settings: dict[str, str], key: ApiKey) -> list[Path]:
    """Returns the objects of the key's organisation."""
    folder = Path(settings["AICHAT_FILES_URL"].removeprefix("file://")) / key.organization_id
    return [path for path in folder.rglob("*") if path.is_file()]


def asking(*parts: messages_pb2.Part, model: str = MODEL) -> chat_pb2.StreamChatRequest:
    return chat_pb2.StreamChatRequest(
        model=model, parts=[*parts, Part(text=messages_pb2.TextPart(text="What is this?"))]
    )


async def test_inline_and_named_files_are_stored_once_and_shown(
    server: ServerUnderTest, api_key: ApiKey, server_settings: dict[str, str], vendors: Vendors
) -> None:
    image, text = made.png(), f"Notes {uuid4()} ".encode() * 9000
    file_id = (await upload(server, api_key, text)).file_id
    parts = (
        Part(image=Image(data=image, media_type="image/wrong")),
        Part(document=Document(data=text, title="Notes")),
        Part(document=Document(file_id=file_id)),
        Part(image=Image(data=image)),
        Part(document=Document(data=made.pdf(2))),
    )
    events = [event async for event in server.chat.StreamChat(asking(*parts), metadata=api_key.metadata, timeout=20)]
    assert events[-1].HasField("completed")
    request = conversations_pb2.ListMessagesRequest(conversation_id=events[0].started.conversation_id)
    listed = await server.conversations.ListMessages(request, metadata=api_key.metadata)
    shown = listed.messages[0].parts
    images = [part.image for part in shown if part.HasField("image")]
    assert [(one.media_type, one.width) for one in images] == [("image/png", 2)] * 2
    documents = [part.document for part in shown if part.HasField("document")]
    assert [one.media_type for one in documents] == ["text/plain", "text/plain", "application/pdf"]
    assert [one.file_id == file_id for one in documents] == [True, True, False]
    assert (documents[0].title, documents[2].pages) == ("Notes", 2)
    assert len(stored(server_settings, api_key)) == 3
    asked = str(vendors.log()[-1]["body"])
    assert asked.count(base64.b64encode(image).decode()) == 2


@pytest.mark.parametrize(
    ("part", "reason", "field"),
    [
        (Part(image=Image(data=b"no image")), Reason.FILE_INVALID, "parts[1].image"),
        (Part(document=Document(data=made.png())), Reason.FILE_INVALID, "parts[1].document"),
        (Part(audio=Audio(data=made.pdf())), Reason.FILE_INVALID, "parts[1].audio"),
        (Part(image=Image(data=made.png(9000, 1))), Reason.FILE_INVALID, "parts[1].image"),
        (Part(document=Document(data=made.pdf(601))), Reason.FILE_INVALID, "parts[1].document"),
        (Part(image=Image(file_id="0" * 64)), Reason.FILE_NOT_FOUND, ""),
        (Part(image=Image(url="https://169.254.169.254/a.png")), Reason.REQUEST_INVALID, "parts[1].image"),
        (Part(image=Image()), Reason.REQUEST_INVALID, "parts[1].image.source"),
    ],
    ids=range(8),
)
async def test_bad_files_are_refused_and_nothing_is_stored(
    server: ServerUnderTest,
    api_key: ApiKey,
    server_settings: dict[str, str],
    part: messages_pb2.Part,
    reason: Reason,
    field: str,
) -> None:
    good = Part(document=Document(data=b"good " * 20_000))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await anext(aiter(server.chat.StreamChat(asking(good, part), metadata=api_key.metadata, timeout=20)))
    refused = refusal(caught.value)
    assert refused.reason is reason
    assert field in str(refused.status.details)
    assert stored(server_settings, api_key) == []


async def test_nothing_is_stored_for_a_model_that_does_not_exist(
    server: ServerUnderTest, api_key: ApiKey, server_settings: dict[str, str]
) -> None:
    request = asking(Part(image=Image(data=made.png())), model="no-such-model")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await anext(aiter(server.chat.StreamChat(request, metadata=api_key.metadata, timeout=20)))
    assert refusal(caught.value).reason is Reason.MODEL_UNKNOWN
    assert stored(server_settings, api_key) == []
