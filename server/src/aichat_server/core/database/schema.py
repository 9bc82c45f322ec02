"""Compares the versions of code and schema, and says what to do if they do not fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, text

from aichat_server.core.database.database import Database

OLDEST_REVISION = "0023"
"""The newest migration of the landing before this one: its servers run on this schema, too, while they are replaced."""

MIGRATE = "python -m aichat_server migrate"

_READABLE = text("SELECT coalesce(has_table_privilege(to_regclass(:table), 'SELECT'), false)")
_REVISION = text("SELECT version_num FROM aichat.alembic_version")
_HISTORY = text("SELECT revision, digest, oldest_revision FROM aichat.schema_versions ORDER BY applied_at DESC")
_RECORD = text(
    "INSERT INTO aichat.schema_versions (revision, digest, oldest_revision) VALUES (:revision, :digest, :oldest)"
)


class SchemaMismatchError(Exception):
    """The schema does not fit this version of the code; the message says which it is, and what to run."""


class Applied(NamedTuple):
    """A version that has migrated the database."""

    revision: str
    digest: str
    oldest_revision: str


@dataclass(frozen=True, slots=True)
class CodeVersion:
    """The migrations and functions of this version of the code."""

    revisions: tuple[str, ...]
    """Its migrations, ascending."""
    digest: str

    @property
    def head(self) -> str:
        """Its newest migration."""
        return self.revisions[-1]

    def check(self, at: str | None, history: Sequence[Applied]) -> bool:
        """Whether a newer version has migrated the database, and this version still works on its schema.

        The database is at the migration `at`, with that history. Raises SchemaMismatchError if this version does not
        work on it.
        """
        if self._is_behind(at, history):
            message = f"the database is at {at or 'an older migration'}, and this version needs {self.head}"
            raise SchemaMismatchError(f"{message}: run `{MIGRATE}`")
        newest = history[0] if history else None
        if newest is None or newest.revision != at or newest.oldest_revision not in self.revisions:
            raise SchemaMismatchError(
                f"the database is at {at}, which is too new for this version, of {self.head}: start the version that "
                f"ran `{MIGRATE}` last, or a newer one"
            )
        return newest.digest != self.digest

    def check_not_newer(self, at: str | None, history: Sequence[Applied]) -> None:
        """Raises SchemaMismatchError if a newer version has migrated the database."""
        if (at is not None and at not in self.revisions) or self._was_overtaken(history):
            raise SchemaMismatchError(
                f"a newer version than this one, of {self.head}, has migrated the database, to {at}: nothing was "
                f"changed. Run `{MIGRATE}` with that version, or a newer one"
            )

    def _is_behind(self, at: str | None, history: Sequence[Applied]) -> bool:
        if at != self.head:
            return at is None or at in self.revisions
        # The migrations are ours. So are the functions, or they were before a newer version came.
        return all((at, self.digest) != (applied.revision, applied.digest) for applied in history)

    def _was_overtaken(self, history: Sequence[Applied]) -> bool:
        digests = [applied.digest for applied in history]
        return self.digest in digests and self.digest != digests[0]


def migrations_folder() -> Path:
    """Returns the folder of migrations: in the package of an installed wheel, beside src/ in the source tree."""
    package = Path(__file__).resolve().parents[2]
    installed = package / "migrations"
    return installed if installed.is_dir() else package.parent.parent / "migrations"


def code_version() -> CodeVersion:
    """Returns the version of this code."""
    folder = migrations_folder()
    names = sorted(file.name for file in (folder / "versions").glob("*.py"))
    digest = sha256("\n".join(names).encode())
    for file in (*sorted((folder / "functions").glob("*.sql")), folder / "rights.sql"):
        digest.update(file.read_bytes())
    return CodeVersion(tuple(name.split("_")[0] for name in names), digest.hexdigest())


def read_versions(connection: Connection) -> tuple[str | None, Sequence[Applied]]:
    """Returns the database's migration, and the versions that have migrated it, the newest first, if recorded."""
    at = connection.execute(_REVISION).scalar_one_or_none() if _can_read(connection, "alembic_version") else None
    known = connection.execute(_HISTORY).all() if _can_read(connection, "schema_versions") else []
    return at, [Applied(*row) for row in known]


async def check_schema(database: Database) -> bool:
    """Whether a newer version has migrated the database, and this version still works on its schema.

    Raises SchemaMismatchError if this version does not work on it.
    """
    async with database.platform_session() as session:
        at, history = await session.connection.run_sync(read_versions)
    return code_version().check(at, history)


def record_version(connection: Connection, code: CodeVersion) -> None:
    """Records that this version has migrated the database, unless it was the last to do so."""
    _, history = read_versions(connection)
    if not history or (history[0].revision, history[0].digest) != (code.head, code.digest):
        values = {"revision": code.head, "digest": code.digest, "oldest": OLDEST_REVISION}
        connection.execute(_RECORD, values)


def _can_read(connection: Connection, table: str) -> bool:
    return bool(connection.execute(_READABLE, {"table": f"aichat.{table}"}).scalar_one())
