"""Reads the length of audio from its headers: WAV and MP3."""

from __future__ import annotations

import math
import struct

from aichat_server.files.domain.sniffing import NotAFileError, Sniffed

_ID3_HEAD = 10
_FRAME_HEAD = 4
# In kbit/s by the header's index, for MPEG 1 and for MPEG 2 and 2.5; layer III.
_RATES = (
    (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
)
_SAMPLES_A_SECOND = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_MPEG_1 = 3
_LAYER_3 = 1


def sniff_audio(data: memoryview) -> Sniffed | None:
    """Returns the type and length of a recording; None if the bytes are none.

    Raises NotAFileError if they begin as one and are broken.
    """
    head = bytes(data[:12])
    if head.startswith(b"RIFF") and head.endswith(b"WAVE"):
        try:
            seconds = _wav_seconds(data)
        except struct.error:
            raise NotAFileError("begins as audio/wav and is cut off") from None
        return Sniffed("audio/wav", seconds=math.ceil(seconds))
    start = _behind_id3(data)
    if start is None:
        start = 0
    elif _frame(data, start) is None:
        raise NotAFileError("begins as audio/mpeg and has no frame of MPEG layer III")
    seconds = _mp3_seconds(data, start)
    return Sniffed("audio/mpeg", seconds=math.ceil(seconds)) if seconds else None


def _wav_seconds(data: memoryview) -> float:
    at, size, bytes_a_second = 12, 0, 0
    while True:
        kind, size = struct.unpack_from("<4sI", data, at)
        if kind == b"fmt ":
            bytes_a_second = struct.unpack_from("<I", data, at + 16)[0]
        if kind == b"data":
            break
        at += 8 + size + size % 2
    if not bytes_a_second:
        raise NotAFileError("begins as audio/wav and does not say how fast it plays")
    # A recorder that streams does not know the size yet when it writes it.
    return float(min(size, len(data) - at - 8) / bytes_a_second)


def _behind_id3(data: memoryview) -> int | None:
    """Returns where the tag before an MP3 ends; None if there is none."""
    if bytes(data[:3]) != b"ID3" or len(data) < _ID3_HEAD:
        return None
    size = 0
    for byte in data[6:_ID3_HEAD]:
        size = size << 7 | byte & 0x7F
    return _ID3_HEAD + size


def _mp3_seconds(data: memoryview, start: int) -> float:
    """Returns the length of all frames; 0 unless there are two in a row, since any two bytes may look like one."""
    at, frames, seconds = start, 0, 0.0
    while (found := _frame(data, at)) is not None:
        at, frames, seconds = at + found[0], frames + 1, seconds + found[1]
    if frames < 2:
        return 0.0
    # What follows counts as if it went on like that: a player may find frames in it.
    return seconds * (len(data) - start) / (at - start) if at < len(data) else seconds


def _frame(data: memoryview, at: int) -> tuple[int, float] | None:
    """Returns the bytes and seconds of the frame of MPEG layer III there; None if there is none."""
    head = data[at : at + _FRAME_HEAD]
    if len(head) < _FRAME_HEAD or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    rate, frequency, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version not in _SAMPLES_A_SECOND or layer != _LAYER_3 or rate in (0, 15) or frequency == 3:
        return None
    samples = 1152 if version == _MPEG_1 else 576
    hertz = _SAMPLES_A_SECOND[version][frequency]
    kilobits = _RATES[version != _MPEG_1][rate]
    return samples // 8 * kilobits * 1000 // hertz + padding, samples / hertz
