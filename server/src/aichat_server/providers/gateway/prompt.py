"""Brings a conversation into a form that every vendor accepts, in whatever order its authors wrote."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import dropwhile, groupby
from typing import NamedTuple, assert_never

from aichat_server.content.parts import Role, text_of
from aichat_server.core.texts import is_blank
from aichat_server.providers.domain.requests import PathMessage, ProviderRequest

NO_ANSWER = "(no answer)"
"""Replaces an answer without visible text: vendors refuse an empty one, and without any the questions would merge."""


class Said(NamedTuple):
    """The consecutive messages of one side."""

    role: Role
    text: str


def said(request: ProviderRequest) -> list[Said]:
    """Returns the conversation in the form of the strictest vendor: the user begins, and the roles alternate.

    No message is only white space, since Anthropic refuses such conversations. Consecutive messages of one role become
    one, since the templates of many open models refuse two.
    """
    begun = dropwhile(lambda message: message.role is not Role.USER, _visible(request.messages))
    runs = groupby(begun, lambda message: message.role)
    return [Said(role, "\n\n".join(message.text for message in run)) for role, run in runs]


def _visible(messages: Iterable[PathMessage]) -> Iterator[Said]:
    for message in messages:
        text = text_of(message.parts)
        if not is_blank(text):
            yield Said(message.role, text)
            continue
        match message.role:
            case Role.ASSISTANT:
                yield Said(message.role, NO_ANSWER)
            case Role.USER:
                """Nothing was said."""
            case _:
                assert_never(message.role)


def system_prompt(request: ProviderRequest) -> str | None:
    """Returns the system prompt; None if it is blank."""
    return None if is_blank(request.system_prompt) else request.system_prompt
