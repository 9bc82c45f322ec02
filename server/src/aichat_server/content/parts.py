"""The parts of messages."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """Who wrote a message."""

    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class TextPart:
    """A piece of text."""

    text: str


Part = TextPart
"""One piece of a message's content; other kinds will follow."""


def text_of(parts: tuple[Part, ...]) -> str:
    """Returns the text of all parts, in order."""
    return "\n\n".join(part.text for part in parts)
