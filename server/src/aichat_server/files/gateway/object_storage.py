"""Keeps the bytes of files: in a bucket with the S3 API, or in a folder."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast
from urllib.parse import unquote, urlsplit
from uuid import UUID

import obstore
from obstore.exceptions import BaseError, GenericError
from obstore.store import LocalStore, S3Store

from aichat_server.core.errors import AichatError, Reason
from aichat_server.files.domain.files import file_not_found

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

PIECE_BYTES = 256 * 1024
"""About how long the pieces are in which a file is read."""
_LISTED = 1000
_RETRY_SECONDS = 1.0
# How long a request may take, and how long it is retried.
_TIMEOUT, _RETRIED = timedelta(seconds=60), timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class ObjectPath:
    """Where the bytes of a file are: the organisation comes first."""

    org_id: UUID
    sha256: str
    object_id: UUID

    def __str__(self) -> str:
        return f"{self.org_id}/{self.sha256}/{self.object_id}"


@dataclass(frozen=True, slots=True)
class ListedObject:
    """An object of the storage."""

    path: ObjectPath
    modified_at: datetime


class ObjectStorage:
    """Stores, reads and deletes objects. Raises FILES_UNAVAILABLE if the storage fails."""

    def __init__(self, store: S3Store | LocalStore) -> None:
        self._store = store

    async def put(self, path: ObjectPath, data: bytes | bytearray | memoryview) -> None:
        """Stores an object whole."""
        with _unavailable():
            await obstore.put_async(self._store, str(path), data, use_multipart=False)

    async def read(self, path: ObjectPath) -> AsyncGenerator[bytes, None]:
        """Yields an object in pieces. Raises FILE_NOT_FOUND if there is none."""
        with _unavailable():
            try:
                found = await obstore.get_async(self._store, str(path))
            except FileNotFoundError as cause:
                raise file_not_found(path.sha256) from cause
            async for piece in found.stream(min_chunk_size=PIECE_BYTES):
                yield bytes(piece)

    async def delete(self, path: ObjectPath) -> None:
        """Deletes an object, if there is one."""
        with _unavailable():
            try:
                await obstore.delete_async(self._store, str(path))
            except FileNotFoundError:
                return

    async def list(self, org_id: UUID) -> AsyncIterator[list[ListedObject]]:
        """Yields the organisation's objects, a page at a time."""
        with _unavailable():
            async for page in obstore.list(self._store, str(org_id), chunk_size=_LISTED):
                yield [
                    ListedObject(path, one["last_modified"])
                    for one in page
                    if (path := _path_of(one["path"])) is not None
                ]


def open_storage(url: str, settings: Mapping[str, str]) -> ObjectStorage:
    """Returns the storage at `s3://bucket/prefix` or `file:///folder`, which is created.

    `settings`: obstore's, for S3.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        return ObjectStorage(LocalStore(unquote(parts.path), automatic_cleanup=True, mkdir=True))
    config = cast("S3Config", dict(settings))
    insecure = settings.get("endpoint", "").startswith("http://")
    client: ClientConfig = {"timeout": _TIMEOUT, "allow_http": insecure}
    retries: RetryConfig = {"max_retries": 3, "retry_timeout": _RETRIED}
    return ObjectStorage(S3Store.from_url(url, config=config, client_options=client, retry_config=retries))


def _path_of(text: str) -> ObjectPath | None:
    """Returns the path that the text is; None if somebody else put the object there."""
    try:
        org_id, sha256, object_id = text.split("/")
        return ObjectPath(UUID(org_id), sha256, UUID(object_id))
    except ValueError:
        return None


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except (BaseError, GenericError, OSError) as cause:
        message = "the storage of files is not reachable; repeat the call"
        raise AichatError(Reason.FILES_UNAVAILABLE, message, retry_after=_RETRY_SECONDS) from cause
