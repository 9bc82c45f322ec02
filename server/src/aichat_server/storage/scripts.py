"""SQL scripts, as the migrations run them."""

from __future__ import annotations

from pathlib import Path

from alembic import op


def run_scripts(migration: str, *names: str) -> None:
    """Runs scripts of the migration whose file is `migration`, from the folder with its number, one after the other."""
    file = Path(migration)
    folder = file.with_name(file.stem.split("_")[0])
    for name in names:
        script = folder.joinpath(f"{name}.sql").read_text(encoding="utf-8")
        # Straight to the driver: it takes a script of many statements, and sees no parameter in `::`.
        op.get_bind().connection.run_async(lambda driver, script=script: driver.execute(script))
