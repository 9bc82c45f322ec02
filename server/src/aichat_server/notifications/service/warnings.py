"""Warns by e-mail when half, four fifths or all of a quota is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never
from uuid import UUID

import structlog

from aichat_server.core.database.batches import Progress, at_once
from aichat_server.core.database.database import Database
from aichat_server.core.database.session import Session
from aichat_server.identity.service.directory import Directory, organization_pages
from aichat_server.mail.domain import MailDeferredError, Mailer, MailRefusedError, MailServerUnavailableError
from aichat_server.notifications.domain.warnings import (
    QUOTA_WARNING,
    ClaimedWarning,
    QuotaUse,
    QuotaWarning,
    WarningState,
)
from aichat_server.notifications.service.warning_mails import WarningMails
from aichat_server.notifications.storage.warnings import WarningRepository
from aichat_server.outbox.service import add_message, remove_message
from aichat_server.quotas.domain import QuotaName, QuotaScope

_log = structlog.get_logger()

# How long a claim lasts: many times what the slowest mail server may take.
_LEASE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class WarningsRun:
    """The result of a run."""

    noted: int
    """New warnings that became due."""
    sent: int
    """E-mails that the mail server accepted, those left by an earlier run included."""
    deferred: int
    """E-mails that the mail server only accepts later: the next run sends them."""


class QuotaWarnings:
    """The warnings of all organisations: one for each threshold, period and person, however often a run is repeated.

    Each is stored before any is sent, and claimed by one run at a time. If a run dies, its claim expires and the next
    run sends the e-mail, perhaps for the second time, with the same Message-ID.
    """

    def __init__(self, database: Database, mailer: Mailer, mails: WarningMails) -> None:
        self._database = database
        self._mailer = mailer
        self._mails = mails

    async def run(self, now: datetime, progress: Progress | None = None) -> WarningsRun:
        """Sends what is due in the current periods at `now`, and in those that ended within the day before.

        So one run a day is enough, and it may be late. MailServerUnavailableError: due warnings are stored, and the
        next run sends them. STORAGE_UNAVAILABLE: what was not done is due again.
        """
        found = dict[UUID, tuple[int, tuple[UUID, ...]]]()
        async for page in organization_pages(self._database, progress or Progress()):
            found |= zip(page, await at_once(page, lambda org_id: self._note(org_id, now)), strict=True)
        states = [state for org_id, (_, pending) in found.items() for state in await self._send(org_id, pending)]
        noted = sum(noted for noted, _ in found.values())
        return WarningsRun(noted, states.count(WarningState.SENT), states.count(WarningState.PENDING))

    async def send(self, org_id: UUID, warning_id: UUID) -> bool:
        """Sends a warning from the outbox; returns whether it is done.

        Raises MailServerUnavailableError if it can be sent later.
        """
        await self._send(org_id, (warning_id,))
        async with self._database.session(org_id) as session:
            return not await WarningRepository(session).is_pending(warning_id)

    async def due(self, now: datetime) -> int:
        """Returns how many warnings a run would store; changes nothing."""
        pages = organization_pages(self._database, Progress())
        return sum([sum(await at_once(page, lambda org_id: self._count_due(org_id, now))) async for page in pages])

    async def _count_due(self, org_id: UUID, now: datetime) -> int:
        async with self._database.session(org_id) as session:
            warnings = {
                QuotaWarning(org_id, member_id, use.thresholds()[-1], use).id
                for use, member_id in await _reached(session, now)
            }
            return len(warnings - await WarningRepository(session).known(warnings))

    async def _note(self, org_id: UUID, now: datetime) -> tuple[int, tuple[UUID, ...]]:
        """Returns how many warnings were stored, and which wait to be sent."""
        async with self._database.session(org_id) as session:
            warnings, reached = WarningRepository(session), await _reached(session, now)
            new = [noted for use, member_id in reached if (noted := await warnings.note(member_id, use))]
            for warning_id in new:
                await add_message(session, QUOTA_WARNING, warning_id)
            return len(new), await warnings.pending()

    async def _send(self, org_id: UUID, pending: Sequence[UUID]) -> Sequence[WarningState]:
        states = []
        for warning_id in pending:
            async with self._database.session(org_id) as session:
                claimed = await WarningRepository(session).claim(warning_id, _LEASE)
            if claimed is not None:
                states.append(await self._deliver(claimed))
        return states

    async def _deliver(self, claimed: ClaimedWarning) -> WarningState:
        warning = claimed.warning
        try:
            state = await self._hand_in(claimed)
        except MailServerUnavailableError:
            async with self._database.session(warning.org_id) as session:
                await WarningRepository(session).release(warning.id)
            raise
        if state is not WarningState.PENDING:
            async with self._database.session(warning.org_id) as session:
                await WarningRepository(session).settle(warning.id, state)
                await remove_message(session, warning.id)
        return state

    async def _hand_in(self, claimed: ClaimedWarning) -> WarningState:
        if not claimed.wanted:
            return WarningState.UNSUBSCRIBED
        if claimed.address is None:
            return WarningState.NO_ADDRESS
        ids = {"org_id": str(claimed.warning.org_id), "warning_id": str(claimed.warning.id)}
        try:
            await self._mailer.send(self._mails.write(claimed, claimed.address))
        except MailRefusedError as error:
            _log.warning("quota warning refused", **ids, error=str(error))
            return WarningState.REFUSED
        except MailDeferredError as error:
            _log.warning("quota warning deferred", **ids, error=str(error))
            return WarningState.PENDING
        return WarningState.SENT


async def _reached(session: Session, now: datetime) -> list[tuple[QuotaUse, UUID]]:
    """Returns the quotas that have reached a threshold, each with the members to warn."""
    uses = [use for use in await WarningRepository(session).uses(now) if use.thresholds()]
    return [(use, member_id) for use in uses for member_id in await _recipients(session, use.name)]


async def _recipients(session: Session, name: QuotaName) -> tuple[UUID, ...]:
    """Returns the members to warn about a quota: the organisation's owners, the member, or the key's member."""
    directory = Directory(session)
    match name.scope:
        case QuotaScope.ORGANIZATION:
            return await directory.owners_to_tell()
        case QuotaScope.MEMBER:
            return (name.id,) if await directory.has_member(name.id) else ()
        case QuotaScope.KEY:
            member_id = await directory.member_of_key(name.id)
            return () if member_id is None else (member_id,)
        case _:
            assert_never(name.scope)


async def forget_warnings(session: Session, before: datetime) -> int:
    """Deletes the warnings of periods that began before then, except pending ones; returns their number."""
    return await WarningRepository(session).forget(before)
