"""An organisation's conversations: kept, listed, renamed, deleted."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from aichat_server.conversations.domain import Conversation, Message, conversation_not_found
from aichat_server.conversations.storage.conversations import ConversationRepository
from aichat_server.conversations.storage.messages import MessageRepository
from aichat_server.core.database.database import Database
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
        async with self._database.session(principal.org_id, principal.actor) as session:
            return await ConversationRepository(session).create(new_id(), principal.member_id, title)

    async def get(self, principal: Principal, conversation_id: UUID) -> Conversation:
        """One conversation."""
        async with self._database.session(principal.org_id, principal.actor) as session:
            return _found(await ConversationRepository(session).get(conversation_id), conversation_id)

    async def list(self, principal: Principal, limit: int, after: PageKey | None = None) -> Page[Conversation]:
        """At most `limit` conversations, the one that changed last first, from behind `after` on."""
        async with self._database.session(principal.org_id, principal.actor) as session:
            return await ConversationRepository(session).list(limit, after)

    async def update(self, principal: Principal, conversation_id: UUID, title: str | None) -> Conversation:
        """Changes what is not None."""
        if title is None:
            return await self.get(principal, conversation_id)
        async with self._database.session(principal.org_id, principal.actor) as session:
            return _found(await ConversationRepository(session).set_title(conversation_id, title), conversation_id)

    async def delete(self, principal: Principal, conversation_id: UUID) -> None:
        """Deletes a conversation and its messages for good."""
        async with self._database.session(principal.org_id, principal.actor) as session:
            if not await ConversationRepository(session).delete(conversation_id):
                raise conversation_not_found(conversation_id)

    async def list_messages(
        self, principal: Principal, conversation_id: UUID, limit: int, after: PageKey | None = None
    ) -> Page[Message]:
        """At most `limit` messages of a conversation, all branches, the oldest first, from behind `after` on."""
        async with self._database.session(principal.org_id, principal.actor) as session:
            _found(await ConversationRepository(session).get(conversation_id), conversation_id)
            return await MessageRepository(session).list(conversation_id, limit, after)

    async def purge(self, org_id: UUID, before: datetime, limit: int) -> int:
        """Deletes at most `limit` unused conversations that have not changed since `before`; returns their number."""
        async with self._database.session(org_id) as session:
            return await ConversationRepository(session).purge(before, limit)

    async def count_stale(self, org_id: UUID, before: datetime) -> int:
        """Returns the number of unused conversations that have not changed since `before`."""
        async with self._database.session(org_id) as session:
            return await ConversationRepository(session).count_stale(before)


def _found(conversation: Conversation | None, conversation_id: UUID) -> Conversation:
    if conversation is None:
        raise conversation_not_found(conversation_id)
    return conversation
