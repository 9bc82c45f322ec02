"""The hot path: a turn's beginning and its end, one round trip each.

Each is one call of a function in the database (server/migrations), which is one transaction and sets the tenant
itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from aichat_server.content.parts import Part, Role, TextPart
from aichat_server.content.stored import encode_json, encode_parts
from aichat_server.conversations.domain import Message
from aichat_server.core.database.errors import conversation_not_found, message_not_found, over_quota, quota_check_failed
from aichat_server.core.database.pool import Pool
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.money import NanoUsd
from aichat_server.core.texts import is_blank
from aichat_server.generations.domain.generation import GenerationKey, GenerationState
from aichat_server.generations.storage.turn_rows import EarlierTurn, read_answer, read_earlier, read_path, read_refusal
from aichat_server.models.domain.pricing import Hold
from aichat_server.models.domain.usage import KINDS, Usage
from aichat_server.providers.domain.events import StopReason
from aichat_server.providers.domain.requests import PathMessage

__all__ = ["EarlierTurn", "TurnBegin", "TurnBegun", "TurnEnd", "TurnStore"]

_BEGIN = (
    "SELECT path, earlier, unchecked FROM aichat.begin_turn($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, "
    "$14, $15, $16, $17, $18, $19, $20, $21, $22, $23)"
)
# The arguments of aichat.end_turn, each named as there but for its p_, with a count for each kind of usage.
_ENDED = (
    "org_id", "member_id", "generation_id", "conversation_id", "user_message_id", "message_id", "state", "parts",
    "stop_reason", "usage_estimated", "raw_usage", "cost_nano_usd", "price_version", "error_reason", "error_message",
    "model", "provider", "first_delta_ms", *(kind.column for kind in KINDS), "orphan",
)  # fmt: skip
_END = f"SELECT aichat.end_turn({', '.join(f'p_{name} => ${number}' for number, name in enumerate(_ENDED, 1))})"
_ABANDON = "SELECT aichat.abandon_turn($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
_FIND = "SELECT aichat.find_turn($1, $2)"
_RENEW = "SELECT aichat.renew_leases($1, $2, $3, $4)"
# What aichat.begin_turn says by SQLSTATE.
_NO_CONVERSATION = "AI001"
_NO_MESSAGE = "AI002"
_OVER_QUOTA = "AI003"
_QUOTA_UNCHECKED = "AI004"


@dataclass(frozen=True, slots=True)
class TurnBegin:
    """A turn to begin. All ids are the caller's choice."""

    org_id: UUID
    member_id: UUID
    key_id: UUID | None
    request_id: UUID | None
    fingerprint: bytes
    """What must be the same when `request_id` comes again."""
    conversation_id: UUID
    new_conversation: bool
    title: str
    """For a new conversation, or for one that has none when it gets its first answer."""
    parent_message_id: UUID | None
    """The message that the user's follows. None: the conversation's head."""
    user_message_id: UUID
    message_id: UUID
    """The answer's."""
    generation_id: UUID
    model: str
    """The model that is asked for."""
    provider: str
    parts: tuple[Part, ...]
    options: Mapping[str, object]
    hold: Hold
    path_bytes: int | None = None
    """About how much of the history is wanted, the newest of it; None: all."""


@dataclass(frozen=True, slots=True)
class TurnBegun:
    """A turn that has begun, or, if its `request_id` was known, the one that had begun before."""

    generation_id: UUID
    conversation_id: UUID
    user_message_id: UUID
    message_id: UUID
    path: tuple[PathMessage, ...]
    """The conversation up to the user's new message, as far back as was wanted; empty if `earlier` is there."""
    earlier: EarlierTurn | None = None
    """What the `request_id` began before. If it is there, nothing was begun."""
    quota_failure: str | None = None
    """Why the quotas could not be checked, where the turn goes on all the same."""


@dataclass(frozen=True, slots=True)
class TurnEnd:
    """How a turn ended."""

    org_id: UUID
    member_id: UUID
    generation_id: UUID
    conversation_id: UUID
    user_message_id: UUID
    message_id: UUID
    model: str
    """The model that answered: perhaps another one than was asked for."""
    provider: str
    state: GenerationState
    """Any but RUNNING."""
    text: str
    """The answer as far as it got; empty if nothing came."""
    stop_reason: StopReason | None
    usage: Usage
    raw_usage: Mapping[str, object]
    cost: NanoUsd
    """Of the usage; a turn that did not complete, or outlived its hold, may be charged less."""
    price_version: datetime
    """Of the price that the cost comes of."""
    error_reason: Reason | None
    error_message: str | None
    first_delta_ms: int | None = None
    """From the asking of the vendor to the first piece of the answer; None if none came."""


class TurnStore:
    """Begins turns, keeps them leased, and ends them."""

    def __init__(
        self, pool: Pool, renewals: Pool, *, lease_seconds: float, hold_seconds: float, quota_fail_closed: bool
    ) -> None:
        """`renewals`: for renewing leases, which must not wait for turns.

        `lease_seconds`: how long a turn that is not renewed is taken to be written by somebody. `hold_seconds`: for how
        much longer it counts against quotas. `quota_fail_closed`: a turn whose quotas cannot be checked is refused, and
        does not go on marked.
        """
        self._pool = pool
        self._renewals = renewals
        self._lease_seconds = lease_seconds
        self._hold_seconds = hold_seconds
        self._quota_fail_closed = quota_fail_closed

    async def begin(self, turn: TurnBegin) -> TurnBegun:
        """Claims the request_id, stores the user's message and the generation, and reads the history.

        CONVERSATION_NOT_FOUND, MESSAGE_NOT_FOUND, QUOTA_EXCEEDED and QUOTA_CHECK_FAILED leave nothing behind. Of
        several calls with one request_id one begins, and the others get it as `earlier`, also while it runs.

        Where the reply is lost, a second attempt takes up what the first has begun. STORAGE_UNAVAILABLE leaves open
        whether the turn has begun, or will: `abandon` it.
        """
        arguments = (
            *_begin_arguments(turn),
            self._lease_seconds,
            self._hold_seconds,
            self._quota_fail_closed,
            turn.path_bytes,
        )
        try:
            row = await self._pool.fetchrow_again(_BEGIN, *arguments)
        except asyncpg.PostgresError as error:
            refusal = _refusal(turn, error)
            if refusal is None:
                raise
            raise refusal from error
        path, earlier, unchecked = row
        if earlier:
            known = read_earlier(turn.org_id, earlier)
            return TurnBegun(
                known.generation_id, known.conversation_id, known.user_message_id, known.message_id, (), known
            )
        history = (*read_path(path), PathMessage(Role.USER, turn.parts))
        ids = (turn.generation_id, turn.conversation_id, turn.user_message_id, turn.message_id)
        return TurnBegun(*ids, history, quota_failure=unchecked)

    async def abandon(self, turn: TurnBegin, failure: AichatError) -> None:
        """Ends a turn that may have begun, or may begin yet, with `failure`. It leaves nothing but the record of that,
        and its request_id may be used again. One that has ended is not changed.
        """
        ids = (turn.generation_id, turn.conversation_id, turn.user_message_id, turn.message_id)
        about = (turn.fingerprint, turn.model, turn.provider, failure.reason, failure.message)
        await self._pool.fetchrow_again(_ABANDON, turn.org_id, turn.member_id, turn.key_id, *ids, *about)

    async def find(self, key: GenerationKey) -> EarlierTurn | None:
        """The turn of a generation; None if the organisation has no such generation."""
        (found,) = await self._pool.fetchrow_again(_FIND, *key)
        return read_earlier(key.org_id, found) if found else None

    async def renew(self, keys: Collection[GenerationKey]) -> None:
        """Renews the leases and the holds of turns that are being written; those that have ended have none."""
        org_ids, generation_ids = [key.org_id for key in keys], [key.generation_id for key in keys]
        await self._renewals.fetchrow(_RENEW, org_ids, generation_ids, self._lease_seconds, self._hold_seconds)

    async def end(self, turn: TurnEnd, *, orphan: bool = False) -> Message | None:
        """Stores the answer, settles the generation and writes the books; returns the answer as stored.

        None if there is none: nothing came, or the conversation was deleted meanwhile. A turn that did not complete
        and brought no text leaves nothing behind but the record of its failure, and its request_id may be used
        again. A turn that has ended is not changed by ending it again, which returns what was stored then.

        `orphan`: it ends only if its lease is over; None if not.
        """
        (answer,) = await self._pool.fetchrow_again(_END, *_end_arguments(turn), orphan)
        return read_answer(turn.org_id, answer) if answer else None


def _refusal(turn: TurnBegin, error: asyncpg.PostgresError) -> AichatError | None:
    """What aichat.begin_turn says by its SQLSTATE; None if that is not its own."""
    if error.sqlstate == _NO_CONVERSATION:
        return conversation_not_found(turn.conversation_id)
    if error.sqlstate == _NO_MESSAGE and turn.parent_message_id:
        return message_not_found(turn.parent_message_id)
    if error.sqlstate == _OVER_QUOTA:
        return over_quota(read_refusal(error.detail))
    return quota_check_failed() if error.sqlstate == _QUOTA_UNCHECKED else None


def _begin_arguments(turn: TurnBegin) -> tuple[object, ...]:
    return (
        turn.org_id,
        turn.member_id,
        turn.key_id,
        turn.request_id,
        turn.fingerprint,
        turn.conversation_id,
        turn.new_conversation,
        turn.title,
        turn.parent_message_id,
        turn.user_message_id,
        turn.message_id,
        turn.generation_id,
        turn.model,
        turn.provider,
        encode_parts(turn.parts),
        encode_json(turn.options),
        turn.hold.known,
        turn.hold.history,
        turn.hold.most,
    )


def _stored_parts(turn: TurnEnd) -> str | None:
    """The answer's parts; None where nothing came of it. White space is no word, and a whole answer may have none."""
    if turn.state is not GenerationState.COMPLETE and is_blank(turn.text):
        return None
    return encode_parts((TextPart(turn.text),) if turn.text else ())


def _end_arguments(turn: TurnEnd) -> tuple[object, ...]:
    usage = turn.usage
    return (
        turn.org_id,
        turn.member_id,
        turn.generation_id,
        turn.conversation_id,
        turn.user_message_id,
        turn.message_id,
        turn.state.value,
        _stored_parts(turn),
        turn.stop_reason.value if turn.stop_reason else None,
        usage.estimated,
        encode_json(turn.raw_usage),
        turn.cost,
        turn.price_version,
        turn.error_reason,
        turn.error_message,
        turn.model,
        turn.provider,
        turn.first_delta_ms,
        *(getattr(usage, kind.name) for kind in KINDS),
    )
