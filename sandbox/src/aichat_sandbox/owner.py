"""Creates the role that migrations run as, with the same script as in a Postgres container."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from .envoy import ROOT
from .postgres import HOST, OWNER, Postgres, installed
from .supervisor import Supervisor

ROLE = "aichat_owner"
SCRIPT = ROOT / "server" / "docker" / "owner.sql"


async def make_owner(supervisor: Supervisor, postgres: Postgres, inherited: Mapping[str, str]) -> str:
    """Makes the role own the database, and creates the role if needed; returns its URL, with a new password."""
    password = secrets.token_urlsafe(24)
    environment = {**inherited, "PGPASSWORD": postgres.password, "POSTGRES_OWNER_PASSWORD": password}
    where = f"host={HOST} port={postgres.port} user={OWNER} dbname=postgres"
    psql = installed() / "bin" / "psql"
    command = (psql, "--no-psqlrc", "--quiet", "--file", SCRIPT, where)
    await supervisor.run("owner", *command, environment=environment, cwd=ROOT)
    return f"postgresql://{ROLE}:{password}@{HOST}:{postgres.port}/postgres"
