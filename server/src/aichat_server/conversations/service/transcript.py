"""A conversation as one text, for a model that summarises it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

from aichat_server.content.parts import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Part,
    ProviderItem,
    ReasoningPart,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from aichat_server.providers.domain.requests import PathMessage

_AUTHORS = {Role.USER: "User", Role.ASSISTANT: "Assistant"}


def transcript(messages: Iterable[PathMessage]) -> str:
    """Returns all that was said, called and returned. Media are named, and reasoning is left out."""
    return "\n\n".join(_message(message) for message in messages)


def _message(message: PathMessage) -> str:
    return "\n".join((f"{_AUTHORS[message.role]}:", *_lines(message.parts)))


def _lines(parts: Iterable[Part]) -> Iterator[str]:  # noqa: C901 — one case for each kind
    for part in parts:
        match part:
            case TextPart(text):
                yield text
            case ToolCallPart(name=name, arguments=arguments):
                yield f"[calls {name} with {arguments}]"
            case ToolResultPart(parts=inner):
                yield "[result:"
                yield from _lines(inner)
                yield "]"
            case ImagePart():
                yield "[image]"
            case DocumentPart(title=title):
                yield f"[document {title}]"
            case AudioPart():
                yield "[audio]"
            case ReasoningPart() | ProviderItem():
                """Not said."""
            case _:
                assert_never(part)
