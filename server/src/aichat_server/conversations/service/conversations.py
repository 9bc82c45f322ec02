"""An organisation's conversations: kept, listed, renamed, deleted."""

from __future__ import annotations

from uuid import UUID

from aichat_server.conversations.domain import Conversation, Message
from aichat_server.core.database.database import Database
from aichat_server.core.database.errors import conversation_not_found
from aichat_server.core.ids import new_id
from aichat_server.core.pages import Page, PageKey
from aichat_server.identity.domain.principals import Principal


class Conversations:
    """The conversations of the caller's organisation.

    CONVERSATION_NOT_FOUND is the same for one that does not exist and for another organisation's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, principal: Principal, title: str = "") -> Conversation:
        """Begins a conversation without a message."""
        async with self._database.tenant(principal.org_id, principal.member_id) as tenant:
            return await tenant.conversations.create(new_id(), principal.member_id, title)

    async def get(self, principal: Principal, conversation_id: UUID) -> Conversation:
        """One conversation."""
        async with self._database.tenant(principal.org_id, principal.member_id) as tenant:
            return _found(await tenant.conversations.get(conversation_id), conversation_id)

    async def list(self, principal: Principal, limit: int, after: PageKey | None = None) -> Page[Conversation]:
        """At most `limit` conversations, the one that changed last first, from behind `after` on."""
        async with self._database.tenant(principal.org_id, principal.member_id) as tenant:
            return await tenant.conversations.list(limit, after)

    async def update(self, principal: Principal, conversation_id: UUID, title: str | None) -> Conversation:
        """Changes what is not None."""
        if title is None:
            return await self.get(principal, conversation_id)
        async with self._database.tenant(principal.org_id, principal.member_id) as tenant:
            return _found(await tenant.conversations.set_title(conversation_id, title), conversation_id)

    async def delete(self, principal: Principal, conversation_id: UUID) -> None:
        """Deletes a conversation and its messages for good."""
        async with self._database.tenant(principal.org_id, principal.member_id) as tenant:
            if not await tenant.conversations.delete(conversation_id):
                raise conversation_not_found(conversation_id)

    async def list_messages(
        self, principal: Principal, conversation_id: UUID, limit: int, after: PageKey | None = None
    ) -> Page[Message]:
        """At most `limit` messages of a conversation, all branches, the oldest first, from behind `after` on."""
        async with self._database.tenant(principal.org_id, principal.member_id) as tenant:
            _found(await tenant.conversations.get(conversation_id), conversation_id)
            return await tenant.messages.list(conversation_id, limit, after)


def _found(conversation: Conversation | None, conversation_id: UUID) -> Conversation:
    if conversation is None:
        raise conversation_not_found(conversation_id)
    return conversation
