"""Deletes the files that no message uses, and the objects that belong to no file.

First the row goes, then the object. Whatever breaks off in between, here or in an upload, leaves an object without a
row, which a later run deletes; and no upload ever names an object that was another row's.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from aichat_server.core.database.batches import Progress, at_once
from aichat_server.core.database.database import Database
from aichat_server.files.gateway.object_storage import ObjectStorage
from aichat_server.files.storage.files import FileRepository
from aichat_server.identity.service.directory import organization_pages

UNUSED_KEPT = timedelta(days=1)
SETTLED = timedelta(hours=1)
"""Longer than an upload takes between its object and its row."""
_BATCH = 200


@dataclass(frozen=True, slots=True)
class Collected:
    """The numbers of what was deleted."""

    files: int = 0
    objects: int = 0

    def __add__(self, other: Collected) -> Collected:
        return Collected(self.files + other.files, self.objects + other.objects)

    def __str__(self) -> str:
        return f"{self.files} files and {self.objects} objects deleted"


class FileCollection:
    """Collects the unused files of all organisations."""

    def __init__(self, database: Database, storage: ObjectStorage) -> None:
        self._database = database
        self._storage = storage

    async def run(self, now: datetime, progress: Progress | None = None) -> Collected:
        """Deletes what was unused for a day at `now`. Raises FILES_UNAVAILABLE if the storage fails."""
        total = Collected()
        async for page in organization_pages(self._database, progress or Progress()):
            for one in await at_once(page, lambda org_id: self.collect(org_id, now)):
                total += one
        return total

    async def collect(self, org_id: UUID, now: datetime) -> Collected:
        """As run, for one organisation."""
        files = deleted = await self._delete_rows(org_id, now)
        while deleted == _BATCH:
            deleted = await self._delete_rows(org_id, now)
            files += deleted
        return Collected(files, await self._delete_objects(org_id, now))

    async def due(self, now: datetime) -> int:
        """Returns how many files it would delete; changes nothing."""
        pages = organization_pages(self._database, Progress())
        return sum([sum(await at_once(page, lambda org_id: self._count(org_id, now))) async for page in pages])

    async def _delete_rows(self, org_id: UUID, now: datetime) -> int:
        async with self._database.session(org_id) as session:
            return await FileRepository(session).delete_unused(now - UNUSED_KEPT, _BATCH)

    async def _delete_objects(self, org_id: UUID, now: datetime) -> int:
        deleted = 0
        async for page in self._storage.list(org_id):
            settled = {one.path.object_id: one.path for one in page if one.modified_at < now - SETTLED}
            async with self._database.session(org_id) as session:
                unknown = await FileRepository(session).unknown(settled.keys())
            for object_id in unknown:
                await self._storage.delete(settled[object_id])
            deleted += len(unknown)
        return deleted

    async def _count(self, org_id: UUID, now: datetime) -> int:
        async with self._database.session(org_id) as session:
            return await FileRepository(session).count_unused(now - UNUSED_KEPT)
