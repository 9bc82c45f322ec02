"""Stores what is known of files: their bytes are in the object storage."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Column, Integer, Row, Select, Table, Text, Uuid, delete, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert

from aichat_server.content.parts import StoredFile
from aichat_server.core.database.session import Repository
from aichat_server.core.database.tables import Time, metadata
from aichat_server.files.domain.files import FileRecord

TOUCHED_EVERY = timedelta(hours=1)
"""How exact `used_at` is."""

files = Table(
    "files",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("sha256", Text, primary_key=True),
    Column("object_id", Uuid, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("width", Integer, nullable=False),
    Column("height", Integer, nullable=False),
    Column("pages", Integer, nullable=False),
    Column("seconds", Integer, nullable=False),
    Column("created_at", Time, nullable=False),
    Column("used_at", Time, nullable=False),
)
message_files = Table(
    "message_files",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("message_id", Uuid, primary_key=True),
    Column("sha256", Text, primary_key=True),
)
_USED = exists().where(message_files.c.org_id == files.c.org_id, message_files.c.sha256 == files.c.sha256)


class FileRepository(Repository):
    """One organisation's files."""

    async def use(self, hashes: Collection[str]) -> Mapping[str, FileRecord]:
        """Returns those of these files that there are, by hash, and notes that they were used."""
        named = (files.c.org_id == self._org_id, files.c.sha256.in_(hashes))
        # Locked, so that none is deleted as unused meanwhile; in order, so that nobody waits in a circle.
        query = select(files).where(*named).order_by(files.c.sha256).with_for_update(key_share=True)
        rows = (await self._connection.execute(query)).all()
        stale = update(files).where(*named, files.c.used_at < func.now() - TOUCHED_EVERY)
        await self._connection.execute(stale.values(used_at=func.now()))
        return {row.sha256: _record(row) for row in rows}

    async def find(self, sha256: str) -> FileRecord | None:
        """Returns a file; None if there is none."""
        query = select(files).where(files.c.org_id == self._org_id, files.c.sha256 == sha256)
        row = (await self._connection.execute(query)).one_or_none()
        return None if row is None else _record(row)

    async def add(self, file: StoredFile, object_id: UUID) -> FileRecord:
        """Stores a file whose bytes are in that object; returns it as stored: with its own object if it was there."""
        values = {name: getattr(file, name) for name in file.__struct_fields__}
        row = insert(files).values(org_id=self._org_id, object_id=object_id, **values)
        known = row.on_conflict_do_update(
            index_elements=[files.c.org_id, files.c.sha256], set_={"used_at": func.now()}
        ).returning(files)
        return _record((await self._connection.execute(known)).one())

    async def delete_unused(self, before: datetime, most: int) -> int:
        """Deletes at most `most` files that were last used before then and that no message uses; returns their number.

        Files that are used at this moment stay.
        """
        locked = self._unused(before).limit(most).with_for_update(skip_locked=True, of=files)
        hashes = (await self._connection.execute(locked)).scalars().all()
        # A new statement sees the messages that were stored until the files were locked.
        gone = delete(files).where(files.c.org_id == self._org_id, files.c.sha256.in_(hashes), ~_USED)
        await self._connection.execute(gone)
        return len(hashes)

    async def count_unused(self, before: datetime) -> int:
        """Returns the number of files that were last used before then and that no message uses."""
        query = select(func.count()).select_from(self._unused(before).subquery())
        return int((await self._connection.execute(query)).scalar_one())

    async def unknown(self, objects: Collection[UUID]) -> set[UUID]:
        """Returns those of these objects that belong to no file."""
        query = select(files.c.object_id).where(files.c.org_id == self._org_id, files.c.object_id.in_(objects))
        return set(objects).difference((await self._connection.execute(query)).scalars())

    def _unused(self, before: datetime) -> Select[tuple[str]]:
        return select(files.c.sha256).where(files.c.org_id == self._org_id, files.c.used_at < before, ~_USED)


def _record(row: Row[tuple[object, ...]]) -> FileRecord:
    file = StoredFile(row.sha256, row.media_type, row.size, row.width, row.height, row.pages, row.seconds)
    return FileRecord(file, row.object_id, row.created_at)
