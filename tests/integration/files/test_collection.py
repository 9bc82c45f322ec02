"""Files that no message uses are deleted after a day, and nothing else is, whatever breaks off or happens at once."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from aichat_sandbox.postgres import Postgres
from aichat_server.content.parts import DocumentPart, StoredFile
from aichat_server.core.database.database import Database
from aichat_server.core.errors import AichatError, Reason
from aichat_server.files.gateway.object_storage import ObjectPath, ObjectStorage, open_storage
from aichat_server.files.service.collection import Collected, FileCollection
from aichat_server.files.service.files import Files
from aichat_server.files.storage.files import FileRepository
from aichat_server.identity.domain.erasure import Erasure
from aichat_server.identity.domain.principals import Principal, personal_org_id
from aichat_server.identity.service.erasure import erase_member
from aichat_server.identity.service.organizations import Organizations
from aichat_server.identity.storage.organizations import OrganizationRepository

from tests.integration.conversations.turns import Turns, completed, turn

TOMORROW = timedelta(days=1, minutes=1)


@pytest.fixture
def storage(tmp_path: Path) -> ObjectStorage:
    return open_storage(tmp_path.as_uri(), {})


@pytest.fixture
async def principal(database: Database) -> Principal:
    minted = await Organizations(database).mint_key(f"Test {uuid4()}")
    return Principal(minted.org_id, minted.member_id, minted.key_id)


async def read(files: Files, org_id: UUID, file: StoredFile) -> bytes:
    return b"".join([piece async for piece in files.of(org_id).read(file)])


def objects(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def test_unused_files_go_after_a_day_and_used_ones_stay(
    database: Database, storage: ObjectStorage, principal: Principal, tmp_path: Path
) -> None:
    files, collection = Files(database, storage), FileCollection(database, storage)
    shown, unused = [(await files.store(principal, text)).file for text in (b"shown", b"unused")]
    assert await read(files, principal.org_id, unused) == b"unused"
    asked = replace(turn(principal), parts=(DocumentPart(shown),))
    await Turns(database).begin(asked)
    now = datetime.now(UTC)
    assert await collection.collect(principal.org_id, now) == Collected(0, 0)
    assert await collection.collect(principal.org_id, now + TOMORROW) == Collected(1, 1)
    assert await read(files, principal.org_id, shown) == b"shown"
    with pytest.raises(AichatError) as caught:
        await read(files, principal.org_id, unused)
    assert caught.value.reason is Reason.FILE_NOT_FOUND
    # What was deleted is stored again, by another process, and what a deleted message used goes with it.
    again = await Files(database, storage).store(principal, b"unused")
    assert await read(files, principal.org_id, again.file) == b"unused"
    async with database.session(principal.org_id, principal.actor) as session:
        await session.connection.exec_driver_sql("DELETE FROM aichat.conversations")
    assert await collection.collect(principal.org_id, now + TOMORROW + TOMORROW) == Collected(2, 2)
    assert objects(tmp_path) == []


async def test_what_broke_off_is_collected_and_what_is_under_way_is_not(
    database: Database, storage: ObjectStorage, principal: Principal, tmp_path: Path
) -> None:
    collection, files = FileCollection(database, storage), Files(database, storage)
    # An upload that died before its row, an object whose row was deleted, and an upload that goes on.
    old, new = [ObjectPath(principal.org_id, "0" * 64, uuid4()) for _ in range(2)]
    for path in (old, new):
        await storage.put(path, b"bytes")
    hours_ago = time.time() - 7200
    os.utime(tmp_path / str(old), (hours_ago, hours_ago))
    (tmp_path / str(principal.org_id) / "not ours").write_bytes(b"")
    kept = await files.store(principal, b"kept")
    assert await collection.collect(principal.org_id, datetime.now(UTC)) == Collected(0, 1)
    assert {path.name for path in objects(tmp_path)} == {str(new.object_id), str(kept.object_id), "not ours"}


async def test_an_upload_of_the_same_bytes_during_a_collection_keeps_them(
    database: Database, storage: ObjectStorage, principal: Principal
) -> None:
    files = Files(database, storage)
    first = await files.store(principal, b"the same bytes")

    class Pausing(ObjectStorage):
        """Between the deletion of rows and that of objects, somebody uploads."""

        async def list(self, org_id: UUID) -> AsyncIterator[list[object]]:  # type: ignore[override]
            await files.store(principal, b"the same bytes")
            async for page in storage.list(org_id):
                yield list(page)

    collection = FileCollection(database, Pausing(storage._store))
    collected = await collection.collect(principal.org_id, datetime.now(UTC) + TOMORROW)
    assert collected.files == 1
    again = await files.get(principal, first.file.sha256)
    assert again.object_id != first.object_id
    assert await read(files, principal.org_id, again.file) == b"the same bytes"


async def test_a_file_that_is_used_at_this_moment_is_not_deleted(
    database: Database, storage: ObjectStorage, principal: Principal
) -> None:
    files, collection = Files(database, storage), FileCollection(database, storage)
    stored = await files.store(principal, b"used now")
    async with database.session(principal.org_id, principal.actor) as session:
        await FileRepository(session).use([stored.file.sha256])
        assert (await collection.collect(principal.org_id, datetime.now(UTC) + TOMORROW)).files == 0
    assert await read(files, principal.org_id, stored.file) == b"used now"


async def test_erasing_a_member_erases_the_files_of_its_own_organisation(
    database: Database, postgres: Postgres, storage: ObjectStorage, tmp_path: Path
) -> None:
    user_id = uuid4()
    principal = Principal(personal_org_id(user_id), user_id)
    async with database.session(principal.org_id, principal.actor) as session:
        await OrganizationRepository(session).ensure_personal(user_id, "someone@example.com")
    files = Files(database, storage)
    shown, unused = [(await files.store(principal, text)).file for text in (b"shown", b"unused")]
    begun = await Turns(database).begin(replace(turn(principal), parts=(DocumentPart(shown),)))
    await Turns(database).end(completed(principal, begun))
    assert await erase_member(postgres.owner_url, principal.org_id, user_id) is Erasure.ERASED
    for file in (shown, unused):
        with pytest.raises(AichatError):
            await files.get(principal, file.sha256)
    later = datetime.now(UTC) + timedelta(hours=2)
    assert await FileCollection(database, storage).collect(principal.org_id, later) == Collected(0, 2)
    assert objects(tmp_path) == []
