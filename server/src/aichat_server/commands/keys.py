"""`keys`: creates and revokes API keys."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from datetime import timedelta

from aichat_server.app.database import connect_database
from aichat_server.identity.service.organizations import MintedKey, NameTakenError, Organizations
from aichat_server.settings import Settings


def mint(settings: Settings, options: argparse.Namespace) -> int:
    """Creates an API key and prints it; it is not shown again."""
    try:
        minted = asyncio.run(_mint(settings, options))
    except NameTakenError as error:
        message = f"an organisation with this name exists; for another key of it: --organization-id {error.org_id}"
        sys.stderr.write(f"{message}\n")
        return 1
    if minted is None:
        sys.stderr.write("the organisation does not exist\n")
        return 1
    shown = {
        "organization_id": str(minted.org_id),
        "member_id": str(minted.member_id),
        "key_id": str(minted.key_id),
        "role": "owner" if options.owner else "member",
        "api_key": minted.api_key,
    }
    lines = [json.dumps(shown)] if options.json else [f"{name}: {value}" for name, value in shown.items()]
    sys.stdout.write("\n".join([*lines, ""]))
    return 0


def revoke(settings: Settings, options: argparse.Namespace) -> int:
    """Revokes an API key."""
    if not asyncio.run(_revoke(settings, options)):
        sys.stderr.write("the organisation does not have this key, or it was revoked before\n")
        return 1
    return 0


async def _mint(settings: Settings, options: argparse.Namespace) -> MintedKey | None:
    days = options.expires_in_days
    lifetime = None if days is None else timedelta(days=days)
    async with connect_database(settings) as database:
        organizations = Organizations(database)
        if options.organization_id is None:
            return await organizations.mint_key(
                options.organization, expires_in=lifetime, plan=options.plan, is_owners=options.owner
            )
        return await organizations.mint_another_key(
            options.organization_id, expires_in=lifetime, plan=options.plan, is_owners=options.owner
        )


async def _revoke(settings: Settings, options: argparse.Namespace) -> bool:
    async with connect_database(settings) as database:
        return await Organizations(database).revoke_key(options.organization_id, options.key_id)
