"""Files are read from the storage while a body is sent: its length is known before, and no file is held as a whole."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator

import pytest
from aichat_server.content.parts import StoredFile
from aichat_server.core.errors import AichatError, Reason
from aichat_server.providers.gateway.body import Base64File, FileBody, TextFile, encoded
from aichat_server.providers.gateway.heads import RequestHead
from aichat_server.providers.gateway.transport import Transport
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

PIECE = 256 * 1024
BYTES = os.urandom(5 * PIECE + 7)
TEXT = 'naïve "quotes" \\ \t ✓ 🙂\n' * 30_000


class Files:
    """Two files, in pieces of odd sizes, as a storage may give them."""

    def __init__(self, *, missing: bool = False) -> None:
        self.missing = missing
        self.reads = 0

    async def read(self, file: StoredFile) -> AsyncIterator[bytes]:
        self.reads += 1
        data = BYTES if file.sha256 == "bytes" else TEXT.encode()
        for start in range(0, len(data), PIECE - 1):
            if self.missing and start:
                raise AichatError(Reason.FILE_NOT_FOUND, "gone")
            yield data[start : start + PIECE - 1]


DATA, NOTES = StoredFile("bytes", "image/png", len(BYTES)), StoredFile("text", "text/plain", len(TEXT.encode()))
BODY = {"a": [{"url": Base64File(DATA, "data:image/png;base64,")}, {"text": TextFile(NOTES)}], "b": Base64File(DATA)}
CODED = base64.b64encode(BYTES).decode()
SENT = {"a": [{"url": f"data:image/png;base64,{CODED}"}, {"text": TEXT}], "b": CODED}


@pytest.fixture
async def vendor() -> AsyncGenerator[tuple[URL, list[tuple[int | None, bytes]]], None]:
    """The address of a vendor, and the lengths and bodies that it has received."""
    received: list[tuple[int | None, bytes]] = []

    async def take(request: web.Request) -> web.Response:
        received.append((request.content_length, await request.read()))
        return web.Response(text="ok")

    app = web.Application(client_max_size=1 << 25)
    app.add_routes([web.post("/", take)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    yield URL(f"http://127.0.0.1:{port}/"), received
    await runner.cleanup()


async def test_a_body_is_sent_as_it_is_read_and_again_for_each_attempt(
    vendor: tuple[URL, list[tuple[int | None, bytes]]],
) -> None:
    url, received = vendor
    files = Files()

    async def head() -> RequestHead:
        return RequestHead(url, CIMultiDict({"content-type": "application/json"}))

    transport = Transport(connect_seconds=5)
    for _ in range(2):
        body = await encoded(BODY, files)
        assert isinstance(body, FileBody)
        async with transport.prepare(head, stall_seconds=5).send(body) as answer:
            assert await answer.reader.read() == b"ok"
    assert [length == len(data) for length, data in received] == [True, True]
    assert [json.loads(data) == SENT for _, data in received] == [True, True]
    # The text once more, to count its escapes.
    assert files.reads == 2 * 4
    broken = await encoded(BODY | {"a": []}, Files(missing=True))
    with pytest.raises(AichatError) as caught:
        async with transport.prepare(head, stall_seconds=5).send(broken):
            pass
    assert caught.value.reason is Reason.FILE_NOT_FOUND
    await transport.aclose()


async def test_no_piece_is_long_and_a_body_without_files_is_one() -> None:
    made = await encoded(BODY, Files())
    assert isinstance(made, FileBody)
    pieces = [piece async for piece in made.read()]
    assert made.size == sum(map(len, pieces))
    assert max(map(len, pieces)) <= PIECE * 4 // 3 + 4
    assert await encoded({"a": 1}, Files()) == b'{"a":1}'
