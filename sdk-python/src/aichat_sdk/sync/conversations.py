"""The conversations stored by the platform. Generated from conversations.py: do not edit."""

from __future__ import annotations

from aichat_sdk._portal import Portal
from aichat_sdk.conversations import Conversations as AsyncConversations
from aichat_sdk.sync.paging import Pager
from aichat_sdk.types import Conversation, Message

__all__ = ["Conversations"]


class Conversations:
    """`client.conversations`. Every method raises NotFoundError if the organisation has no such conversation."""

    def __init__(self, inner: AsyncConversations, portal: Portal) -> None:
        self._inner = inner
        self._portal = portal

    def create(self, *, title: str = "", timeout: float | None = None) -> Conversation:
        """Creates a conversation without a message; if the title is empty, the first message gives it one."""
        return self._portal.run(self._inner.create(title=title, timeout=timeout))

    def get(self, conversation_id: str, *, timeout: float | None = None) -> Conversation:
        """Returns one conversation."""
        return self._portal.run(self._inner.get(conversation_id, timeout=timeout))

    def list(self, *, page_size: int = 0, page_token: str = "", timeout: float | None = None) -> Pager[Conversation]:
        """Lists the organisation's conversations, the most recently changed first.

        Page size 0 is the server's default.
        """
        return Pager(self._inner.list(page_size=page_size, page_token=page_token, timeout=timeout), self._portal)

    def update(self, conversation_id: str, *, title: str | None, timeout: float | None = None) -> Conversation:
        """Changes a conversation's title; None leaves it unchanged."""
        return self._portal.run(self._inner.update(conversation_id, title=title, timeout=timeout))

    def delete(self, conversation_id: str, *, timeout: float | None = None) -> None:
        """Deletes a conversation and its messages for good."""
        self._portal.run(self._inner.delete(conversation_id, timeout=timeout))

    def list_messages(
        self,
        conversation_id: str,
        *,
        unfold: bool = False,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> Pager[Message]:
        """Lists a conversation's messages, all branches, the oldest first; page size 0 is the server's default.

        `unfold`: with the texts of reasoning, and with what only the model's vendor understands.
        """
        return Pager(
            self._inner.list_messages(
                conversation_id, unfold=unfold, page_size=page_size, page_token=page_token, timeout=timeout
            ),
            self._portal,
        )
