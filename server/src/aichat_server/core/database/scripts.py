"""Runs SQL scripts for migrations."""

from __future__ import annotations

from pathlib import Path

from alembic import op
from sqlalchemy import Connection


def run_scripts(migration: str, *names: str) -> None:
    """Runs scripts of the migration in the file `migration`, from the folder with its number, one after another."""
    file = Path(migration)
    folder = file.with_name(file.stem.split("_")[0])
    for name in names:
        _run(op.get_bind(), folder / f"{name}.sql")


def replace_functions(connection: Connection, migrations: Path) -> None:
    """Replaces the schema's functions by those in the files, in any order of their calls.

    A function whose parameters have changed is a new one beside the old one, which servers of the previous version
    still call during a rolling release; a later migration drops the old one.
    """
    connection.exec_driver_sql("SET LOCAL check_function_bodies = off")
    for file in sorted((migrations / "functions").glob("*.sql")):
        _run(connection, file)
    _run(connection, migrations / "rights.sql")


def _run(connection: Connection, file: Path) -> None:
    script = file.read_text(encoding="utf-8")
    # Directly with the driver: it accepts a script of many statements, and `::` is not a parameter there.
    connection.connection.run_async(lambda driver: driver.execute(script))
