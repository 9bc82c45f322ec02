"""A stand-in for a mail server: receives e-mails by SMTP and stores each as a file in its working folder.

`python -m aichat_sandbox.smtp --port-file FILE` runs it as a process, whose port serves HTTP. `GET /` returns
`{"smtp_port", "mails"}` with the files' names in the order of arrival. `GET /mails/<name>` returns one unchanged. `POST
/_answer` sets how it answers e-mails from then on: `{"say": "250 accepted", "keep": true, "hang": false}`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from aiosmtpd.smtp import SMTP, Envelope, Session

from .ports import HOST
from .standin import run_stand_in

_LONGEST_BYTES = 10 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """How to answer an e-mail."""

    say: str = "250 accepted"
    """The reply to its content."""
    keep: bool = True
    hang: bool = False
    """Whether to send no reply at all."""


class MailStandIn:
    """The stand-in's state, its SMTP and its routes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._answer = Answer()
        self._smtp_port = 0

    def make_app(self) -> web.Application:
        """Creates the HTTP application, which also serves SMTP."""
        app = web.Application()
        app.cleanup_ctx.append(self._listen)
        app.router.add_get("/", self._list)
        app.router.add_get("/mails/{name}", self._show)
        app.router.add_post("/_answer", self._set_answer)
        return app

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 — aiosmtpd's
        """Receives one e-mail."""
        answer = self._answer
        if answer.keep and isinstance(envelope.content, bytes):
            whole = self._folder / f"{time.time_ns()}.new"
            whole.write_bytes(envelope.content)
            whole.replace(whole.with_suffix(".eml"))
        if answer.hang:
            await asyncio.Event().wait()
        return answer.say

    async def _listen(self, _app: web.Application) -> AsyncGenerator[None, None]:
        server = await asyncio.get_running_loop().create_server(self._protocol, HOST, 0)
        self._smtp_port = server.sockets[0].getsockname()[1]
        yield
        server.close()

    def _protocol(self) -> SMTP:
        return SMTP(
            self, enable_SMTPUTF8=True, data_size_limit=_LONGEST_BYTES, hostname="mail.sandbox", ident="sandbox"
        )

    async def _list(self, _request: web.Request) -> web.Response:
        names = sorted(path.name for path in self._folder.glob("*.eml"))
        return web.json_response({"smtp_port": self._smtp_port, "mails": names})

    async def _show(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in {path.name for path in self._folder.glob("*.eml")}:
            raise web.HTTPNotFound
        return web.Response(body=(self._folder / name).read_bytes(), content_type="message/rfc822")

    async def _set_answer(self, request: web.Request) -> web.Response:
        self._answer = Answer(**await request.json())
        return web.json_response({})


if __name__ == "__main__":
    run_stand_in(lambda: MailStandIn(Path.cwd()).make_app(), "A stand-in for a mail server.")
