"""The messages of Chat Completions as the platform's own, and the instructions among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from aichat_server.compat.domain.openai.chat import ContentPart, Message, ToolCall
from aichat_server.compat.domain.openai.forms import is_told, refuse
from aichat_server.compat.domain.openai.parts import (
    audio_part,
    document_part,
    image_part,
    plain,
    stored_document,
    text_part,
)
from aichat_server.compat.domain.openai.responses_marks import is_sealed, unsealed
from aichat_server.content.parts import (
    DocumentPart,
    ImagePart,
    Part,
    ReasoningPart,
    Role,
    Signature,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from aichat_server.core.errors import invalid_request
from aichat_server.core.texts import is_blank
from aichat_server.providers.domain.requests import PathMessage

GEMINI = "gemini"
"""The vendor whose calls carry marks in this API, by its name in the catalogue."""
MOST_INSTRUCTION_BYTES = 1 << 20


class Told(NamedTuple):
    """What the messages tell."""

    instructions: str
    messages: tuple[PathMessage, ...]


def messages_told(messages: Sequence[Message]) -> Told:
    """Returns what the messages tell a model. Raises REQUEST_INVALID and OPTION_UNSUPPORTED with the field.

    Instructions come first, wherever they are: most vendors take them there alone.
    """
    reader = _Reader()
    for n, message in enumerate(messages):
        reader.read(message, f"messages[{n}]")
    reader.end(f"messages[{len(messages) - 1}]")
    instructions = "\n\n".join(text for text in reader.instructions if not is_blank(text))
    if len(instructions.encode()) > MOST_INSTRUCTION_BYTES:
        text = f"hold more than {MOST_INSTRUCTION_BYTES} bytes for the system: send the rest as the user"
        raise invalid_request("messages", text)
    if not any(message.role is Role.USER and any(map(_is_said, message.parts)) for message in reader.messages):
        raise invalid_request("messages", "must hold a message of the user that is not blank")
    return Told(instructions, tuple(reader.messages))


class _Reader:
    """Reads messages in turn, each call of a tool with its result."""

    def __init__(self) -> None:
        self.instructions: list[str] = []
        self.messages: list[PathMessage] = []
        self._waiting: dict[str, str] = {}
        """The calls without a result: by their ids, their functions' names."""

    def read(self, message: Message, field: str) -> None:
        match message.role:
            case "system" | "developer":
                self.instructions += [_text(part, at) for part, at in _contents(message, field)]
            case "user":
                self.end(field)
                self._say(tuple(_asked(part, at) for part, at in _contents(message, field)))
            case "assistant":
                self.end(field)
                self.messages.append(PathMessage(Role.ASSISTANT, tuple(self._answered(message, field))))
            case "tool" | "function":
                self._say((self._result(message, field),))
            case _:
                told = "must be one of system, developer, user, assistant, tool and function"
                raise invalid_request(f"{field}.role", told)

    def end(self, field: str) -> None:
        """Raises REQUEST_INVALID if a call has no result: `field` is what follows instead."""
        if self._waiting:
            ids = ", ".join(self._waiting)
            raise invalid_request(field, f"must come after a message of the role tool for each tool call, as for {ids}")

    def _say(self, parts: tuple[Part, ...]) -> None:
        """Adds what is not the model's. The results of tools and what the user says to them are one message."""
        last = self.messages[-1] if self.messages else None
        if last is not None and last.parts and all(isinstance(part, ToolResultPart) for part in last.parts):
            self.messages[-1] = replace(last, parts=last.parts + parts)
        else:
            self.messages.append(PathMessage(Role.USER, parts))

    def _answered(self, message: Message, field: str) -> Iterator[Part]:
        if is_told(message.audio):
            raise refuse(f"{field}.audio", "send the answer's text")
        yield from _thoughts(message, field)
        yield from (text_part(_text(part, at), at) for part, at in _contents(message, field))
        if message.refusal:
            yield text_part(message.refusal, f"{field}.refusal")
        if message.function_call is not None:
            told = ToolCall(f"call_{field}", function=message.function_call)
            yield self._call(told, f"{field}.function_call")
        for n, call in enumerate(message.tool_calls or ()):
            yield self._call(call, f"{field}.tool_calls[{n}]")

    def _call(self, call: ToolCall, field: str) -> ToolCallPart:
        if call.function is None:
            raise refuse(f"{field}.type", "only calls of functions are carried to this model")
        if not call.id or call.id in self._waiting:
            raise invalid_request(f"{field}.id", "must differ from the ids of the other calls")
        name = self._waiting[call.id] = plain(call.function.name, f"{field}.function.name")
        google = call.extra_content.google if call.extra_content is not None else None
        mark = google.thought_signature if google is not None else None
        signature = Signature(GEMINI, mark) if mark else None
        return ToolCallPart(call.id, name, plain(call.function.arguments, f"{field}.function.arguments"), signature)

    def _result(self, message: Message, field: str) -> ToolResultPart:
        if message.role == "function":
            call_id, at = next((key for key, name in self._waiting.items() if name == message.name), ""), "name"
        else:
            call_id, at = message.tool_call_id or "", "tool_call_id"
        if self._waiting.pop(call_id, None) is None:
            raise invalid_request(f"{field}.{at}", "must name a tool call of the assistant's message before, once")
        return ToolResultPart(call_id, tuple(_found(part, place) for part, place in _contents(message, field)))


def _thoughts(message: Message, field: str) -> Iterator[ReasoningPart]:
    """Yields the reasoning that this platform wrote, which comes before all else of an answer."""
    for n, detail in enumerate(message.reasoning_details or ()):
        if detail.data is None or not is_sealed(detail.data):
            continue
        part = unsealed(detail.data)
        if not isinstance(part, ReasoningPart):
            told = "is not as this server wrote it: return it unchanged, or leave it out"
            raise invalid_request(f"{field}.reasoning_details[{n}].data", told)
        yield part


def _contents(message: Message, field: str) -> Iterator[tuple[ContentPart, str]]:
    """Yields the parts of a message, with their fields."""
    content = message.content
    if not content:
        return
    if isinstance(content, str):
        yield ContentPart("text", content), f"{field}.content"
    else:
        yield from ((part, f"{field}.content[{n}]") for n, part in enumerate(content))


def _text(part: ContentPart, field: str) -> str:
    text = part.refusal if part.type == "refusal" else part.text
    if part.type not in ("text", "refusal") or text is None:
        raise invalid_request(field, "must be a text: only the user's messages hold anything else")
    return plain(text, field)


def _asked(part: ContentPart, field: str) -> Part:
    if part.type == "input_audio" and part.input_audio is not None:
        return audio_part(part.input_audio.data, f"{field}.input_audio.data")
    return _found(part, field)


def _found(part: ContentPart, field: str) -> TextPart | ImagePart | DocumentPart:
    """Returns what a user or a tool may show."""
    file = part.file
    match part.type:
        case "text" if part.text is not None:
            return text_part(part.text, field)
        case "image_url" if part.image_url is not None:
            url = part.image_url if isinstance(part.image_url, str) else part.image_url.url
            return image_part(url, f"{field}.image_url.url")
        case "file" if file is not None and file.file_data is not None:
            return document_part(file.file_data, file.filename or "", f"{field}.file.file_data")
        case "file" if file is not None and file.file_id is not None:
            return stored_document(file.file_id, file.filename or "", f"{field}.file.file_id")
        case _:
            told = "must be a text, image_url or file, or the user's input_audio, with the value that its type names"
            raise invalid_request(field, told)


def _is_said(part: Part) -> bool:
    return not (isinstance(part, TextPart) and is_blank(part.text))
