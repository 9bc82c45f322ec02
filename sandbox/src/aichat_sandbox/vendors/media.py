"""What stand-ins see of images and documents: their kind and their size."""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Callable, Mapping

PDF = "application/pdf"
_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"RIFF": "image/webp",
    b"%PDF-": PDF,
}
_PAGE = re.compile(rb"/Type\s*/Page(?![a-zA-Z])")


def decoded(text: str) -> bytes:
    """Returns the bytes of base64. Raises ValueError if it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"invalid base64: {error}") from None


def kind_of(data: bytes) -> str:
    """Returns the media type of an image or PDF, or "" for other bytes."""
    return next((kind for magic, kind in _MAGIC.items() if data.startswith(magic)), "")


def image_size(data: bytes) -> tuple[int, int]:
    """Returns width and height in pixels. Raises ValueError if it is no image."""
    reader = _SIZES.get(kind_of(data))
    try:
        if reader is None:
            raise ValueError
        return reader(data)
    except (ValueError, IndexError, struct.error):
        raise ValueError("Could not process image") from None


def pages(data: bytes) -> int:
    """Returns the pages of a PDF, at least one. Raises ValueError if it is none."""
    if kind_of(data) != PDF:
        raise ValueError("The PDF specified was not valid.")
    return max(len(_PAGE.findall(data)), 1)


def _png(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _gif(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack("<HH", data[6:10])
    return width, height


def _jpeg(data: bytes) -> tuple[int, int]:
    at = 2
    while at < len(data):
        marker, length = struct.unpack(">HH", data[at : at + 4])
        # The frame's header, of whichever encoding; three other headers have numbers between.
        if 0xFFC0 <= marker <= 0xFFCF and marker not in (0xFFC4, 0xFFC8, 0xFFCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + length
    raise ValueError


def _webp(data: bytes) -> tuple[int, int]:
    match data[12:16]:
        case b"VP8X":
            return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
        case b"VP8L":
            bits = int.from_bytes(data[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            width, height = struct.unpack("<HH", data[26:30])
            return width & 0x3FFF, height & 0x3FFF
    raise ValueError


_SIZES: Mapping[str, Callable[[bytes], tuple[int, int]]] = {
    "image/png": _png,
    "image/jpeg": _jpeg,
    "image/gif": _gif,
    "image/webp": _webp,
}
