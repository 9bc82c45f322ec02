"""The files that messages show to models. Generated from files.py: do not edit."""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Iterable, Iterator

from aichat_sdk._portal import Portal
from aichat_sdk.files import Files as AsyncFiles
from aichat_sdk.types import File

__all__ = ["Files"]


class Files:
    """`client.files`. Messages with images, documents and audio upload what they need by themselves."""

    def __init__(self, inner: AsyncFiles, portal: Portal) -> None:
        self._inner = inner
        self._portal = portal

    def upload(
        self,
        source: str | os.PathLike[str] | bytes | Iterable[bytes] | AsyncIterable[bytes],
        *,
        timeout: float | None = None,
    ) -> File:
        """Stores a file, and returns it with the id that parts of messages name; the same bytes have the same id.

        `source`: a path, the bytes, or an iterable of their pieces, such as an open file. A path is read as it is sent.
        Raises OSError if it cannot be read, and ValueError if it is empty or larger than 20 MiB. Pieces of an iterable
        are sent once; other sources are sent again while the platform is unavailable.
        """
        return self._portal.run(self._inner.upload(source, timeout=timeout))

    def get(self, file_id: str, *, timeout: float | None = None) -> File:
        """Returns what is known of a file; raises NotFoundError if the organisation has no such file."""
        return self._portal.run(self._inner.get(file_id, timeout=timeout))

    def download(self, file_id: str, *, timeout: float | None = None) -> Iterator[bytes]:
        """Yields a file's bytes, in pieces to write one after another. `timeout` is for the whole file."""
        return self._portal.iterate(self._inner.download(file_id, timeout=timeout))
