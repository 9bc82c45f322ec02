"""The input of the Responses API as the platform's own messages, and the instructions among its items."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
from msgspec import Raw

from aichat_server.compat.domain.openai.forms import refuse
from aichat_server.compat.domain.openai.parts import (
    audio_part,
    document_part,
    image_part,
    plain,
    stored_document,
    text_part,
)
from aichat_server.compat.domain.openai.responses import (
    AddedTools,
    Annotation,
    Content,
    Item,
    ItemHead,
    OfferedTool,
    read_form,
)
from aichat_server.compat.domain.openai.responses_marks import (
    MESSAGE,
    OPENAI,
    REASONING,
    head_signature,
    is_sealed,
    item_place,
    unsealed,
)
from aichat_server.compat.domain.openai.responses_tools import SentTool, function_name
from aichat_server.content.parts import (
    Citation,
    DocumentPart,
    ImagePart,
    Part,
    ProviderItem,
    ReasoningPart,
    Role,
    Signature,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    WebSource,
)
from aichat_server.core.errors import invalid_request
from aichat_server.providers.domain.requests import PathMessage

SEARCH = "web_search_call"
_SERVER_ITEMS = frozenset({SEARCH, "file_search_call", "code_interpreter_call", "image_generation_call", "mcp_call",
    "mcp_list_tools", "compaction", "computer_call"})  # fmt: skip
"""What OpenAI's own tools write. Only OpenAI reads them again."""
_REFERENCE, _ADDED_TOOLS = "item_reference", "additional_tools"


class Told(NamedTuple):
    """What the items tell."""

    instructions: tuple[str, ...]
    messages: tuple[PathMessage, ...]
    tools: tuple[SentTool, ...] = ()
    """Those that the items add to the request's own."""


def references_of(items: str | Sequence[Raw]) -> list[str]:
    """Returns the ids of earlier items that the input names instead of sending them."""
    heads = () if isinstance(items, str) else (read_form(item, ItemHead, "input") for item in items)
    return [head.id for head in heads if head.type == _REFERENCE and head.id is not None]


def offered_among(items: str | Sequence[Raw]) -> tuple[OfferedTool, ...]:
    """Returns the tools that the items add to the request's own."""
    heads = () if isinstance(items, str) else (read_form(item, ItemHead, "input") for item in items)
    return tuple(
        one for head in heads if head.type == _ADDED_TOOLS for one in read_form(head.tools, list[OfferedTool], "input")
    )


def items_told(items: str | Sequence[Raw], referenced: Mapping[str, Part]) -> Told:
    """Returns what the items tell a model; `referenced` has those that are only named.

    Raises REQUEST_INVALID and OPTION_UNSUPPORTED with the field.
    """
    if isinstance(items, str):
        return Told((), (PathMessage(Role.USER, (text_part(items, "input"),)),))
    reader = _Reader(referenced)
    for n, raw in enumerate(items):
        reader.read(raw, f"input[{n}]")
    return Told(tuple(reader.instructions), tuple(reader.messages()), tuple(reader.tools))


class _Reader:
    """Reads items in turn. Those of one side that follow each other become one message."""

    def __init__(self, referenced: Mapping[str, Part]) -> None:
        self.instructions: list[str] = []
        self.tools: list[SentTool] = []
        self._referenced = referenced
        self._sides: list[tuple[Role, list[Part]]] = []
        self._marks: dict[str, Signature] = {}
        """The vendors' marks on tool calls, by the ids of those."""

    def messages(self) -> Iterator[PathMessage]:
        for role, parts in self._sides:
            if parts:
                yield PathMessage(role, tuple(map(self._marked, parts)))

    def read(self, raw: Raw, field: str) -> None:  # noqa: C901 — one case for each kind
        head = read_form(raw, ItemHead, field)
        if head.type in _SERVER_ITEMS:
            # A search that this platform shows for another vendor is sealed beside it.
            if item_place(head.id or "") is None:
                self._answered(ProviderItem(OPENAI, head.type or "", bytes(raw).decode(errors="replace")))
            return
        if head.type == _ADDED_TOOLS:
            self._add_tools(read_form(raw, AddedTools, field), field)
            return
        item = read_form(raw, Item, field)
        match item.type:
            case "message":
                self._message(item, field)
            case "function_call" | "custom_tool_call":
                self._answered(_call(item, field))
            case "function_call_output" | "custom_tool_call_output":
                self._asked(_result(item, field))
            case "reasoning":
                self._reasoning(item, raw, field)
            case "item_reference":
                if (part := self._referenced.get(item.id or "")) is None:
                    raise invalid_request(f"{field}.id", f"names an item that is not kept: {item.id!r}; send it whole")
                self._answered(part)
            case _:
                raise refuse(f"{field}.type", f"items of the type {item.type!r} are not carried to this model")

    def _add_tools(self, added: AddedTools, field: str) -> None:
        if added.role != "developer":
            raise invalid_request(f"{field}.role", "must be developer")
        self.tools += [SentTool(f"{field}.tools[{n}]", one) for n, one in enumerate(added.tools)]

    def _message(self, item: Item, field: str) -> None:
        match item.role:
            case "system" | "developer":
                self.instructions += [_text(part, at) for part, at in _contents(item.content, field)]
            case "user":
                for part, at in _contents(item.content, field):
                    self._asked(_shown(part, at))
            case "assistant":
                marks = head_signature(MESSAGE, {"phase": item.phase}) if item.phase else None
                for part, at in _contents(item.content, field):
                    cited = tuple(_citations(part.annotations or ()))
                    self._answered(TextPart(_text(part, at), cited, marks))
            case _:
                raise invalid_request(f"{field}.role", "must be one of system, developer, user and assistant")

    def _reasoning(self, item: Item, raw: Raw, field: str) -> None:
        content = item.encrypted_content
        if content is None:
            return
        if not is_sealed(content):
            text = "\n\n".join(plain(one.text, field) for one in item.summary or ())
            self._answered(ReasoningPart(text, Signature(OPENAI, bytes(raw).decode(errors="replace"), REASONING)))
            return
        match part := unsealed(content):
            case None:
                raise invalid_request(f"{field}.encrypted_content", "could not be verified: send it as it came")
            case ToolCallPart(call_id, signature=Signature() as mark):
                self._marks[call_id] = mark
            case TextPart(signature=mark):
                self._sign(mark)
            case _:
                self._answered(part)

    def _sign(self, mark: Signature | None) -> None:
        """Puts a mark on the text before it."""
        parts = self._sides[-1][1] if self._sides and self._sides[-1][0] is Role.ASSISTANT else []
        if parts and isinstance(last := parts[-1], TextPart):
            parts[-1] = msgspec.structs.replace(last, signature=mark)

    def _marked(self, part: Part) -> Part:
        if isinstance(part, ToolCallPart) and (mark := self._marks.get(part.call_id)) is not None:
            return msgspec.structs.replace(part, signature=mark)
        return part

    def _answered(self, part: Part) -> None:
        self._add(Role.ASSISTANT, part)

    def _asked(self, part: Part) -> None:
        self._add(Role.USER, part)

    def _add(self, role: Role, part: Part) -> None:
        if not self._sides or self._sides[-1][0] is not role:
            self._sides.append((role, []))
        self._sides[-1][1].append(part)


def _call(item: Item, field: str) -> ToolCallPart:
    if not item.call_id or not item.name:
        raise invalid_request(field, "must have a call_id and a name")
    if item.type == "custom_tool_call":
        arguments = msgspec.json.encode({"input": plain(item.input or "", f"{field}.input")}).decode()
    else:
        arguments = plain(item.arguments or "", f"{field}.arguments")
    name = function_name(plain(item.name, field), item.namespace and plain(item.namespace, field))
    return ToolCallPart(plain(item.call_id, field), name, arguments)


def _result(item: Item, field: str) -> ToolResultPart:
    if not item.call_id:
        raise invalid_request(f"{field}.call_id", "must name a call")
    return ToolResultPart(
        plain(item.call_id, field), tuple(_found(part, at) for part, at in _contents(item.output, field, "output"))
    )


def _contents(content: str | list[Content] | None, field: str, name: str = "content") -> Iterator[tuple[Content, str]]:
    """Yields the parts of a message or a result, with their fields."""
    if isinstance(content, str):
        yield Content("input_text", content), f"{field}.{name}"
    else:
        yield from ((part, f"{field}.{name}[{n}]") for n, part in enumerate(content or ()))


def _text(part: Content, field: str) -> str:
    text = part.refusal if part.type == "refusal" else part.text
    if part.type not in ("input_text", "output_text", "text", "refusal") or text is None:
        raise invalid_request(field, "must be a text: only the user's messages hold anything else")
    return plain(text, field)


def _shown(part: Content, field: str) -> Part:
    if part.type == "input_audio" and part.input_audio is not None:
        return audio_part(part.input_audio.data, f"{field}.input_audio.data")
    return _found(part, field)


def _found(part: Content, field: str) -> TextPart | ImagePart | DocumentPart:
    """Returns what a user or a tool may show."""
    title = part.filename or ""
    match part.type:
        case "input_text" | "output_text" | "text" if part.text is not None:
            return text_part(part.text, field)
        case "input_image" if part.image_url is not None:
            return image_part(part.image_url, f"{field}.image_url")
        case "input_image" if part.file_id is not None:
            return ImagePart(stored_document(part.file_id, "", f"{field}.file_id").source)
        case "input_file" if (told := part.file_data or part.file_url) is not None:
            return document_part(told, title, f"{field}.{'file_data' if part.file_data else 'file_url'}")
        case "input_file" if part.file_id is not None:
            return stored_document(part.file_id, title, f"{field}.file_id")
        case _:
            told = "must be an input_text, input_image, input_file or input_audio, with the value that its type names"
            raise invalid_request(field, told)


def _citations(annotations: Sequence[Annotation]) -> Iterator[Citation]:
    for one in annotations:
        if one.type == "url_citation" and one.url is not None:
            yield Citation(WebSource(one.url), one.title or "", "", one.start_index, one.end_index)
