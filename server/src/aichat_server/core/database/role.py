"""Checks that row-level security applies to the server's role."""

from __future__ import annotations

from sqlalchemy import text

from aichat_server.core.database.database import Database

# A role also has the rights of every role that it is a member of, since it could SET ROLE to it.
_CHECK = text(
    """
    SELECT
        current_user AS role,
        EXISTS (
            SELECT FROM pg_roles WHERE (rolsuper OR rolbypassrls) AND pg_has_role(current_user, oid, 'MEMBER')
        ) AS bypasses,
        EXISTS (
            SELECT FROM pg_shdepend
            WHERE refclassid = 'pg_authid'::regclass AND deptype = 'o' AND pg_has_role(current_user, refobjid, 'MEMBER')
              AND dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
        ) AS owns,
        coalesce(has_schema_privilege(to_regnamespace('aichat'), 'CREATE'), false) AS creates,
        coalesce(has_schema_privilege(to_regnamespace('aichat'), 'USAGE'), false) AS migrated
    """
)


class UnsafeRoleError(Exception):
    """The server must not run as the role of DATABASE_URL; the message says why and what to do."""


async def check_role(database: Database) -> None:
    """Raises UnsafeRoleError unless the current role owns nothing, cannot bypass RLS, and may use the tables."""
    async with database.platform_session() as session:
        row = (await session.connection.execute(_CHECK)).one()
    advice = "let DATABASE_URL name the role aichat_app, which the migrations create"
    if row.bypasses:
        raise UnsafeRoleError(f"the database role {row.role!r} can bypass row-level security; {advice}")
    if row.owns:
        raise UnsafeRoleError(f"the database role {row.role!r} owns objects in the database; {advice}")
    if row.creates:
        raise UnsafeRoleError(f"the database role {row.role!r} may create objects among the tables; {advice}")
    if not row.migrated:
        raise UnsafeRoleError(f"the database role {row.role!r} finds no tables; run the migrations, and {advice}")
