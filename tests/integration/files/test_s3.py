"""Files are kept in a bucket by the S3 API, with signed requests, and its failures are told as typed errors."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from aichat_server.core.database.database import Database
from aichat_server.core.errors import AichatError, Reason
from aichat_server.files.gateway.object_storage import ObjectStorage, open_storage
from aichat_server.files.service.collection import Collected, FileCollection
from aichat_server.files.service.files import Files
from aichat_server.identity.domain.principals import Principal
from aichat_server.identity.service.organizations import Organizations

from tests.integration.files.s3 import BUCKET, KEY, S3, run_s3


def open_bucket(s3: S3, bucket: str = BUCKET, key: str = KEY) -> ObjectStorage:
    settings = {"access_key_id": key, "secret_access_key": "a-secret", "endpoint": s3.url, "region": "local"}
    return open_storage(f"s3://{bucket}/some/prefix", settings)


async def test_a_bucket_holds_files(database: Database) -> None:
    minted = await Organizations(database).mint_key(f"Test {uuid4()}")
    principal = Principal(minted.org_id, minted.member_id, minted.key_id)
    async with run_s3() as s3:
        storage = open_bucket(s3)
        files = Files(database, storage)
        data = b"%PDF-1.7 /Type/Page " + os.urandom(6 << 20)
        record = await files.store(principal, data)
        path = f"some/prefix/{principal.org_id}/{record.file.sha256}/{record.object_id}"
        assert s3.objects == {path: data}
        pieces = [piece async for piece in files.of(principal.org_id).read(record.file)]
        assert b"".join(pieces) == data
        assert max(map(len, pieces)) < 1 << 20
        later = datetime.now(UTC) + timedelta(days=2)
        assert await FileCollection(database, storage).collect(principal.org_id, later) == Collected(1, 1)
        assert s3.objects == {}

        s3.refuses = True
        for refused in (storage, open_bucket(s3, "another"), open_bucket(s3, key="another-key")):
            with pytest.raises(AichatError) as caught:
                await Files(database, refused).store(principal, b"text")
            assert caught.value.reason is Reason.FILES_UNAVAILABLE
            s3.refuses = False
    with pytest.raises(AichatError) as caught:
        await files.store(principal, b"text")
    assert caught.value.reason is Reason.FILES_UNAVAILABLE


async def test_a_folder_that_cannot_be_written_is_unavailable(database: Database, tmp_path: Path) -> None:
    minted = await Organizations(database).mint_key(f"Test {uuid4()}")
    principal = Principal(minted.org_id, minted.member_id, minted.key_id)
    storage = open_storage(tmp_path.as_uri(), {})
    (tmp_path / str(principal.org_id)).write_bytes(b"a file where a folder should be")
    with pytest.raises(AichatError) as caught:
        await Files(database, storage).store(principal, b"text")
    assert caught.value.reason is Reason.FILES_UNAVAILABLE
