"""What both of OpenAI's APIs send inside messages: texts, and files as data URIs, base64 or links."""

from __future__ import annotations

import binascii
import re

from aichat_server.content.parts import AudioPart, DocumentPart, ImagePart, Link, TextPart
from aichat_server.core.errors import invalid_request
from aichat_server.files.domain.asked import AskedFile
from aichat_server.files.domain.links import public_link

_DATA_URI = re.compile(r"data:[^,;]*(?:;[^,;]+)*;base64,", re.IGNORECASE)
_LONGEST_URI_HEAD = 256
_FILE_ID = re.compile(r"[0-9a-f]{64}")


def text_part(text: str, field: str) -> TextPart:
    """Returns a text. Raises REQUEST_INVALID with the field."""
    return TextPart(plain(text, field))


def plain(text: str, field: str) -> str:
    """Returns the text. Raises REQUEST_INVALID with the field if it has a NUL character, which nothing can store."""
    if "\0" in text:
        raise invalid_request(field, "must not hold a NUL character")
    return text


def image_part(url: str, field: str) -> ImagePart:
    """Returns an image from its data URI or public address. Raises REQUEST_INVALID with the field."""
    return ImagePart(_source(url, field))


def document_part(data: str, title: str, field: str) -> DocumentPart:
    """Returns a document from its data URI, its base64 or its public address. Raises REQUEST_INVALID with the field."""
    is_base64 = not data.startswith(("data:", "https:", "http:"))
    return DocumentPart(_file(data, field) if is_base64 else _source(data, field), plain(title, field))


def stored_document(file_id: str, title: str, field: str) -> DocumentPart:
    """Returns a document that FileService stores. Raises REQUEST_INVALID with the field."""
    if not _FILE_ID.fullmatch(file_id):
        raise invalid_request(field, "must be an id of FileService, which has 64 hexadecimal digits: upload the file")
    return DocumentPart(AskedFile(file_id, "", 0, field=field), plain(title, field))


def audio_part(data: str, field: str) -> AudioPart:
    """Returns recorded sound from its base64. Raises REQUEST_INVALID with the field."""
    return AudioPart(_file(data, field))


def _source(url: str, field: str) -> AskedFile | Link:
    if url[:5].lower() != "data:":
        return public_link(field, url)
    head = _DATA_URI.match(url, 0, _LONGEST_URI_HEAD)
    if head is None:
        raise invalid_request(field, 'must be a data URI with base64, such as "data:image/png;base64,…"')
    return _file(url[head.end() :], field)


def _file(data: str, field: str) -> AskedFile:
    try:
        return AskedFile("", "", 0, data=binascii.a2b_base64(data, strict_mode=True), field=field)
    except ValueError:
        raise invalid_request(field, "must have its bytes in base64") from None
