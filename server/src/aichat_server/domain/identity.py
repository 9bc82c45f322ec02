"""Who is calling, and for which organisation."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller: a member of an organisation, by API key or by session token."""

    org_id: UUID
    member_id: UUID
    key_id: UUID | None = None
    """The API key that was used; None for a session token."""
