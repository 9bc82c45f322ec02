"""What a request asks, in the platform's own terms."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

import msgspec

from aichat_server.compat.domain.anthropic.blocks import Reader
from aichat_server.compat.domain.anthropic.marks import ANTHROPIC
from aichat_server.compat.domain.anthropic.options import options_of
from aichat_server.compat.domain.anthropic.requests import Content, CountRequest, Said, decode
from aichat_server.compat.domain.anthropic.versions import Version
from aichat_server.compat.domain.asked import Asked
from aichat_server.content.parts import Role, TextPart, ToolCallPart, ToolResultPart
from aichat_server.core.errors import invalid_request
from aichat_server.core.texts import is_blank
from aichat_server.models.domain.models import Model
from aichat_server.providers.domain.requests import PathMessage

_SYSTEM = "system"
_REMINDER = "<system-reminder>\n{}\n</system-reminder>"
"""How a system message is told in the midst of a conversation, where only Anthropic takes one."""


class _Text(msgspec.Struct):
    text: str
    type: str = "text"


_TEXTS = msgspec.json.Decoder(_Text)


def asked_of(request: CountRequest, model: Model, version: Version) -> Asked:
    """Returns what `model` is asked. Raises REQUEST_INVALID with the field of what cannot be carried, and nothing is
    left out silently.
    """
    # Those at the beginning belong to the system prompt. A later one stays where it is: what comes before it must not
    # change, since vendors find what they have cached by its beginning.
    first = next((n for n, message in enumerate(request.messages) if message.role != _SYSTEM), len(request.messages))
    system = list(_texts(request.system, _SYSTEM)) if request.system is not None else []
    for n, message in enumerate(request.messages[:first]):
        system += _texts(message.content, f"messages.{n}.content")
    options = options_of(request, "\n\n".join(system), model, version)
    reader = Reader(version, cites=model.provider == ANTHROPIC)
    messages = [(n, _message(request.messages[n], n, reader)) for n in range(first, len(request.messages))]
    _check_turns(messages)
    return Asked(request.model, tuple(message for _, message in messages), options)


def _message(said: Said, n: int, reader: Reader) -> PathMessage:
    place = f"messages.{n}"
    if said.role == _SYSTEM:
        texts = _texts(said.content, f"{place}.content")
        return PathMessage(Role.USER, tuple(TextPart(_REMINDER.format(text)) for text in texts))
    role = _role(said, place)
    parts = reader.parts(role, said.content, f"{place}.content")
    if role is Role.USER and all(isinstance(part, TextPart) and is_blank(part.text) for part in parts):
        raise invalid_request(f"{place}.content", "must not be empty or white space")
    return PathMessage(role, parts)


def _texts(content: Content, place: str) -> Iterable[str]:
    if isinstance(content, str):
        return [content] if content else []
    told = [decode(raw, _TEXTS, f"{place}.{n}") for n, raw in enumerate(content)]
    for n, block in enumerate(told):
        if block.type != "text":
            raise invalid_request(f"{place}.{n}.type", "must be text")
    return [block.text for block in told if block.text]


def _role(message: Said, place: str) -> Role:
    try:
        return Role(message.role)
    except ValueError:
        raise invalid_request(f"{place}.role", "must be user, assistant or system") from None


def _check_turns(messages: list[tuple[int, PathMessage]]) -> None:
    """Raises REQUEST_INVALID for turns out of order: no model would be shown all of them."""
    if not messages:
        raise invalid_request("messages", "at least one message is required")
    if messages[0][1].role is not Role.USER:
        raise invalid_request("messages.0.role", "the first message must use the user role")
    if messages[-1][1].role is not Role.USER:
        problem = "the conversation must end with a user message: this model does not continue an answer"
        raise invalid_request("messages", problem)
    _check_calls(messages)


def _check_calls(messages: list[tuple[int, PathMessage]]) -> None:
    """Raises REQUEST_INVALID unless each tool call has one result in the user's next words, and each result a call."""
    called: set[str] = set()
    for role, side in groupby(messages, lambda numbered: numbered[1].role):
        parts = [(n, part) for n, message in side for part in message.parts]
        if role is Role.ASSISTANT:
            called = {part.call_id for _, part in parts if isinstance(part, ToolCallPart)}
            continue
        for n, part in parts:
            if isinstance(part, ToolResultPart) and part.call_id not in called:
                problem = f"has a `tool_result` without a `tool_use` of the id {part.call_id} before it"
                raise invalid_request(f"messages.{n}.content", problem)
        called -= {part.call_id for _, part in parts if isinstance(part, ToolResultPart)}
        if called:
            ids = ", ".join(sorted(called))
            problem = f"`tool_use` ids were found without `tool_result` blocks immediately after: {ids}"
            raise invalid_request(f"messages.{parts[0][0]}.content", problem)
