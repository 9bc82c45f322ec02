"""Stored responses: what is kept of them besides their turns."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec

from aichat_server.content.parts import Part, Role
from aichat_server.content.stored import encode_json
from aichat_server.core.database.database import Database
from aichat_server.generations.domain.generation import GenerationState
from aichat_server.identity.domain.principals import Principal

_FIND = "SELECT aichat.find_response($1)"
_DELETE = "SELECT aichat.delete_response($1)"


class InputMessage(msgspec.Struct):
    """A message that was stored with a response."""

    message_id: UUID
    role: Role
    parts: list[Part]


class StoredResponse(msgspec.Struct):
    """A response, as stored."""

    request: dict[str, Any]
    owns_conversation: bool
    state: GenerationState
    conversation_id: UUID
    message_id: UUID
    input: list[InputMessage] | None = None


class ResponseStore:
    """Reads and deletes responses. Turns store them."""

    def __init__(self, database: Database) -> None:
        self._pool = database.pool

    async def find(
        self, principal: Principal, generation_id: UUID, *, with_input: bool = False
    ) -> StoredResponse | None:
        """Returns the organisation's response; None if there is none. Raises STORAGE_UNAVAILABLE."""
        (stored,) = await self._pool.fetchrow_again(_FIND, _value(principal, generation_id, input=with_input))
        return msgspec.json.decode(stored, type=StoredResponse) if stored else None

    async def delete(self, principal: Principal, generation_id: UUID) -> bool:
        """Deletes the organisation's response; returns whether there was one. Raises STORAGE_UNAVAILABLE."""
        (deleted,) = await self._pool.fetchrow_again(_DELETE, _value(principal, generation_id))
        return bool(deleted)


def _value(principal: Principal, generation_id: UUID, **more: object) -> str:
    about = {"org_id": principal.org_id, "member_id": principal.member_id, "generation_id": generation_id}
    return encode_json(about | more)
