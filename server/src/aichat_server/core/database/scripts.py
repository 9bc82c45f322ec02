"""SQL scripts, as the migrations run them."""

from __future__ import annotations

from pathlib import Path

from alembic import op
from sqlalchemy import Connection


def run_scripts(migration: str, *names: str) -> None:
    """Runs scripts of the migration whose file is `migration`, from the folder with its number, one after the other."""
    file = Path(migration)
    folder = file.with_name(file.stem.split("_")[0])
    for name in names:
        _run(op.get_bind(), folder / f"{name}.sql")


def replace_functions(connection: Connection, migrations: Path) -> None:
    """Makes the schema's functions what the files say, whichever they call or are called by.

    A function whose parameters have changed is a new one beside the old, which servers of the version before still call
    while this one rolls out; a later migration drops the old one.
    """
    connection.exec_driver_sql("SET LOCAL check_function_bodies = off")
    for file in sorted((migrations / "functions").glob("*.sql")):
        _run(connection, file)
    _run(connection, migrations / "rights.sql")


def _run(connection: Connection, file: Path) -> None:
    script = file.read_text(encoding="utf-8")
    # Straight to the driver: it takes a script of many statements, and sees no parameter in `::`.
    connection.connection.run_async(lambda driver: driver.execute(script))
