"""What a message shows to a model besides text: images, documents, audio, and the results of tools."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from errno import EISDIR
from pathlib import Path
from typing import ClassVar, Self

from aichat_sdk._proto.aichat.v1 import Part

__all__ = ["Audio", "Content", "Document", "Image", "ResultContent", "ToolResult"]


@dataclass(frozen=True, slots=True)
class Link:
    """An address on the web, which the model's vendor reads."""

    url: str


@dataclass(frozen=True, slots=True)
class FileId:
    """A file that the platform stores."""

    file_id: str


Source = Path | bytes | Link | FileId


@dataclass(frozen=True, slots=True)
class _Media:
    """Bytes of one kind, and where they are."""

    most_bytes: ClassVar[int] = 20 << 20
    source: Source = field(repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.source, Source):
            raise TypeError(f"use {type(self).__name__}.from_path, from_bytes or from_file_id to make it")

    @classmethod
    def _checked_path(cls, path: str | os.PathLike[str]) -> Path:
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"path must be str or a path, not {type(path).__name__}")
        checked = Path(path)
        found = checked.stat()
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR), str(checked))
        if not stat.S_ISREG(found.st_mode):
            raise ValueError(f"{checked} is not a regular file")
        checked.open("rb").close()
        cls._check_size(found.st_size, str(checked))
        return checked

    @classmethod
    def _checked_bytes(cls, data: bytes) -> bytes:
        if not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"data must be bytes, not {type(data).__name__}")
        copied = bytes(data)
        cls._check_size(len(copied), "data")
        return copied

    @classmethod
    def _check_size(cls, size: int, name: str) -> None:
        if size == 0:
            raise ValueError(f"{name} is empty")
        if size > cls.most_bytes:
            raise ValueError(f"{name} has {size} bytes; {cls.__name__} takes at most {cls.most_bytes}")

    @staticmethod
    def _checked_url(url: object) -> Link:
        if not isinstance(url, str) or not url.startswith("https://"):
            raise ValueError(f"the address must begin with https://, not {url!r}")
        return Link(url)


@dataclass(frozen=True, slots=True)
class Image(_Media):
    """A picture: PNG, JPEG, WebP or GIF, of at most 5 MiB."""

    most_bytes: ClassVar[int] = 5 << 20

    @classmethod
    def from_path(cls, path: str | os.PathLike[str]) -> Self:
        """Takes a file, which is read when the message is sent; OSError or ValueError if it cannot be sent."""
        return cls(cls._checked_path(path))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Takes the bytes of a file; raises ValueError if they are none, or too many."""
        return cls(cls._checked_bytes(data))

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Takes a public https address, which the model's vendor reads."""
        return cls(cls._checked_url(url))

    @classmethod
    def from_file_id(cls, file_id: str) -> Self:
        """Takes a file that `client.files.upload` stored."""
        return cls(FileId(file_id))


@dataclass(frozen=True, slots=True)
class Document(_Media):
    """A PDF, or text in UTF-8, of at most 20 MiB."""

    title: str = ""
    """The name that the model sees; empty: none."""

    @classmethod
    def from_path(cls, path: str | os.PathLike[str], *, title: str | None = None) -> Self:
        """Takes a file, which is read when the message is sent; OSError or ValueError if it cannot be sent.

        Without a title, the file's name is the title.
        """
        checked = cls._checked_path(path)
        name = os.fsencode(checked.name).decode(errors="replace")
        return cls(checked, name if title is None else title)

    @classmethod
    def from_bytes(cls, data: bytes, *, title: str = "") -> Self:
        """Takes the bytes of a file; raises ValueError if they are none, or too many."""
        return cls(cls._checked_bytes(data), title)

    @classmethod
    def from_url(cls, url: str, *, title: str = "") -> Self:
        """Takes the public https address of a PDF, which the model's vendor reads."""
        return cls(cls._checked_url(url), title)

    @classmethod
    def from_file_id(cls, file_id: str, *, title: str = "") -> Self:
        """Takes a file that `client.files.upload` stored."""
        return cls(FileId(file_id), title)


@dataclass(frozen=True, slots=True)
class Audio(_Media):
    """Recorded sound: WAV or MP3, of at most 20 MiB."""

    @classmethod
    def from_path(cls, path: str | os.PathLike[str]) -> Self:
        """Takes a file, which is read when the message is sent; OSError or ValueError if it cannot be sent."""
        return cls(cls._checked_path(path))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Takes the bytes of a file; raises ValueError if they are none, or too many."""
        return cls(cls._checked_bytes(data))

    @classmethod
    def from_file_id(cls, file_id: str) -> Self:
        """Takes a file that `client.files.upload` stored."""
        return cls(FileId(file_id))


ResultContent = str | Image | Document | Sequence[str | Image | Document] | None
"""What a tool returned; None: nothing."""


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The result of a tool call, which goes into the message after the answer that made the call."""

    call_id: str
    """The call's id."""
    content: ResultContent = None
    """The result; if the call failed, what went wrong."""
    is_error: bool = False
    """Whether the call failed."""


Content = str | Image | Document | Audio | ToolResult | Part
"""One part of a message; a string is text."""
