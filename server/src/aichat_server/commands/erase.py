"""`keys erase` and `organizations erase-member`: erase a key or a member, except for ids in the ledger."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping
from types import MappingProxyType

from aichat_server.app.database import connect_database
from aichat_server.commands.owner import owner_url
from aichat_server.identity.domain.erasure import Erasure
from aichat_server.identity.service.erasure import erase_key, erase_member
from aichat_server.identity.service.organizations import Organizations
from aichat_server.settings import Settings

_SAID: Mapping[Erasure, str] = MappingProxyType(
    {
        Erasure.MISSING: "the organisation has none with this id",
        Erasure.BUSY: "an answer is being written for it; its keys are revoked, erase it again once that has ended",
        Erasure.OWNER: "nobody else owns the organisation",
    }
)


def key(settings: Settings, options: argparse.Namespace) -> int:
    """Revokes an API key, and erases it once no server accepts it any more."""
    return _done(asyncio.run(_key(owner_url(settings), settings, options)))


def member(settings: Settings, options: argparse.Namespace) -> int:
    """Revokes a member's API keys, and erases the member once no server accepts them any more."""
    return _done(asyncio.run(_member(owner_url(settings), settings, options)))


async def _key(url: str, settings: Settings, options: argparse.Namespace) -> Erasure:
    async with connect_database(settings) as database:
        await Organizations(database).revoke_key(options.organization_id, options.key_id)
    await asyncio.sleep(settings.auth_cache_seconds)
    return await erase_key(url, options.organization_id, options.key_id)


async def _member(url: str, settings: Settings, options: argparse.Namespace) -> Erasure:
    async with connect_database(settings) as database:
        await Organizations(database).revoke_keys_of(options.organization_id, options.member_id)
    await asyncio.sleep(settings.auth_cache_seconds)
    return await erase_member(url, options.organization_id, options.member_id)


def _done(erasure: Erasure) -> int:
    if erasure is Erasure.ERASED:
        return 0
    sys.stderr.write(f"{_SAID[erasure]}\n")
    return 1
