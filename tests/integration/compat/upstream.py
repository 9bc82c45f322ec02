"""A vendor of a test's own: it remembers what it is sent, and answers with the bytes that the test gives it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass
class Upstream:
    """The vendor."""

    url: str = ""
    pieces: Sequence[bytes] = ()
    """What it answers, piece by piece."""
    status: int = 200
    breaks: bool = False
    """Whether it closes the connection instead of ending its answer."""
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    def will_answer(self, *pieces: bytes, status: int = 200, breaks: bool = False) -> None:
        """Sets the answer to what comes next."""
        self.pieces, self.status, self.breaks = pieces, status, breaks
        self.bodies, self.headers, self.paths = [], [], []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answers a request."""
        self.bodies.append(await request.read())
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        self.paths.append(request.path)
        kind = "text/event-stream" if self.status == 200 else "application/json"
        response = web.StreamResponse(status=self.status, headers={"content-type": kind})
        await response.prepare(request)
        for piece in self.pieces:
            await response.write(piece)
        if self.breaks and request.transport is not None:
            request.transport.close()
        return response


@asynccontextmanager
async def open_upstream() -> AsyncGenerator[Upstream, None]:
    """Runs one."""
    upstream = Upstream()
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/{path:.*}", upstream.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        upstream.url = f"http://{host}:{port}"
        yield upstream
    finally:
        await runner.cleanup()
