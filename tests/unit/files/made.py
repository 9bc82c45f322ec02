"""Small files of each kind, made by hand."""

from __future__ import annotations

import struct
import zlib


def png(width: int = 2, height: int = 3, frames: int = 0) -> bytes:
    animation = struct.pack(">I4sII4x", 8, b"acTL", frames, 0) if frames else b""
    head = struct.pack(">I4sIIBBBBB4x", 13, b"IHDR", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes((1 + 3 * width) * height) if width * height < 1000 else b"")
    return b"\x89PNG\r\n\x1a\n" + head + animation + struct.pack(">I4s", len(data), b"IDAT") + data + bytes(4)


def jpeg(width: int = 2, height: int = 3) -> bytes:
    frame = struct.pack(">HHBHHB", 0xFFC2, 11, 8, height, width, 1) + b"\x01\x11\x00"
    return b"\xff\xd8\xff\xe0\x00\x04ab\xff" + frame + b"\xff\xd9"


def gif(width: int = 2, height: int = 3, frames: int = 1) -> bytes:
    frame = (
        b"\x21\xf9\x04\x00\x00\x00\x00\x00\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x01\x00\x00"
    )
    return b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6) + frame * frames + b";"


def webp(kind: bytes, inside: bytes) -> bytes:
    chunk = kind + struct.pack("<I", len(inside)) + inside
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk


def webp_extended(width: int = 2, height: int = 3, frames: int = 1) -> bytes:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return webp(b"VP8X", bytes(4) + sides) + b"ANMF\x00\x00\x00\x00" * frames


def pdf(pages: int = 1, *, packed: bool = False, trailer: bytes = b"") -> bytes:
    """Returns a PDF, whose objects are `packed` into a compressed list as newer ones are."""
    kids = b" ".join(b"%d 0 R" % (number + 3) for number in range(pages))
    outline = b"<</Type/Outlines/Count 9000>>"
    tree = b"<</Resources<<>>/Type/Pages/Kids[%b]/Count %d>>" % (kids, pages)
    leaves = [b"<</Type/Page/Parent 2 0 R>>"] * pages
    if packed:
        data = zlib.compress(b"2 0 3 40 " + outline + tree + outline + b"".join(leaves))
        body = b"1 0 obj<</Type/ObjStm/N 3/Length %d>>\nstream\r\n%b\nendstream endobj\n" % (len(data), data)
    else:
        body = b"".join(b"%d 0 obj%bendobj\n" % (n, made) for n, made in enumerate([tree, *leaves], 2)) + outline
    return b"%PDF-1.7\n" + body + b"trailer<</Root 1 0 R" + trailer + b">>\n%%EOF"


def wav(seconds: float = 1.5) -> bytes:
    size = round(seconds * 16000)
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", size + 36, b"WAVE", b"fmt ", 16, 1, 1, 8000, 16000, 2, 16)
    return head + struct.pack("<4sI", b"data", size) + bytes(size)


def mp3(frames: int = 100, *, tagged: bool = False) -> bytes:
    """Returns frames of MPEG 1 layer III at 128 kbit/s and 44.1 kHz, of 417 bytes and 26 ms each."""
    tag = b"ID3\x04\x00\x00\x00\x00\x01\x00" + bytes(128) if tagged else b""
    return tag + (b"\xff\xfb\x90\x00" + bytes(413)) * frames
