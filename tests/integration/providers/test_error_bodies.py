"""An HTTP error is classified by its status, whatever its body: in any encoding, truncated, endless, or empty."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aichat_server.core.errors import Reason
from aichat_server.providers.gateway.base import ProviderConfig
from aichat_server.providers.gateway.factory import AIProviderFactory

from tests.fixtures.vendors import Answer, answer, asking

TOLD = json.dumps({"error": {"type": "invalid_request_error", "message": "too long"}}).encode()
PAGE = "<html>Überlastet</html>".encode("latin-1")
BODIES = {
    "a page in Latin-1": (b"content-type: text/html", PAGE),
    "Latin-1 that says UTF-8": (b"content-type: application/json; charset=utf-8", PAGE),
    "an unknown charset": (b"content-type: text/html; charset=nonsense", PAGE),
    "gzip": (b"content-encoding: gzip", gzip.compress(TOLD)),
    "half of gzip": (b"content-encoding: gzip", gzip.compress(TOLD)[:20]),
    "what is no gzip": (b"content-encoding: gzip", TOLD),
    "an encoding that nobody has": (b"content-encoding: br, zstd", b"\x0b\x02\x80nonsense\x03"),
    "a list": (b"", b"[" + TOLD + b"]"),
    "a number": (b"", b"42"),
    "odd types": (b"", b'{"error": {"message": {"a": 1}, "type": [], "code": {}, "details": 3}}'),
    "a text for an error": (b"", b'{"error": "busy"}'),
    "half a character": (b"", b'{"error": {"message": "\\ud83d"}}'),
    "deep nesting": (b"", b"[" * 100_000),
    "nothing": (b"", b""),
    "two megabytes": (b"", b"x" * (2 << 20)),
}


@asynccontextmanager
async def saying(vendor: str, response: bytes, *, ends: bool = True) -> AsyncIterator[AIProviderFactory]:
    """A vendor that answers each request with these bytes, and then closes the connection or stays silent."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        writer.write(response)
        if not ends:
            # Until the other side disconnects.
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1")
    async with server:
        port = server.sockets[0].getsockname()[1]
        factory = AIProviderFactory([ProviderConfig(vendor, "a-key", f"http://127.0.0.1:{port}")])
        yield factory
        await factory.aclose()


async def asked(vendor: str, response: bytes, *, ends: bool = True) -> Answer:
    async with saying(vendor, response, ends=ends) as factory:
        return await answer(factory.get(vendor), asking(vendor, "Hi"))


def responding(status: int, header: bytes, body: bytes, length: int | None = None) -> bytes:
    counted = b"content-length: %d" % (len(body) if length is None else length)
    lines = [b"HTTP/1.1 %d X" % status, *filter(None, [header]), b"retry-after: 3", counted, b"", body]
    return b"\r\n".join(lines)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize(("status", "reason"), [(503, Reason.PROVIDER_OVERLOADED), (429, Reason.PROVIDER_RATE_LIMITED)])
async def test_a_body_of_any_kind_changes_nothing(vendor: str, body: str, status: int, reason: Reason) -> None:
    got = await asked(vendor, responding(status, *BODIES[body]))
    assert got.error is not None
    assert (got.error.reason, got.error.retry_after) == (reason, 3.0)
    got.error.message.encode()


async def test_what_was_compressed_is_read(vendor: str) -> None:
    got = await asked(vendor, responding(400, *BODIES["gzip"]))
    assert got.error is not None
    assert got.error.message == f"{vendor} refused the request: too long"


async def test_a_body_that_breaks_off_or_never_ends_changes_nothing(
    vendor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aichat_server.providers.gateway.error_bodies._LONGEST_SECONDS", 0.2)
    for ends in (True, False):
        got = await asked(vendor, responding(529, b"", TOLD, length=4000), ends=ends)
        assert got.error is not None
        assert got.error.reason is Reason.PROVIDER_OVERLOADED


@pytest.mark.parametrize("status", [204, 302, 418, 600])
async def test_statuses_that_nobody_expects_are_failures(vendor: str, status: int) -> None:
    got = await asked(vendor, responding(status, b"location: /elsewhere", b""))
    assert got.error is not None
    assert got.error.reason in {
        Reason.PROVIDER_STREAM_BROKEN,
        Reason.PROVIDER_UNAVAILABLE,
        Reason.PROVIDER_REQUEST_REJECTED,
    }
