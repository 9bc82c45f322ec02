"""Finds in a file's bytes what it is. Nothing is decoded, and no caller's media type is believed."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

MIB = 1024 * 1024
MOST_IMAGE_BYTES = 5 * MIB
MOST_FILE_BYTES = 20 * MIB
"""For documents and audio, and so for any file."""

_TEXT_PIECE = 65536


class NotAFileError(ValueError):
    """The bytes are no file that a model can be shown; the message says why, and follows the file's name."""


@dataclass(frozen=True, slots=True)
class Sniffed:
    """What a file is. The numbers are 0 for kinds that have none."""

    media_type: str
    width: int = 0
    """In pixels, as the height."""
    height: int = 0
    pages: int = 0
    seconds: int = 0
    """Rounded up."""


def check_text(data: memoryview) -> Sniffed:
    """Returns text in UTF-8. Raises NotAFileError for anything else."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    kinds = "PNG, JPEG, WebP, GIF, PDF, WAV, MP3 or text in UTF-8"
    for start in range(0, len(data), _TEXT_PIECE):
        piece = data[start : start + _TEXT_PIECE]
        try:
            text = decoder.decode(piece, final=start + _TEXT_PIECE >= len(data))
        except UnicodeDecodeError:
            raise NotAFileError(f"is none of these: {kinds}") from None
        if "\0" in text:
            raise NotAFileError(f"has a NUL character, and is none of these: {kinds}")
    return Sniffed("text/plain")
