"""`quotas`: sets, removes and shows quotas."""

from __future__ import annotations

import argparse
import asyncio
import sys
from uuid import UUID

from aichat_server.app.database import connect_database
from aichat_server.core.money import to_decimal
from aichat_server.quotas.domain import Quota, QuotaName, QuotaScope
from aichat_server.quotas.service import Quotas
from aichat_server.settings import Settings


def set_quota(settings: Settings, options: argparse.Namespace) -> int:
    """Sets or replaces a quota."""
    if options.hard is None and options.soft is None:
        sys.stderr.write("give --hard, --soft or both\n")
        return 1
    return _done(asyncio.run(_set(settings, options)), "the organisation, or its member or key, does not exist")


def remove(settings: Settings, options: argparse.Namespace) -> int:
    """Removes a quota."""
    return _done(asyncio.run(_remove(settings, options)), "the quota does not exist")


def show(settings: Settings, options: argparse.Namespace) -> int:
    """Prints an organisation's quotas and their use."""
    for quota in asyncio.run(_list(settings, options.organization_id)):
        sys.stdout.write(f"{_line(quota)}\n")
    return 0


def _done(done: bool, complaint: str) -> int:
    if not done:
        sys.stderr.write(f"{complaint}\n")
    return 0 if done else 1


def _line(quota: Quota) -> str:
    limits = {"hard": quota.hard, "soft": quota.soft}
    told = [f"{name} {to_decimal(limit):f}" for name, limit in limits.items() if limit is not None]
    over = " (above soft)" if quota.soft is not None and quota.charged > quota.soft else ""
    used = f"charged {to_decimal(quota.charged):f}{over}, held {to_decimal(quota.held):f}"
    name = quota.name
    return f"{name.scope} {name.id} per {name.period}: {', '.join(told)} USD; {used}"


def _name(options: argparse.Namespace) -> QuotaName:
    if options.member_id is not None:
        return QuotaName(QuotaScope.MEMBER, options.member_id, options.period)
    if options.key_id is not None:
        return QuotaName(QuotaScope.KEY, options.key_id, options.period)
    return QuotaName(QuotaScope.ORGANIZATION, options.organization_id, options.period)


async def _set(settings: Settings, options: argparse.Namespace) -> bool:
    async with connect_database(settings) as database:
        return await Quotas(database).set(options.organization_id, _name(options), options.hard, options.soft)


async def _remove(settings: Settings, options: argparse.Namespace) -> bool:
    async with connect_database(settings) as database:
        return await Quotas(database).remove(options.organization_id, _name(options))


async def _list(settings: Settings, organization_id: UUID) -> tuple[Quota, ...]:
    async with connect_database(settings) as database:
        return await Quotas(database).list(organization_id)
