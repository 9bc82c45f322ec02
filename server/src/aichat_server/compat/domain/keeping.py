"""What is kept of a call, where its caller asks for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from aichat_server.content.parts import Role
from aichat_server.core.errors import invalid_request
from aichat_server.core.ids import new_id
from aichat_server.providers.domain.requests import PathMessage

CONVERSATION = "x-aichat-conversation"
"""The header that names the conversation: of a request, and of its response."""
NEW = "new"


@dataclass(frozen=True, slots=True)
class Keep:
    """Where the turn of a call is kept."""

    conversation_id: UUID | None = None
    """None: in a new conversation."""
    parent_message_id: UUID | None = None
    """The message that it follows. None: the conversation's last one."""
    added: int | None = None
    """How many of the messages are new. None: all in a new conversation, and those behind the last answer in others."""
    response: Mapping[str, object] | None = None
    """What is kept to tell the answer as a response; None if it is none."""
    background: bool = False
    """Whether nobody waits for the answer."""
    generation_id: UUID = field(default_factory=new_id)
    """The one that answers."""

    def new_messages(self, messages: Sequence[PathMessage]) -> int:
        """Returns how many of the messages are to be stored. Raises REQUEST_INVALID if that makes no turn."""
        if not messages or messages[-1].role is not Role.USER:
            raise invalid_request("", "must end with a message of the user, or tool results, to be kept")
        if self.added is not None:
            return self.added
        if self.conversation_id is None:
            return len(messages)
        roles = [message.role for message in reversed(messages)]
        return roles.index(Role.ASSISTANT) if Role.ASSISTANT in roles else len(messages)


def keep_of(header: str | None, *, store: bool = False) -> Keep | None:
    """Returns what a call keeps: nothing, unless it wants to be stored, or names a conversation.

    Raises REQUEST_INVALID.
    """
    if header is None:
        return Keep() if store else None
    if header == NEW:
        return Keep()
    try:
        return Keep(UUID(header))
    except ValueError:
        raise invalid_request(CONVERSATION, f"must be {NEW!r} or the id of a conversation") from None
