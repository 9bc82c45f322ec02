"""What a file is, is found in its bytes, whatever they are, and within the bounds of the contract."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress

import pytest
from aichat_server.files.domain.kinds import sniff
from aichat_server.files.domain.sniffing import MOST_FILE_BYTES, MOST_IMAGE_BYTES, NotAFileError, Sniffed
from hypothesis import given, settings
from hypothesis import strategies as some

from tests.unit.files import made


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (made.png(), Sniffed("image/png", 2, 3)),
        (made.png(frames=500), Sniffed("image/png", 2, 3)),
        (made.jpeg(), Sniffed("image/jpeg", 2, 3)),
        (made.gif(frames=3), Sniffed("image/gif", 2, 3)),
        (made.webp(b"VP8 ", b"\x00\x00\x00\x9d\x01\x2a\x02\x00\x03\x00"), Sniffed("image/webp", 2, 3)),
        (made.webp(b"VP8L", b"\x2f" + struct.pack("<I", 1 | 2 << 14)), Sniffed("image/webp", 2, 3)),
        (made.webp_extended(frames=2), Sniffed("image/webp", 2, 3)),
        (made.pdf(3), Sniffed("application/pdf", pages=3)),
        (made.pdf(600, packed=True), Sniffed("application/pdf", pages=600)),
        (made.wav(), Sniffed("audio/wav", seconds=2)),
        (made.mp3(), Sniffed("audio/mpeg", seconds=3)),
        (made.mp3(tagged=True), Sniffed("audio/mpeg", seconds=3)),
        ("naïve ✓".encode(), Sniffed("text/plain")),
        # Whatever is in the middle may be played, too.
        (made.mp3() + bytes(41700) + made.mp3(), Sniffed("audio/mpeg", seconds=8)),
    ],
    ids=lambda value: value.media_type if isinstance(value, Sniffed) else "",
)
def test_each_kind_is_found(data: bytes, found: Sniffed) -> None:
    assert sniff(memoryview(data)) == found


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "is empty"),
        (b"\xff\xfe\x00\x01", "none of these"),
        (b"text with \0", "NUL"),
        ("cut ✓".encode()[:-1], "none of these"),
        (b"x" * (MOST_FILE_BYTES + 1), "20971520 are allowed"),
        (made.png() + bytes(MOST_IMAGE_BYTES), "5242880 are allowed"),
        (made.png()[:20], "cut off"),
        (b"\x89PNG\r\n\x1a\n" + bytes(40), "no header"),
        (made.png(8001, 1), "8001 × 1 pixels"),
        (made.png(7000, 7000), "40000000 in all"),
        (made.png(0, 5), "without pixels"),
        (made.png(frames=501), "more than 500 frames"),
        (made.gif(frames=501), "more than 500 frames"),
        (made.webp_extended(frames=501), "more than 500 frames"),
        (made.gif(30_000, 1), "pixels"),
        (made.jpeg()[:9], "cut off"),
        (b"\xff\xd8\xff\xd8" + b"\xff\xd8" * 300_000, "more than 200000 blocks"),
        (b"GIF89a" + bytes(7) + b"\x21\xfe" + b"\x01a" * 300_000, "more than 200000 blocks"),
        (made.pdf(trailer=b"/Encrypt 9 0 R"), "encrypted"),
        (made.pdf(601), "more than 600 pages"),
        (made.pdf(601, packed=True), "more than 600 pages"),
        (b"%PDF-1.7 nothing", "no pages"),
        (made.pdf() + b"/Type/Page " * 3000, "more than 600 pages"),
        (made.pdf() + b"/Type/Pages" * 6000, "more than 600 pages"),
        (b"%PDF-1.7 /ObjStm stream\n" + zlib.compress(bytes(65 << 20)), "more than 67108864 bytes"),
        (b"%PDF-1.7 " + b"/ObjStm" * 21_000, "more than 67108864 bytes"),
        (made.wav()[:30], "cut off"),
        (b"RIFF1234WAVEdata\x01\x00\x00\x00.", "how fast"),
        (b"ID3\x04\x00\x00\x00\x00\x00\x00 no frame", "no frame"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_models_cannot_be_shown_is_refused(data: bytes, problem: str) -> None:
    with pytest.raises(NotAFileError, match=problem):
        sniff(memoryview(data))


@settings(max_examples=100, deadline=None)
@given(
    some.sampled_from(
        (made.png(), made.jpeg(), made.gif(), made.webp_extended(), made.pdf(2, packed=True), made.mp3(3))
    ),
    some.integers(0, 120),
    some.binary(max_size=12),
    some.integers(0, 400),
)
def test_nothing_else_is_ever_raised(data: bytes, at: int, noise: bytes, end: int) -> None:
    broken = data[:at] + noise + data[at + len(noise) : end]
    with suppress(NotAFileError):
        assert sniff(memoryview(broken)).media_type
