"""FileService over gRPC."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from aichat.v1 import files_pb2 as pb
from aichat.v1.files_pb2_grpc import FileServiceServicer, add_FileServiceServicer_to_server
from google.api.httpbody_pb2 import HttpBody

from aichat_server.core.errors import AichatError, Reason
from aichat_server.files.domain.files import FileRecord
from aichat_server.files.domain.sniffing import MOST_FILE_BYTES
from aichat_server.files.service.files import Files
from aichat_server.identity.service.caller import current_principal
from aichat_server.transport.call import Context
from aichat_server.transport.values import timestamp

# Browsers save it: what others have uploaded is never a page of this origin.
_DOWNLOAD = (("content-disposition", "attachment"),)


class FileServicer(FileServiceServicer):
    """Serves an organisation's files to its members."""

    add_to = add_FileServiceServicer_to_server

    def __init__(self, files: Files) -> None:
        self._files = files

    async def UploadFile(  # noqa: N802 — the contract names the methods
        self, requests: AsyncIterator[pb.UploadFileRequest], _context: Context
    ) -> pb.UploadFileResponse:
        """Stores a file."""
        data = bytearray()
        async for request in requests:
            data += request.content.data
            if len(data) > MOST_FILE_BYTES:
                message = f"the file has more than {MOST_FILE_BYTES} bytes; send a smaller one"
                raise AichatError(Reason.REQUEST_TOO_LARGE, message, metadata={"limit_bytes": str(MOST_FILE_BYTES)})
        return pb.UploadFileResponse(file=_file(await self._files.store(current_principal(), data)))

    async def GetFile(self, request: pb.GetFileRequest, _context: Context) -> pb.GetFileResponse:  # noqa: N802
        """Gets what is known of a file."""
        return pb.GetFileResponse(file=_file(await self._files.get(current_principal(), request.file_id)))

    async def DownloadFile(  # noqa: N802
        self, request: pb.DownloadFileRequest, context: Context
    ) -> AsyncGenerator[pb.DownloadFileResponse, None]:
        """Streams a file's bytes."""
        principal = current_principal()
        record = await self._files.get(principal, request.file_id)
        media_type = record.file.media_type
        async with aclosing(self._files.read(principal, record)) as pieces:
            async for piece in pieces:
                if media_type:
                    # Sent only now, so that a failed call is not a download.
                    await context.send_initial_metadata(_DOWNLOAD)
                yield pb.DownloadFileResponse(content=HttpBody(content_type=media_type, data=piece))
                media_type = ""


def _file(record: FileRecord) -> pb.File:
    file = record.file
    return pb.File(
        file_id=file.sha256,
        media_type=file.media_type,
        size_bytes=file.size,
        width=file.width,
        height=file.height,
        pages=file.pages,
        create_time=timestamp(record.created_at),
    )
