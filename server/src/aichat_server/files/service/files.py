"""Files: stored once, looked up, read."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import suppress
from uuid import UUID

import msgspec

from aichat_server.content.parts import Part, StoredFile
from aichat_server.core.actor import Actor
from aichat_server.core.database.database import Database
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.ids import new_id
from aichat_server.files.domain.asked import AskedFile, asked_files, check_kind, with_files
from aichat_server.files.domain.files import FileRecord, file_invalid, file_not_found
from aichat_server.files.domain.kinds import sniff
from aichat_server.files.domain.sniffing import NotAFileError
from aichat_server.files.gateway.object_storage import PIECE_BYTES, ObjectPath, ObjectStorage
from aichat_server.files.storage.files import FileRepository
from aichat_server.identity.domain.principals import Principal

Bytes = bytes | bytearray | memoryview

# What is shorter is looked at at once: a thread would take longer.
_SHORT_BYTES = 16 * 1024
_MOST_SEEN = 10_000


class Files:
    """The files of organisations. FILE_NOT_FOUND is the same for one that does not exist and for another's."""

    def __init__(self, database: Database, storage: ObjectStorage | None) -> None:
        """`storage`: None if the server has none; then everything raises FILES_NOT_CONFIGURED."""
        self._database = database
        self._storage = storage
        # Where the bytes of files were that were used or read lately, so that vendors' requests need no look-up.
        self._seen: dict[tuple[UUID, str], UUID] = {}

    async def store(self, principal: Principal, data: Bytes, field: str = "") -> FileRecord:
        """Stores a file, the same bytes once.

        Raises FILE_INVALID, with the request's field, FILES_UNAVAILABLE and FILES_NOT_CONFIGURED.
        """
        self._configured()
        return await self._keep(principal, await look(data, field), data)

    async def resolve(
        self,
        principal: Principal,
        parts: tuple[Part, ...],
        *,
        keep: bool = True,
        check: Callable[[tuple[Part, ...]], object] = tuple,
    ) -> tuple[Part, ...]:
        """Returns the parts of a request with what is known of their files, stored if `keep`, the same bytes once.

        Nothing is stored unless all can be: raises FILE_NOT_FOUND, FILE_INVALID with the request's field,
        FILES_UNAVAILABLE, FILES_NOT_CONFIGURED, and what `check` raises about the parts.
        """
        shown = list(asked_files(parts))
        if not shown:
            return parts
        hashes = sorted({file.sha256 for _, file in shown if file.sha256})
        named = await self.use(principal, hashes) if hashes or keep else {}
        found: dict[str, StoredFile] = {}
        for one in shown:
            file = one.file
            looked = named[file.sha256].file if file.sha256 else await look(file.data, file.field)
            check_kind(one, looked.media_type)
            found[file.field] = looked
        whole = with_files(parts, lambda file: found[file.field])
        check(whole)
        if keep:
            inline = {found[file.field].sha256: file for _, file in shown if file.data}
            known = await self._use(principal.org_id, principal.actor, inline)
            # One after another: each takes memory on its way.
            for file in [file for sha256, file in inline.items() if sha256 not in known]:
                await self._add(principal, found[file.field], file.data)
            return whole
        return with_files(parts, lambda file: _with_data(found[file.field], file))

    async def _keep(self, principal: Principal, file: StoredFile, data: Bytes) -> FileRecord:
        known = await self._use(principal.org_id, principal.actor, [file.sha256])
        return known.get(file.sha256) or await self._add(principal, file, data)

    async def _add(self, principal: Principal, file: StoredFile, data: Bytes) -> FileRecord:
        storage, org_id = self._configured(), principal.org_id
        # The bytes come first, so that a file that is known can be read. If its row is never stored, the job that
        # collects unused files deletes them.
        path = ObjectPath(org_id, file.sha256, new_id())
        await storage.put(path, data)
        async with self._database.session(org_id, principal.actor) as session:
            record = await FileRepository(session).add(file, path.object_id)
        if record.object_id != path.object_id:
            # Another call stored the same bytes at the same moment.
            with suppress(AichatError):
                await storage.delete(path)
        return record

    async def use(self, principal: Principal, hashes: Collection[str]) -> Mapping[str, FileRecord]:
        """Returns the files with these hashes, and keeps them for a day; raises FILE_NOT_FOUND if one is missing."""
        self._configured()
        known = await self._use(principal.org_id, principal.actor, hashes)
        for sha256 in hashes:
            if sha256 not in known:
                raise file_not_found(sha256)
        return known

    async def get(self, principal: Principal, sha256: str) -> FileRecord:
        """Returns a file. Raises FILE_NOT_FOUND."""
        return await self._find(principal.org_id, sha256)

    async def read(self, principal: Principal, record: FileRecord) -> AsyncGenerator[bytes, None]:
        """Yields a file's bytes in pieces. Raises FILE_NOT_FOUND, FILES_UNAVAILABLE and FILES_NOT_CONFIGURED."""
        path = ObjectPath(principal.org_id, record.file.sha256, record.object_id)
        async for piece in self._configured().read(path):
            yield piece

    def of(self, org_id: UUID) -> OrganizationFiles:
        """Returns the reader of an organisation's files."""
        return OrganizationFiles(self, org_id)

    async def read_stored(self, org_id: UUID, file: StoredFile) -> AsyncGenerator[bytes, None]:
        """As read, for a file that a message of the organisation names."""
        storage, begun = self._configured(), False
        if (seen := self._seen.get((org_id, file.sha256))) is not None:
            try:
                async for piece in storage.read(ObjectPath(org_id, file.sha256, seen)):
                    begun = True
                    yield piece
            except AichatError as error:
                if begun or error.reason is not Reason.FILE_NOT_FOUND:
                    raise
                # It was deleted meanwhile, and may have been stored again.
            else:
                return
        record = await self._find(org_id, file.sha256)
        async for piece in storage.read(ObjectPath(org_id, file.sha256, record.object_id)):
            yield piece

    async def _find(self, org_id: UUID, sha256: str) -> FileRecord:
        async with self._database.session(org_id) as session:
            record = await FileRepository(session).find(sha256)
        if record is None:
            raise file_not_found(sha256)
        self._see(org_id, record)
        return record

    async def _use(self, org_id: UUID, actor: Actor, hashes: Collection[str]) -> Mapping[str, FileRecord]:
        if not hashes:
            return {}
        async with self._database.session(org_id, actor) as session:
            known = await FileRepository(session).use(hashes)
        for record in known.values():
            self._see(org_id, record)
        return known

    def _see(self, org_id: UUID, record: FileRecord) -> None:
        self._seen[org_id, record.file.sha256] = record.object_id
        if len(self._seen) > _MOST_SEEN:
            del self._seen[next(iter(self._seen))]

    def _configured(self) -> ObjectStorage:
        if self._storage is None:
            message = "this server has no storage for files: send text, or images by their `url`"
            raise AichatError(Reason.FILES_NOT_CONFIGURED, message)
        return self._storage


class OrganizationFiles:
    """Reads the files of one organisation; see FileReader."""

    def __init__(self, files: Files, org_id: UUID) -> None:
        self.org_id = org_id
        self._files = files

    def read(self, file: StoredFile) -> AsyncGenerator[bytes, None]:
        """Yields the file's bytes in pieces. Raises FILE_NOT_FOUND, FILES_UNAVAILABLE and FILES_NOT_CONFIGURED."""
        if isinstance(file, AskedFile) and file.data:
            return _in_pieces(file.data)
        return self._files.read_stored(self.org_id, file)


async def _in_pieces(data: Bytes) -> AsyncGenerator[bytes, None]:
    for start in range(0, len(data), PIECE_BYTES):
        yield bytes(data[start : start + PIECE_BYTES])


def _with_data(found: StoredFile, file: AskedFile) -> AskedFile:
    return AskedFile(**msgspec.structs.asdict(found), data=file.data, field=file.field)


async def look(data: Bytes, field: str) -> StoredFile:
    """Returns what the bytes are; raises FILE_INVALID. The event loop goes on meanwhile."""
    try:
        return _identified(data) if len(data) <= _SHORT_BYTES else await asyncio.to_thread(_identified, data)
    except NotAFileError as error:
        raise file_invalid(field, str(error)) from None


def _identified(data: Bytes) -> StoredFile:
    found = sniff(memoryview(data))
    return StoredFile(
        hashlib.sha256(data).hexdigest(),
        found.media_type,
        len(data),
        found.width,
        found.height,
        found.pages,
        found.seconds,
    )
