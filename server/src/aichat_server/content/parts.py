"""The parts of messages. Each is stored in this form, with its type, as JSON: fields are only added, with defaults."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import assert_never

import msgspec


class Role(StrEnum):
    """Who wrote a message."""

    USER = "user"
    ASSISTANT = "assistant"


class PartKind(StrEnum):
    """The kinds of parts that a model may be able to read."""

    TEXT = "text"
    IMAGE = "image"
    DOCUMENT = "document"
    AUDIO = "audio"


class Signature(msgspec.Struct, frozen=True, omit_defaults=True):
    """A vendor's mark on its own part. It is kept byte for byte, and returned to this vendor alone.

    Without it, a vendor does not accept its own reasoning or tool calls in the next turn.
    """

    provider: str
    """The vendor that made it, by its name in the catalogue."""
    data: str
    """The mark as the vendor's JSON has it: a string, or a whole item as JSON."""
    kind: str = ""
    """What it is, in the vendor's own words; empty where the vendor has one kind alone."""


class WebSource(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="web"):
    """A page on the web."""

    url: str


class DocumentSource(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="document"):
    """One of the documents that the model was shown."""

    index: int
    """Counted from 0 through all documents of the conversation."""
    first_page: int = 0
    """From 1; 0 if unknown, as the last page."""
    last_page: int = 0


class Citation(msgspec.Struct, frozen=True, omit_defaults=True):
    """Names what a passage of a text is taken from."""

    source: WebSource | DocumentSource
    title: str = ""
    quote: str = ""
    """What the source says, word for word; empty if it is not quoted."""
    start: int = 0
    """Where the cited passage begins in the text of its part, in code points."""
    end: int = 0
    """The first code point behind it; 0 if the whole part is cited."""
    signature: Signature | None = None
    """What the vendor needs to recognise its own citation."""


class TextPart(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="text"):
    """A piece of text."""

    text: str
    citations: tuple[Citation, ...] = ()
    signature: Signature | None = None


class StoredFile(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="file"):
    """Bytes that an organisation has stored, and what was found in them."""

    sha256: str
    """Their hash in hexadecimal, which names them."""
    media_type: str
    size: int
    """In bytes."""
    width: int = 0
    """In pixels; 0 if it is no image, as the height."""
    height: int = 0
    pages: int = 0
    """Of a PDF; 0 for other kinds."""
    seconds: int = 0
    """Of audio, rounded up; 0 for other kinds."""


class Link(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="url"):
    """A public https address. The vendor reads it; this server never does."""

    url: str


class ImagePart(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="image"):
    """A picture."""

    source: StoredFile | Link


class DocumentPart(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="document"):
    """A document: PDF or text."""

    source: StoredFile | Link
    title: str = ""


class AudioPart(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="audio"):
    """Recorded sound."""

    source: StoredFile


class ToolCallPart(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="tool_call"):
    """A model calls a tool."""

    call_id: str
    """Unique within its answer. It is the vendor's, or ours where the vendor gives none."""
    name: str
    arguments: str
    """JSON text as the model wrote it, which need not be JSON."""
    signature: Signature | None = None


class ToolResultPart(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="tool_result"):
    """The result of a tool call."""

    call_id: str
    parts: tuple[TextPart | ImagePart | DocumentPart, ...] = ()
    is_error: bool = False


class ReasoningPart(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="reasoning"):
    """A model's reasoning."""

    text: str
    """What the vendor shows of it; may be empty."""
    signature: Signature | None = None


class ProviderItem(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag="provider_item"):
    """What only its vendor understands, such as a search and its results. It is returned to this vendor alone."""

    provider: str
    kind: str
    """The vendor's own name of it."""
    json: str
    """The item as the vendor wrote it."""


Part = TextPart | ImagePart | DocumentPart | AudioPart | ToolCallPart | ToolResultPart | ReasoningPart | ProviderItem
"""One piece of a message's content."""


def files_of(parts: Iterable[Part]) -> Iterator[StoredFile]:
    """Yields the files that the parts of a message show, those in the results of tools included."""
    for part in parts:
        match part:
            case ImagePart(StoredFile() as file) | DocumentPart(StoredFile() as file) | AudioPart(file):
                yield file
            case ToolResultPart(parts=inner):
                yield from files_of(inner)
            case ImagePart() | DocumentPart() | TextPart() | ToolCallPart() | ReasoningPart() | ProviderItem():
                """It shows none."""
            case _:
                assert_never(part)


_BETWEEN = {Role.USER: "\n\n", Role.ASSISTANT: ""}
"""What stands between two texts of one message: a model's may be cut anywhere, by a search for example."""


def text_of(parts: Iterable[Part], role: Role = Role.USER) -> str:
    """Returns the text of all text parts of a message, in order."""
    return _BETWEEN[role].join(part.text for part in parts if isinstance(part, TextPart))
