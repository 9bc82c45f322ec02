"""Migrates a database to the schema that this server needs."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from aichat_server.core.database.errors import sqlstate
from aichat_server.core.database.owner import owner_session
from aichat_server.core.database.schema import code_version, migrations_folder, read_versions, record_version
from aichat_server.core.database.scripts import replace_functions
from aichat_server.core.errors import AichatError, Reason

APP_ROLE = "aichat_app"
LOCK_SECONDS = 3.0
"""Less than a call waits: calls that queue behind a waiting migration continue."""

# The longest that another migration may take.
_OTHERS_SECONDS = 60.0

_LOCK_TIMEOUT = "55P03"
_DEADLOCK = "40P01"
_TRIES = 5
_SCRAM_ITERATIONS = 4096


async def migrate(url: str, app_database_url: str, *, lock_seconds: float = LOCK_SECONDS) -> None:
    """Applies every missing migration and the current functions, as the owner that `url` names, in one transaction.

    It cannot be undone: the previous version works on this schema, too (docs/operations/upgrades.md).

    If `app_database_url` is aichat_app's, that role gets its password. Raises STORAGE_UNAVAILABLE if the database is
    unreachable, or if others hold a lock for longer than `lock_seconds`, because calls queue behind us for that time.
    Raises SchemaMismatchError if a newer version has migrated it.
    """
    code = code_version()

    def upgrade(connection: Connection) -> None:
        _set_lock_timeout(connection, max(lock_seconds, _OTHERS_SECONDS))
        # Concurrent migrations wait for each other; the lock ends with the transaction.
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(hashtext('aichat.migrations'))")
        code.check_not_newer(*read_versions(connection))
        _set_lock_timeout(connection, lock_seconds)
        command.upgrade(_config(connection), "head")
        replace_functions(connection, migrations_folder())
        record_version(connection, code)
        _set_password(connection, app_database_url)

    await _run(url, upgrade)


async def _run(url: str, step: Callable[[Connection], None]) -> None:
    """Runs the step in one transaction, and again after a deadlock with turns of a running server."""
    for tries_left in reversed(range(_TRIES)):
        try:
            async with owner_session(url) as session:
                with _lock_errors():
                    await session.connection.run_sync(step)
        except AichatError as error:
            if sqlstate(error.__cause__) != _DEADLOCK or not tries_left:
                raise
        else:
            return


@contextmanager
def _lock_errors() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if sqlstate(error) != _LOCK_TIMEOUT:
            raise
        message = (
            "the migration has waited too long for a lock that another one or a long transaction holds, such as a "
            "dump's: nothing was changed; run it again"
        )
        raise AichatError(Reason.STORAGE_UNAVAILABLE, message) from error


def _config(connection: Connection) -> Config:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    return config


def _set_lock_timeout(connection: Connection, seconds: float) -> None:
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {round(seconds * 1000)}")


def _set_password(connection: Connection, app_database_url: str) -> None:
    url = urlsplit(app_database_url)
    # Supabase's pooler needs the project after the name: aichat_app.<project>.
    if not url.password or unquote(url.username or "").split(".")[0] != APP_ROLE:
        return
    # ALTER ROLE takes no parameters, so the database builds and quotes the statement. It contains the password's
    # verifier instead of the password, since statements may be logged.
    statement = text("SELECT format('ALTER ROLE %I WITH LOGIN PASSWORD %L', cast(:role AS text), cast(:proof AS text))")
    proof = _scram_verifier(unquote(url.password), os.urandom(16))
    connection.exec_driver_sql(connection.execute(statement, {"role": APP_ROLE, "proof": proof}).scalar_one())


def _scram_verifier(password: str, salt: bytes) -> str:
    """Returns what Postgres stores of a password (RFC 5803)."""
    prepared = unicodedata.normalize("NFKC", password).encode()
    salted = hashlib.pbkdf2_hmac("sha256", prepared, salt, _SCRAM_ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(part).decode() for part in (salt, hashlib.sha256(client_key).digest(), server_key)]
    return f"SCRAM-SHA-256${_SCRAM_ITERATIONS}:{encoded[0]}${encoded[1]}:{encoded[2]}"
