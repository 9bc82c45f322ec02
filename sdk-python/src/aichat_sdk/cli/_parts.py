"""Shows the parts of messages on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from aichat_sdk.cli._terminal import Terminal
from aichat_sdk.types import (
    AudioPart,
    Citation,
    DocumentPart,
    ImagePart,
    Message,
    Part,
    ToolResultPart,
    citations,
    message_text,
)


def show_parts(terminal: Terminal, message: Message) -> None:
    """Prints a message: its texts as Markdown, each other part as a line in brackets, and at last its sources."""
    for is_text, group in groupby(message.parts, key=lambda part: part.text is not None):
        parts = list(group)
        if is_text:
            terminal.markdown(message_text(Message(role=message.role, parts=parts)))
        for part in () if is_text else parts:
            terminal.line(described(part))
    show_sources(terminal, message)


def show_sources(terminal: Terminal, message: Message) -> None:
    """Prints each source that an answer cites, once."""
    for number, source in enumerate(dict.fromkeys(map(_source, citations(message))), 1):
        terminal.note(f"[{number}] {source}")


def described(part: Part) -> str:
    """Returns a line about a part that is not text."""
    match part:
        case Part(image=ImagePart() as image):
            return _bracketed("image", image.url, image.media_type, _pixels(image), size_text(image.size_bytes))
        case Part(document=DocumentPart() as document):
            pages = f"{document.pages} pages" if document.pages else ""
            size = size_text(document.size_bytes)
            return _bracketed("document", document.title, document.url, document.media_type, pages, size)
        case Part(audio=AudioPart() as audio):
            return _bracketed("audio", audio.media_type, size_text(audio.size_bytes))
        case Part(tool_result=ToolResultPart() as result):
            return f"[{'error' if result.is_error else 'result'} of {result.call_id}] {' '.join(_of_result(result))}"
    if part.tool_call is not None:
        return f"[call {part.tool_call.call_id}] {part.tool_call.name} {part.tool_call.arguments}"
    if part.reasoning is not None:
        return f"[reasoning] {part.reasoning.text}".rstrip()
    if part.provider_item is not None:
        item = part.provider_item
        return f"[{item.provider} {item.type}] {item.json}".rstrip()
    return "[a part that this version does not know]"


def _of_result(result: ToolResultPart) -> Iterator[str]:
    for part in result.parts:
        if part.text is not None:
            yield part.text.text
        else:
            yield described(Part(image=part.image) if part.image is not None else Part(document=part.document))


def _source(citation: Citation) -> str:
    pages = f"pages {citation.first_page} to {citation.last_page}" if citation.first_page else ""
    place = citation.url or (f"document {citation.document_index}" if citation.document_index is not None else "")
    return " · ".join(filter(None, [citation.title, place, pages]))


def _bracketed(kind: str, *facts: str | None) -> str:
    return f"[{', '.join(filter(None, [kind, *facts]))}]"


def _pixels(image: ImagePart) -> str:
    return f"{image.width} x {image.height}" if image.width else ""


def size_text(size: int) -> str:
    """Returns a number of bytes for people; empty for 0, which is unknown."""
    if size < 10_000:
        return f"{size} bytes" if size else ""
    return f"{size / 1e3:.0f} kB" if size < 10_000_000 else f"{size / 1e6:.0f} MB"
