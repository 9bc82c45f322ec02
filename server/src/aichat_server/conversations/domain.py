"""Conversations and the messages they are made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from aichat_server.content.parts import Part, Role, ToolResultPart
from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.domain.generation import Answer, Beginning, Known
from aichat_server.providers.domain.requests import PathMessage

_MOST_LISTED = 500
"""In characters. All metadata of an error must fit in the trailers of a call."""


class MessageState(StrEnum):
    """How far a message got."""

    COMPLETE = "complete"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation, as stored."""

    conversation_id: UUID
    org_id: UUID
    member_id: UUID
    title: str
    created_at: datetime
    updated_at: datetime
    head_message_id: UUID | None
    """The last message of the newest branch."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message, as stored."""

    message_id: UUID
    conversation_id: UUID
    parent_message_id: UUID | None
    org_id: UUID
    member_id: UUID
    role: Role
    parts: tuple[Part, ...]
    state: MessageState
    created_at: datetime
    answer: Answer | None = None
    """Present on a model's message."""


@dataclass(frozen=True, slots=True)
class TurnAnswer:
    """One of the answers to a turn's message: its generation, and the message that it is stored as."""

    message_id: UUID
    beginning: Beginning


@dataclass(frozen=True, slots=True)
class EarlierMessage:
    """A message of the caller's own history, to store before a turn's."""

    message_id: UUID
    message: PathMessage
    media_tokens: int = 0
    """See Turn."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A message to begin a turn with, and the generations that answer it. All ids are the caller's choice."""

    conversation_id: UUID
    new_conversation: bool
    title: str
    """For a new conversation, or for one without a title when it gets its first answer."""
    parent_message_id: UUID | None
    """The message that the user's follows. None: the conversation's head."""
    user_message_id: UUID
    parts: tuple[Part, ...]
    path_bytes: int | None
    """About how much of the history is wanted, the newest of it; None: all."""
    answers: tuple[TurnAnswer, ...]
    """One for each lane, of the same organisation, member and key. The first is the conversation's head."""
    media_tokens: int = 0
    """The most input tokens that a vendor counts for the message's files."""
    earlier: tuple[EarlierMessage, ...] | None = None
    """What the caller's own history has before the message and is not stored yet. None: the caller brings none, and
    the message's tool results are checked against the calls before it."""
    response: Mapping[str, object] | None = None
    """What is kept to tell the answer as a response; None if it is none."""


@dataclass(frozen=True, slots=True)
class Before:
    """The messages of a conversation before those that were read."""

    messages: int = 0
    tokens: int = 0
    """About how many."""


@dataclass(frozen=True, slots=True)
class TurnBegun:
    """A turn that has begun, or what its request id began before."""

    path: tuple[PathMessage, ...]
    """The conversation up to the user's message, as far back as was wanted; empty if `known` is there."""
    known: Known | None = None
    """What the request id began before. If it is there, nothing was begun."""
    quota_failure: str | None = None
    """Why the quotas could not be checked, if the turn goes ahead without them."""
    before: Before = Before()
    """The messages that `path` lacks, which are older than was wanted."""


def conversation_not_found(conversation_id: UUID) -> AichatError:
    """Returns the same error for a conversation that does not exist and for another organisation's."""
    metadata = {"conversation_id": str(conversation_id)}
    return AichatError(Reason.CONVERSATION_NOT_FOUND, "no such conversation in this organisation", metadata=metadata)


def message_not_found(message_id: UUID) -> AichatError:
    """Returns the same error for a message that does not exist, another conversation's and another organisation's."""
    metadata = {"message_id": str(message_id)}
    return AichatError(Reason.MESSAGE_NOT_FOUND, "no such message in this conversation", metadata=metadata)


def call_ids(parts: Iterable[Part]) -> list[str]:
    """Returns the ids of the tool calls that a message has results for."""
    return [part.call_id for part in parts if isinstance(part, ToolResultPart)]


def check_repeated(parts: Iterable[Part]) -> None:
    """Raises TOOL_RESULTS_MISMATCHED if a message has two results for one call."""
    ids = call_ids(parts)
    if len(set(ids)) < len(ids):
        raise results_mismatched(repeated=[call_id for call_id, times in Counter(ids).items() if times > 1])


def results_mismatched(
    *, missing: Sequence[str] = (), unknown: Sequence[str] = (), repeated: Sequence[str] = ()
) -> AichatError:
    """Returns the error for tool results that do not match the calls of the message before."""
    wrong = {"missing": missing, "unknown": unknown, "repeated": repeated}
    metadata = {name: _listed(ids) for name, ids in wrong.items() if ids}
    text = "send exactly one result for each tool call of the message before, and no others"
    return AichatError(Reason.TOOL_RESULTS_MISMATCHED, text, metadata=metadata)


def _listed(ids: Sequence[str]) -> str:
    """Returns the ids, or the first of them if all would not fit in an error."""
    listed = ids[0][:_MOST_LISTED]
    for call_id in ids[1:]:
        if len(listed) + len(call_id) >= _MOST_LISTED:
            break
        listed += f",{call_id}"
    return listed
