"""The conversations stored by the platform."""

from __future__ import annotations

from typing import TypeVar

from aichat_sdk import _methods as methods
from aichat_sdk._proto.aichat import v1
from aichat_sdk._transport import Transport
from aichat_sdk.errors import ServerError
from aichat_sdk.paging import Page, Pager
from aichat_sdk.types import Conversation, Message

__all__ = ["Conversations"]

ValueT = TypeVar("ValueT")


class Conversations:
    """`client.conversations`. Every method raises NotFoundError if the organisation has no such conversation."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(self, *, title: str = "", timeout: float | None = None) -> Conversation:
        """Creates a conversation without a message; if the title is empty, the first message gives it one."""
        request = v1.CreateConversationRequest(title=title)
        response = await self._transport.call(methods.CREATE_CONVERSATION, request, timeout=timeout)
        return _present(response.conversation)

    async def get(self, conversation_id: str, *, timeout: float | None = None) -> Conversation:
        """Returns one conversation."""
        request = v1.GetConversationRequest(conversation_id=conversation_id)
        response = await self._transport.call(methods.GET_CONVERSATION, request, timeout=timeout)
        return _present(response.conversation)

    def list(self, *, page_size: int = 0, page_token: str = "", timeout: float | None = None) -> Pager[Conversation]:
        """Lists the organisation's conversations, the most recently changed first.

        Page size 0 is the server's default.
        """

        async def fetch(token: str) -> Page[Conversation]:
            request = v1.ListConversationsRequest(page_size=page_size, page_token=token)
            response = await self._transport.call(methods.LIST_CONVERSATIONS, request, timeout=timeout)
            return Page(response.conversations, response.next_page_token)

        return Pager(fetch, page_token)

    async def update(self, conversation_id: str, *, title: str | None, timeout: float | None = None) -> Conversation:
        """Changes a conversation's title; None leaves it unchanged."""
        request = v1.UpdateConversationRequest(conversation_id=conversation_id, title=title)
        response = await self._transport.call(methods.UPDATE_CONVERSATION, request, timeout=timeout)
        return _present(response.conversation)

    async def delete(self, conversation_id: str, *, timeout: float | None = None) -> None:
        """Deletes a conversation and its messages for good."""
        request = v1.DeleteConversationRequest(conversation_id=conversation_id)
        await self._transport.call(methods.DELETE_CONVERSATION, request, timeout=timeout)

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

        async def fetch(token: str) -> Page[Message]:
            request = v1.ListMessagesRequest(
                conversation_id=conversation_id, page_size=page_size, page_token=token, unfold=unfold
            )
            response = await self._transport.call(methods.LIST_MESSAGES, request, timeout=timeout)
            return Page(response.messages, response.next_page_token)

        return Pager(fetch, page_token)


def _present(value: ValueT | None) -> ValueT:
    if value is None:
        raise ServerError("the server left out the conversation")
    return value
