"""The body of a request to a vendor: JSON, in which values may be the bytes of stored files."""

from __future__ import annotations

import base64
from uuid import uuid4

import msgspec

from aichat_server.content.parts import StoredFile
from aichat_server.providers.domain.requests import FileReader


class Base64File:
    """A value of a body: a prefix, and then the file's bytes in base64."""

    # No dataclass: msgspec would encode its fields.
    def __init__(self, file: StoredFile, prefix: str = "") -> None:
        self.file = file
        self.prefix = prefix


class TextFile:
    """A value of a body: the text that is the file's content."""

    def __init__(self, file: StoredFile) -> None:
        self.file = file


async def encoded(body: object, files: FileReader) -> bytes:
    """Returns `body` as JSON, with the content of its files. Raises what FileReader.read raises."""
    values: list[Base64File | TextFile] = []
    place = uuid4().hex

    def marked(value: object) -> str:
        if not isinstance(value, Base64File | TextFile):
            raise TypeError(f"{type(value).__name__} has no form in JSON")
        values.append(value)
        return place

    pieces = msgspec.json.encode(body, enc_hook=marked).split(f'"{place}"'.encode())
    filled = [pieces[0]]
    for value, piece in zip(values, pieces[1:], strict=True):
        content = b"".join([chunk async for chunk in files.read(value.file)])
        text = value.prefix + base64.b64encode(content).decode() if isinstance(value, Base64File) else content.decode()
        filled += [msgspec.json.encode(text), piece]
    return b"".join(filled)
