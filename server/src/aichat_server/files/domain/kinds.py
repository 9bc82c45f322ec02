"""Which kinds of files there are."""

from __future__ import annotations

from aichat_server.content.parts import PartKind
from aichat_server.files.domain.audio import sniff_audio
from aichat_server.files.domain.images import sniff_image
from aichat_server.files.domain.pdf import sniff_pdf
from aichat_server.files.domain.sniffing import MOST_FILE_BYTES, NotAFileError, Sniffed, check_text


def sniff(data: memoryview) -> Sniffed:
    """Returns what the bytes are; raises NotAFileError if they are no file that a model can be shown.

    Takes up to a second for a hostile file: call it in a thread.
    """
    if not data:
        raise NotAFileError("is empty")
    if len(data) > MOST_FILE_BYTES:
        raise NotAFileError(f"has {len(data)} bytes; {MOST_FILE_BYTES} are allowed")
    return sniff_image(data) or sniff_pdf(data) or sniff_audio(data) or check_text(data)


def kind_of(media_type: str) -> PartKind:
    """Returns the kind of the parts that show a file of this type."""
    begins = media_type.partition("/")[0]
    return {"image": PartKind.IMAGE, "audio": PartKind.AUDIO}.get(begins, PartKind.DOCUMENT)
