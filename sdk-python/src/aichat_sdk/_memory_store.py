"""What a platform in memory keeps: answers, conversations and files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import betterproto2

from aichat_sdk._memory_answers import Failure, Generation, Piece
from aichat_sdk._proto.aichat import v1
from aichat_sdk.errors import NotFoundError


class Store:
    """The stored things, by their ids."""

    def __init__(self) -> None:
        self.scripted: list[Sequence[Piece] | Failure] = []
        self._generations: dict[str, Generation] = {}
        self._by_request: dict[str, Generation] = {}
        self._conversations: dict[str, v1.Conversation] = {}
        self._messages: dict[str, list[v1.Message]] = {}
        self._files: dict[str, tuple[v1.File, bytes]] = {}

    def begin(self, request: v1.StreamChatRequest) -> Generation:
        """Begins the next scripted answer; a request that is repeated gets its own answer again."""
        if request.request_id in self._by_request:
            return self._by_request[request.request_id]
        known = self._conversation(request.conversation_id) if request.conversation_id else None
        if not self.scripted:
            raise AssertionError("no answer is scripted: call platform.answer(…) before the message is sent")
        script = self.scripted.pop(0)
        if isinstance(script, Failure):
            raise script.error
        number = len(self._generations) + 1
        conversation = known or self._create("")
        asked = v1.Message(
            message_id=f"message-{number}-user",
            conversation_id=conversation.conversation_id,
            parent_message_id=request.parent_message_id or self._last(conversation),
            role=v1.Role.USER,
            parts=request.parts,
            state=v1.MessageState.COMPLETE,
            create_time=datetime.now(UTC),
        )
        made = self._answer(request, asked, script, number)
        self._messages[conversation.conversation_id] += [asked, made.message]
        self._generations[made.generation_id] = self._by_request[request.request_id] = made
        return made

    def _answer(
        self, request: v1.StreamChatRequest, asked: v1.Message, script: Sequence[Piece], number: int
    ) -> Generation:
        started = v1.ChatStarted(
            generation_id=f"generation-{number}",
            conversation_id=asked.conversation_id,
            user_message_id=asked.message_id,
            message_id=f"message-{number}",
            model=request.model,
        )
        answered = v1.Message(
            message_id=started.message_id,
            conversation_id=asked.conversation_id,
            parent_message_id=asked.message_id,
            role=v1.Role.ASSISTANT,
            state=v1.MessageState.COMPLETE,
            generation_id=started.generation_id,
            model=request.model,
        )
        return Generation(started, answered, script)

    def generation(self, generation_id: str) -> Generation:
        """Returns an answer; raises NotFoundError if there is none."""
        if generation_id not in self._generations:
            raise NotFoundError("there is no such generation", reason="GENERATION_NOT_FOUND", status="NOT_FOUND")
        return self._generations[generation_id]

    def keep(self, data: bytes) -> v1.File:
        """Stores a file, and returns it."""
        file_id = hashlib.sha256(data).hexdigest()
        file = v1.File(file_id=file_id, size_bytes=len(data), media_type="application/octet-stream")
        self._files[file_id] = file, data
        return file

    def content(self, file_id: str) -> bytes:
        """Returns a file's bytes."""
        return self._file(file_id)[1]

    def response(self, request: Any) -> betterproto2.Message | None:
        """Returns what is stored; None if the call is about something else."""
        match request:
            case v1.CancelGenerationRequest():
                return v1.CancelGenerationResponse(state=self.generation(request.generation_id).cancel())
            case v1.CountTokensRequest():
                words = sum(len(part.text.text.split()) for part in request.parts if part.text is not None)
                return v1.CountTokensResponse(input_tokens=words, estimated=True)
            case v1.GetFileRequest():
                return v1.GetFileResponse(file=self._file(request.file_id)[0])
        return self._of_conversations(request)

    def _of_conversations(self, request: Any) -> betterproto2.Message | None:
        match request:
            case v1.CreateConversationRequest():
                return v1.CreateConversationResponse(conversation=self._create(request.title))
            case v1.ListConversationsRequest():
                return v1.ListConversationsResponse(conversations=list(self._conversations.values())[::-1])
            case v1.GetConversationRequest():
                return v1.GetConversationResponse(conversation=self._conversation(request.conversation_id))
            case v1.ListMessagesRequest():
                found = self._conversation(request.conversation_id)
                return v1.ListMessagesResponse(messages=self._messages[found.conversation_id])
            case v1.UpdateConversationRequest():
                found = self._conversation(request.conversation_id)
                found.title = found.title if request.title is None else request.title
                return v1.UpdateConversationResponse(conversation=found)
            case v1.DeleteConversationRequest():
                del self._conversations[self._conversation(request.conversation_id).conversation_id]
                return v1.DeleteConversationResponse()
        return None

    def _create(self, title: str) -> v1.Conversation:
        made = v1.Conversation(conversation_id=f"conversation-{len(self._messages) + 1}", title=title)
        self._messages[made.conversation_id] = []
        self._conversations[made.conversation_id] = made
        return made

    def _last(self, conversation: v1.Conversation) -> str:
        messages = self._messages[conversation.conversation_id]
        return messages[-1].message_id if messages else ""

    def _conversation(self, conversation_id: str) -> v1.Conversation:
        if conversation_id not in self._conversations:
            raise NotFoundError("there is no such conversation", reason="CONVERSATION_NOT_FOUND", status="NOT_FOUND")
        return self._conversations[conversation_id]

    def _file(self, file_id: str) -> tuple[v1.File, bytes]:
        if file_id not in self._files:
            raise NotFoundError("there is no such file", reason="FILE_NOT_FOUND", status="NOT_FOUND")
        return self._files[file_id]
