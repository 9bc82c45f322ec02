"""What a response was asked, as items of the Responses API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, assert_never

from aichat_server.compat.domain.openai.responses_tools import OwnTool
from aichat_server.compat.rpc.openai.responses_output import Output
from aichat_server.compat.storage.responses import InputMessage
from aichat_server.content.parts import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Link,
    Part,
    ProviderItem,
    ReasoningPart,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from aichat_server.generations.domain.shown import shown

Json = dict[str, Any]


def input_items(messages: Iterable[InputMessage], tools: Mapping[str, OwnTool]) -> Iterator[Json]:
    """Yields the items of messages. `tools`: how the caller knows them, by the names of their functions."""
    for message in messages:
        if message.role is Role.ASSISTANT:
            yield from _answered(message, tools)
        else:
            yield from _asked(message)


def _answered(message: InputMessage, tools: Mapping[str, OwnTool]) -> Iterator[Json]:
    output = Output(message.message_id, tools, seals=False)
    for event in shown(message.parts):
        for _ in output.write(event):
            """Only the items count."""
    for _ in output.end("completed"):
        """As above."""
    yield from output.items


def _asked(message: InputMessage) -> Iterator[Json]:
    content: list[Json] = []
    for n, part in enumerate(message.parts):
        if isinstance(part, ToolResultPart):
            told = {"type": "function_call_output", "call_id": part.call_id, "status": "completed"}
            output = [inner for one in part.parts for inner in _content(one)]
            yield {"id": f"fco_{message.message_id.hex}_{n}", **told, "output": output}
        else:
            content += _content(part)
    if content:
        told = {"type": "message", "role": "user", "status": "completed"}
        yield {"id": f"msg_{message.message_id.hex}_{len(message.parts)}", **told, "content": content}


def _content(part: Part) -> Iterator[Json]:
    match part:
        case TextPart(text):
            yield {"type": "input_text", "text": text}
        case ImagePart(source):
            shown_at = {"image_url": source.url} if isinstance(source, Link) else {"file_id": source.sha256}
            yield {"type": "input_image", "detail": "auto", **shown_at}
        case DocumentPart(source, title):
            shown_at = {"file_url": source.url} if isinstance(source, Link) else {"file_id": source.sha256}
            yield {"type": "input_file", "filename": title, **shown_at}
        case AudioPart(source):
            yield {"type": "input_file", "file_id": source.sha256}
        case ToolCallPart() | ToolResultPart() | ReasoningPart() | ProviderItem():
            """No content of the user's."""
        case _:
            assert_never(part)
