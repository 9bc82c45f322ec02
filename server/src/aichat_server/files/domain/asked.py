"""The files that a request shows: its own bytes, or names of stored ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, assert_never

import msgspec

from aichat_server.content.parts import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Link,
    Part,
    PartKind,
    ProviderItem,
    ReasoningPart,
    StoredFile,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from aichat_server.files.domain.files import file_invalid
from aichat_server.files.domain.kinds import kind_of

ResultPart = TextPart | ImagePart | DocumentPart


class AskedFile(StoredFile, frozen=True):
    """A file as a request shows it, before the server has looked at it: only a named one has its hash."""

    data: bytes | memoryview = b""
    """Its bytes; empty if it is named."""
    field: str = ""
    """Where the request has it."""


class Shown(NamedTuple):
    """A file of a message, and the kind of the part that shows it."""

    kind: PartKind
    file: AskedFile


def asked_files(parts: Iterable[Part]) -> Iterator[Shown]:
    """Yields the files that nobody has looked at yet, those in the results of tools included."""
    for part in parts:
        match part:
            case ImagePart(AskedFile() as file):
                yield Shown(PartKind.IMAGE, file)
            case DocumentPart(AskedFile() as file):
                yield Shown(PartKind.DOCUMENT, file)
            case AudioPart(AskedFile() as file):
                yield Shown(PartKind.AUDIO, file)
            case ToolResultPart(parts=inner):
                yield from asked_files(inner)
            case ImagePart() | DocumentPart() | AudioPart() | TextPart():
                """It shows none, or a known one."""
            case ToolCallPart() | ReasoningPart() | ProviderItem():
                """It shows none."""
            case _:
                assert_never(part)


def check_kind(shown: Shown, media_type: str) -> None:
    """Raises FILE_INVALID if the part is for files of another kind."""
    kind = kind_of(media_type)
    if kind is not shown.kind:
        raise file_invalid(shown.file.field, f"is {media_type}: send it as a part of the kind {kind.value}")


def with_files(parts: Iterable[Part], stored: Callable[[AskedFile], StoredFile]) -> tuple[Part, ...]:
    """Returns the parts with what is known of their files now."""
    return tuple(_with_files(part, stored) for part in parts)


def _with_files(part: Part, stored: Callable[[AskedFile], StoredFile]) -> Part:
    match part:
        case ToolResultPart(parts=inner):
            return msgspec.structs.replace(part, parts=tuple(_shown(one, stored) for one in inner))
        case AudioPart(AskedFile() as file):
            return AudioPart(stored(file))
        case ImagePart() | DocumentPart():
            return _shown(part, stored)
        case AudioPart() | TextPart() | ToolCallPart() | ReasoningPart() | ProviderItem():
            return part
        case _:
            assert_never(part)


def _shown(part: ResultPart, stored: Callable[[AskedFile], StoredFile]) -> ResultPart:
    match part:
        case ImagePart(AskedFile() as file) | DocumentPart(AskedFile() as file):
            return msgspec.structs.replace(part, source=stored(file))
        case ImagePart(StoredFile() | Link()) | DocumentPart(StoredFile() | Link()) | TextPart():
            return part
        case _:
            assert_never(part)
