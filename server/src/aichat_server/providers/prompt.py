"""What a model is shown of a conversation, in the form that every vendor takes, whoever wrote what in it."""

from __future__ import annotations

from itertools import dropwhile, groupby
from typing import NamedTuple

from aichat_server.domain.chat import ProviderRequest
from aichat_server.domain.conversations import Role, text_of
from aichat_server.domain.texts import is_blank


class Said(NamedTuple):
    """What one side says before the other does."""

    role: Role
    text: str


def said(request: ProviderRequest) -> list[Said]:
    """The conversation as the strictest of the vendors wants it: the user begins, and the roles take turns.

    Messages of white space alone are left out, since Anthropic refuses a conversation that holds one. Those that then
    follow each other in one role become one, since the templates of many open models refuse two.
    """
    messages = (Said(message.role, text_of(message.parts)) for message in request.messages)
    seen = (message for message in messages if not is_blank(message.text))
    begun = dropwhile(lambda message: message.role is not Role.USER, seen)
    runs = groupby(begun, lambda message: message.role)
    return [Said(role, "\n\n".join(message.text for message in run)) for role, run in runs]


def system_prompt(request: ProviderRequest) -> str | None:
    """The system prompt; None where it says nothing."""
    return None if is_blank(request.system_prompt) else request.system_prompt
