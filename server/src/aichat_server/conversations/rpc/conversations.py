"""ConversationService."""

from __future__ import annotations

from uuid import UUID

from aichat.v1 import conversations_pb2 as pb
from aichat.v1.conversations_pb2_grpc import ConversationServiceServicer, add_ConversationServiceServicer_to_server

from aichat_server.conversations.rpc.messages import conversation_to_proto, message_to_proto
from aichat_server.conversations.service.conversations import Conversations
from aichat_server.identity.service.caller import current_principal
from aichat_server.transport.call import Context
from aichat_server.transport.page_tokens import DEFAULT_PAGE_SIZE, decode_page_token, encode_page_token

_CONVERSATIONS = "conversations"


class ConversationServicer(ConversationServiceServicer):
    """Serves an organisation's conversations to its members."""

    add_to = add_ConversationServiceServicer_to_server

    def __init__(self, conversations: Conversations) -> None:
        self._conversations = conversations

    async def CreateConversation(  # noqa: N802 — the contract names the methods
        self, request: pb.CreateConversationRequest, _context: Context
    ) -> pb.CreateConversationResponse:
        """Creates a conversation."""
        conversation = await self._conversations.create(current_principal(), request.title)
        return pb.CreateConversationResponse(conversation=conversation_to_proto(conversation))

    async def GetConversation(  # noqa: N802
        self, request: pb.GetConversationRequest, _context: Context
    ) -> pb.GetConversationResponse:
        """Gets one conversation."""
        conversation = await self._conversations.get(current_principal(), UUID(request.conversation_id))
        return pb.GetConversationResponse(conversation=conversation_to_proto(conversation))

    async def ListConversations(  # noqa: N802
        self, request: pb.ListConversationsRequest, _context: Context
    ) -> pb.ListConversationsResponse:
        """Lists conversations, the most recently changed first."""
        after = decode_page_token(_CONVERSATIONS, request.page_token)
        size = request.page_size or DEFAULT_PAGE_SIZE
        page = await self._conversations.list(current_principal(), size, after)
        return pb.ListConversationsResponse(
            conversations=[conversation_to_proto(conversation) for conversation in page.items],
            next_page_token=encode_page_token(_CONVERSATIONS, page.next) if page.next else "",
        )

    async def UpdateConversation(  # noqa: N802
        self, request: pb.UpdateConversationRequest, _context: Context
    ) -> pb.UpdateConversationResponse:
        """Changes the fields that are present."""
        title = request.title if request.HasField("title") else None
        conversation = await self._conversations.update(current_principal(), UUID(request.conversation_id), title)
        return pb.UpdateConversationResponse(conversation=conversation_to_proto(conversation))

    async def DeleteConversation(  # noqa: N802
        self, request: pb.DeleteConversationRequest, _context: Context
    ) -> pb.DeleteConversationResponse:
        """Deletes a conversation."""
        await self._conversations.delete(current_principal(), UUID(request.conversation_id))
        return pb.DeleteConversationResponse()

    async def ListMessages(  # noqa: N802
        self, request: pb.ListMessagesRequest, _context: Context
    ) -> pb.ListMessagesResponse:
        """Lists a conversation's messages, the oldest first."""
        conversation_id = UUID(request.conversation_id)
        scope = f"messages of {conversation_id}"
        after = decode_page_token(scope, request.page_token)
        size = request.page_size or DEFAULT_PAGE_SIZE
        page = await self._conversations.list_messages(current_principal(), conversation_id, size, after)
        return pb.ListMessagesResponse(
            messages=[message_to_proto(message, unfold=request.unfold) for message in page.items],
            next_page_token=encode_page_token(scope, page.next) if page.next else "",
        )
