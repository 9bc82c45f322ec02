"""A small storage with the S3 API: one bucket, requests signed with one key."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

from aiohttp import web

BUCKET, KEY = "files", "an-access-key"
_MODIFIED = "2026-01-01T00:00:00.000Z"


@dataclass
class S3:
    """The storage, and what it holds."""

    url: str = ""
    objects: dict[str, bytes] = field(default_factory=dict)
    refuses: bool = False
    """Whether it answers each request with an error."""

    async def serve(self, request: web.Request) -> web.Response:
        """Answers one request."""
        bucket, _, key = request.match_info["path"].partition("/")
        headers = request.headers
        signed = headers.get("authorization", "").startswith(f"AWS4-HMAC-SHA256 Credential={KEY}/")
        if self.refuses or not signed or "x-amz-content-sha256" not in headers:
            return _error(403, "AccessDenied")
        return _error(404, "NoSuchBucket") if bucket != BUCKET else await self._answer(request, key)

    async def _answer(self, request: web.Request, key: str) -> web.Response:
        match request.method:
            case "PUT":
                self.objects[key] = await request.read()
                return web.Response(headers={"etag": '"1"'})
            case "POST":
                asked = fromstring(await request.text())  # noqa: S314 — our own client wrote it
                gone = [one.text or "" for one in asked.iter() if one.tag.endswith("Key")]
                told = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in gone if self.objects.pop(key, None))
                return web.Response(text=f"<DeleteResult>{told}</DeleteResult>", content_type="application/xml")
            case _:
                return self._list(request.query.get("prefix", "")) if not key else self._get(key)

    def _get(self, key: str) -> web.Response:
        if key not in self.objects:
            return _error(404, "NoSuchKey")
        headers = {"etag": '"1"', "last-modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
        return web.Response(body=self.objects[key], headers=headers)

    def _list(self, prefix: str) -> web.Response:
        result = Element("ListBucketResult")
        SubElement(result, "IsTruncated").text = "false"
        for key, data in self.objects.items():
            if key.startswith(prefix):
                content = SubElement(result, "Contents")
                told = {"Key": key, "LastModified": _MODIFIED, "ETag": '"1"', "Size": str(len(data))}
                for name, value in told.items():
                    SubElement(content, name).text = value
        return web.Response(body=tostring(result), content_type="application/xml")


def _error(status: int, code: str) -> web.Response:
    text = f"<Error><Code>{code}</Code><Message>No.</Message></Error>"
    return web.Response(status=status, text=text, content_type="application/xml")


@asynccontextmanager
async def run_s3() -> AsyncGenerator[S3, None]:
    """Runs the storage for the length of the context."""
    storage = S3()
    app = web.Application(client_max_size=1 << 25)
    app.add_routes([web.route("*", "/{path:.*}", storage.serve)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    storage.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield storage
    finally:
        await runner.cleanup()
