"""Reads the size of images from their headers: PNG, JPEG, WebP and GIF."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from aichat_server.files.domain.sniffing import MOST_IMAGE_BYTES, NotAFileError, Sniffed

MOST_PIXELS = 40_000_000
MOST_SIDE = 8000
"""Pixels of a side."""
MOST_FRAMES = 500
"""Of an animation."""

# More blocks than any encoder writes into 5 MiB: what has more only costs time.
_MOST_BLOCKS = 200_000
_PNG = b"\x89PNG\r\n\x1a\n"
# The markers that begin a JPEG's frame; those between them mean something else.
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))


def sniff_image(data: memoryview) -> Sniffed | None:
    """Returns the image's type and size; None if the bytes are no image.

    Raises NotAFileError if they begin as one and are broken, or if it is too large.
    """
    head = bytes(data[:12])
    for begins, media_type, measure in (
        (head.startswith(_PNG), "image/png", _png),
        (head.startswith(b"\xff\xd8\xff"), "image/jpeg", _jpeg),
        (head.startswith(b"RIFF") and head.endswith(b"WEBP"), "image/webp", _webp),
        (head.startswith((b"GIF87a", b"GIF89a")), "image/gif", _gif),
    ):
        if begins:
            if len(data) > MOST_IMAGE_BYTES:
                raise NotAFileError(f"is an image of {len(data)} bytes; {MOST_IMAGE_BYTES} are allowed")
            try:
                width, height, frames = measure(data)
            except (struct.error, IndexError):
                raise NotAFileError(f"begins as {media_type} and is cut off") from None
            return _bounded(Sniffed(media_type, width, height), frames)
    return None


def _bounded(image: Sniffed, frames: int) -> Sniffed:
    width, height = image.width, image.height
    if not width or not height:
        raise NotAFileError("is an image without pixels")
    if max(width, height) > MOST_SIDE or width * height > MOST_PIXELS:
        limits = f"{MOST_SIDE} a side and {MOST_PIXELS} in all are allowed"
        raise NotAFileError(f"is an image of {width} × {height} pixels; {limits}")
    if frames > MOST_FRAMES:
        raise NotAFileError(f"is an animation of more than {MOST_FRAMES} frames")
    return image


def _png(data: memoryview) -> tuple[int, int, int]:
    if bytes(data[12:16]) != b"IHDR":
        raise NotAFileError("begins as image/png and has no header")
    width, height = struct.unpack_from(">II", data, 16)
    at, frames = 8, 1
    for _ in _blocks():
        size, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"acTL":
            frames = struct.unpack_from(">I", data, at + 8)[0]
        if kind == b"IDAT":
            break
        at += size + 12
    return width, height, frames


def _jpeg(data: memoryview) -> tuple[int, int, int]:
    at = 2
    for _ in _blocks():
        if data[at] != 0xFF:
            raise NotAFileError("begins as image/jpeg and is broken")
        kind = data[at + 1]
        if kind in _JPEG_FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height, 1
        if kind == 0xFF:
            at += 1
        elif kind in _JPEG_ALONE:
            at += 2
        else:
            at += 2 + max(2, struct.unpack_from(">H", data, at + 2)[0])
    raise AssertionError("the blocks are counted")


def _webp(data: memoryview) -> tuple[int, int, int]:
    kind = bytes(data[12:16])
    if kind == b"VP8L" and data[20] == 0x2F:
        bits = struct.unpack_from("<I", data, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, 1
    if kind == b"VP8 " and bytes(data[23:26]) == b"\x9d\x01\x2a":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF, 1
    if kind != b"VP8X":
        raise NotAFileError("begins as image/webp and is broken")
    width = int.from_bytes(data[24:27], "little") + 1
    height = int.from_bytes(data[27:30], "little") + 1
    at, frames = 12, 0
    for _ in _blocks():
        if at + 8 > len(data):
            break
        inner, size = struct.unpack_from("<4sI", data, at)
        frames += inner == b"ANMF"
        at += 8 + size + size % 2
    return width, height, max(frames, 1)


def _gif(data: memoryview) -> tuple[int, int, int]:
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    at, frames, blocks = 13 + _colours(flags), 0, _blocks()
    while frames <= MOST_FRAMES and data[at] != 0x3B:
        if data[at] == 0x21:
            at += 2
        elif data[at] == 0x2C:
            left, top, wide, high, flags = struct.unpack_from("<HHHHB", data, at + 1)
            width, height, frames = max(width, left + wide), max(height, top + high), frames + 1
            at += 11 + _colours(flags)
        else:
            raise NotAFileError("begins as image/gif and is broken")
        while data[at]:
            next(blocks)
            at += data[at] + 1
        at += 1
    return width, height, frames


def _colours(flags: int) -> int:
    """Returns the bytes of the table of colours that the flags announce."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _blocks() -> Iterator[None]:
    """Yields as often as an image may have blocks."""
    yield from (None for _ in range(_MOST_BLOCKS))
    raise NotAFileError(f"is an image of more than {_MOST_BLOCKS} blocks")
