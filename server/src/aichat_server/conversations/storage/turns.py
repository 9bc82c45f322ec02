"""Turns as stored: a message and the generations that answer it. It begins by one round trip; each answer ends by one.

What is called is a function of the database (server/migrations/functions), which is one transaction and sets the tenant
itself.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import asyncpg
import msgspec

from aichat_server.content.parts import Part, Role, files_of
from aichat_server.content.stored import content_value, encode_json
from aichat_server.conversations.domain import (
    Before,
    EarlierMessage,
    Turn,
    TurnBegun,
    call_ids,
    conversation_not_found,
    message_not_found,
    results_mismatched,
)
from aichat_server.core.database.database import Database
from aichat_server.core.errors import AichatError
from aichat_server.files.domain.files import file_not_found
from aichat_server.generations.domain.generation import Beginning, Ending, GenerationKey, Known
from aichat_server.generations.domain.stored import (
    HoldTerms,
    KnownValue,
    Value,
    abandoned_value,
    beginning_value,
    decode_known,
    ending_value,
    key_value,
    quota_refusal,
    read_known,
)
from aichat_server.models.domain.usage import BYTES_PER_TOKEN
from aichat_server.providers.domain.requests import PathMessage

_BEGIN = "SELECT path, known, unchecked FROM aichat.begin_turn($1)"
_END = "SELECT aichat.end_turn($1)"
_ABANDON = "SELECT aichat.abandon_turn($1)"
_PATH = "SELECT aichat.turn_path($1)"
_PATH_BEFORE = "SELECT aichat.conversation_path($1)"
# The SQLSTATEs that aichat.begin_turn raises, besides those of quotas.
_NO_CONVERSATION = "AI001"
_NO_MESSAGE = "AI002"
_RESULTS_MISMATCHED = "AI005"
_NO_FILE = "AI006"
# The rows of generations that servers before this column began have it by default.
_SINK = "message"
# This server reads more than the text of a path.
_WHOLE: Value = {"whole": True}


class _Mismatch(msgspec.Struct):
    missing: list[str]
    unknown: list[str]


class _Before(msgspec.Struct):
    messages: int
    bytes: int


class _PathRow(msgspec.Struct):
    role: Role
    parts: list[Part]
    generation_id: UUID | None = None
    before: _Before | None = None


class TurnStore:
    """Begins turns, and ends their generations."""

    def __init__(self, database: Database, terms: HoldTerms) -> None:
        self._pool = database.pool
        self._terms = terms

    async def begin(self, turn: Turn) -> TurnBegun:
        """Claims the request id, stores the message, begins the generations that answer it, and reads the history.

        Of several calls with one claim one begins, and the others get what it has begun as `known`, also while it runs.
        If the reply is lost, a second attempt returns what the first has begun.

        Raises CONVERSATION_NOT_FOUND, MESSAGE_NOT_FOUND, TOOL_RESULTS_MISMATCHED, FILE_NOT_FOUND, QUOTA_EXCEEDED,
        FREE_PLAN_EXHAUSTED and QUOTA_CHECK_FAILED, which leave nothing behind, and STORAGE_UNAVAILABLE, which leaves
        open whether the turn has begun: `abandon` its generations.
        """
        try:
            row = await self._pool.fetchrow_again(_BEGIN, encode_json(_turn_value(turn) | self._terms.value()))
        except asyncpg.PostgresError as error:
            refusal = _refusal(turn, error)
            if refusal is None:
                raise
            raise refusal from error
        path, known, unchecked = row
        if known:
            return TurnBegun((), _first_known(turn, known))
        read, before = _read_path(path)
        return TurnBegun((*read, PathMessage(Role.USER, turn.parts)), None, unchecked, before)

    async def end(self, ending: Ending, *, orphan: bool = False) -> Known | None:
        """Stores the answer as a message, settles the generation, books its usage, and returns it.

        It has no `parts` if nothing came, or if the conversation was deleted meanwhile. A turn of which no generation
        leaves an answer is taken back with its question, and its request id may be used again. A generation that has
        ended is not changed.

        `orphan`: it ends only if its lease has expired. None if it has not. Raises STORAGE_UNAVAILABLE.
        """
        value = ending_value(ending, orphan=orphan)
        if ending.parts is not None:
            value |= content_value(ending.parts, Role.ASSISTANT)
        (known,) = await self._pool.fetchrow_again(_END, encode_json(value))
        return decode_known(known)

    async def abandon(self, beginning: Beginning, failure: AichatError) -> None:
        """Ends a generation with `failure` that may have begun, or may begin later. Only the record of that is left,
        and its request id may be used again. A generation that has ended is not changed. Raises STORAGE_UNAVAILABLE.
        """
        await self._pool.fetchrow_again(_ABANDON, encode_json(abandoned_value(beginning, _SINK, failure)))

    async def path(self, key: GenerationKey) -> tuple[PathMessage, ...]:
        """Returns the conversation up to the message that a generation answers; empty if it was deleted.

        Raises STORAGE_UNAVAILABLE.
        """
        (path,) = await self._pool.fetchrow_again(_PATH, encode_json(key_value(key) | _WHOLE))
        return _read_path(path)[0]

    async def path_before(self, org_id: UUID, turn: Turn) -> tuple[PathMessage, ...]:
        """Returns the messages that the turn's message would follow, as `begin` returns them, and stores nothing.

        Raises CONVERSATION_NOT_FOUND, MESSAGE_NOT_FOUND, TOOL_RESULTS_MISMATCHED and STORAGE_UNAVAILABLE.
        """
        value = {
            "org_id": org_id,
            "conversation_id": None if turn.new_conversation else turn.conversation_id,
            "parent_message_id": turn.parent_message_id,
            "results": call_ids(turn.parts),
            "path_bytes": turn.path_bytes,
            **_WHOLE,
        }
        try:
            (path,) = await self._pool.fetchrow_again(_PATH_BEFORE, encode_json(value))
        except asyncpg.PostgresError as error:
            raise _refusal(turn, error) or error from error
        return _read_path(path)[0]


def _refusal(turn: Turn, error: asyncpg.PostgresError) -> AichatError | None:
    """What aichat.begin_turn says by its SQLSTATE; None if that is not its own."""
    if error.sqlstate == _NO_CONVERSATION:
        return conversation_not_found(turn.conversation_id)
    if error.sqlstate == _NO_MESSAGE and turn.parent_message_id:
        return message_not_found(turn.parent_message_id)
    if error.sqlstate == _RESULTS_MISMATCHED:
        found = msgspec.json.decode(error.detail or "", type=_Mismatch)
        return results_mismatched(missing=found.missing, unknown=found.unknown)
    if error.sqlstate == _NO_FILE and error.detail:
        return file_not_found(error.detail)
    return quota_refusal(error.sqlstate, error.detail)


def _turn_value(turn: Turn) -> Value:
    return {
        "conversation_id": turn.conversation_id,
        "new_conversation": turn.new_conversation,
        "title": turn.title,
        "parent_message_id": turn.parent_message_id,
        "user_message_id": turn.user_message_id,
        **content_value(turn.parts, Role.USER),
        "media_tokens": turn.media_tokens,
        "files": [file.sha256 for file in files_of(turn.parts)],
        **_own_history(turn),
        "path_bytes": turn.path_bytes,
        **_WHOLE,
        "answers": [
            {"message_id": answer.message_id, "generation": beginning_value(answer.beginning, _SINK)}
            for answer in turn.answers
        ],
    }


def _own_history(turn: Turn) -> Value:
    """Returns what is stored besides the message, and whether the message's results are checked."""
    response = {"response": turn.response} if turn.response is not None else {}
    if turn.earlier is None:
        return {"results": call_ids(turn.parts), **response}
    return {"earlier": [_earlier_value(one) for one in turn.earlier], **response}


def _earlier_value(earlier: EarlierMessage) -> Value:
    role, parts = earlier.message.role, earlier.message.parts
    return {
        "message_id": earlier.message_id,
        "role": role.value,
        **content_value(parts, role),
        "media_tokens": earlier.media_tokens,
        "files": [file.sha256 for file in files_of(parts)],
    }


def _first_known(turn: Turn, stored: str) -> Known:
    """The first of the turn's generations that is known. One that was abandoned before it began has no place yet."""
    lanes = msgspec.json.decode(stored, type=list[KnownValue | None])
    answer, known = next((answer, row) for answer, row in zip(turn.answers, lanes, strict=True) if row is not None)
    place = {
        "conversation_id": str(turn.conversation_id),
        "user_message_id": str(turn.user_message_id),
        "message_id": str(answer.message_id),
    }
    return replace(read_known(known), place=known.place or place)


def _read_path(stored: str | None) -> tuple[tuple[PathMessage, ...], Before]:
    """The messages, and those before them."""
    rows = msgspec.json.decode(stored, type=list[_PathRow]) if stored else []
    path = tuple(PathMessage(row.role, tuple(row.parts), row.generation_id) for row in rows)
    before = rows[0].before if rows else None
    return path, Before(before.messages, -(-before.bytes // BYTES_PER_TOKEN)) if before is not None else Before()
