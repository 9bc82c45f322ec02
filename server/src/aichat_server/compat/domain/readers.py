"""Readers of answers, by what they ask: one that vanishes may come back, as a retry of the same call."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from aichat_server.identity.domain.principals import Principal

OLDER_SECONDS = 0.1
"""No client repeats a call sooner: a reader that came less than this before another one was not cut off for it."""


class Slot(NamedTuple):
    """What a caller asks: the same for the same call of the same caller."""

    org_id: UUID
    digest: bytes


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads one answer."""

    principal: Principal
    slot: Slot | None
    """None: its call is no retry, and gets none."""
    retries: bool | None = None
    """Whether its call says that it is a retry; None: its client never says so."""
    answer_stays: bool = False
    """Whether the answer is wanted even if nobody reads it."""
    name: str = field(default_factory=lambda: secrets.token_hex(8))


class Left(StrEnum):
    """How a reader left whose answer waits for a retry."""

    VANISHED = "vanished"
    """Its connection broke off before the end. Any call of its slot may be its retry."""
    REPEATED = "repeated"
    """All was written to it at once, since it was a retry itself: its connection may have broken off again, unseen. Any
    call of its slot may be its retry."""
    WHOLE = "whole"
    """All was written to it. Only a call which says that it is a retry may be its retry."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a new call finds in its slot."""

    generation_id: UUID | None = None
    """The answer that it is a retry of, which no other call gets from now on; None: there is none."""
    seconds: float = 0.0
    """How much longer the answer would have waited."""
    others: bool = False
    """Whether there are older readers. One may have lost its connection, and this is not known yet."""


class Waits(NamedTuple):
    """How an answer waits for a retry."""

    how: Left
    seconds: float


def how_it_waits(reader: Reader, how: Left, window: float, rest: float) -> Waits | None:
    """Returns how the answer waits whose reader left; None if it does not wait.

    `window`: how many seconds answers wait. `rest`: how much longer the answer would have waited that was repeated.
    """
    if how is not Left.WHOLE:
        return Waits(how, window)
    if rest > 0:
        # SDKs wait longer before each further retry.
        return Waits(Left.REPEATED, window if reader.retries else rest)
    return Waits(Left.WHOLE, window) if reader.retries is not None else None
