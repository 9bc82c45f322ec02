"""The server: checks the key, reads the script, sends the frames, and logs the request."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

from aiohttp import web

from .anthropic import Anthropic
from .asked import Asked
from .embeddings import Embedder, GeminiEmbeddings, OpenAIEmbeddings
from .gemini import Gemini
from .openai import OpenAI
from .openai_responses import OpenAIResponses
from .protocol import Frames, Vendor, encoded
from .reply import Reply
from .script import Script, script_for

LOG_LENGTH = 1000
HUGE_BYTES = 10_000_000
IDLE_SECONDS = 1.0
_UNREADABLE = (AttributeError, KeyError, TypeError, ValueError)
"""What reading a request raises that is not as it should be."""
SECRET_HEADERS = {"authorization", "x-api-key", "x-goog-api-key"}
VENDORS: tuple[Callable[[], Vendor], ...] = (Anthropic, OpenAI, OpenAIResponses, Gemini)
EMBEDDERS: tuple[Callable[[], Embedder], ...] = (OpenAIEmbeddings, GeminiEmbeddings)


@dataclass(slots=True)
class Entry:
    """One line of the log."""

    vendor: str
    path: str
    model: str
    body: dict[str, Any]
    headers: dict[str, str]
    connection: str
    """The client's address and port of the request's connection."""
    deltas_sent: int = 0
    finished: bool = False
    """Whether the whole reply was sent, an error reply included."""
    client_closed: bool = False
    """Whether the client disconnected before that."""
    closed_at: float | None = None
    """When it disconnected, in seconds of this machine's monotonic clock."""
    billed: dict[str, Any] | None = None
    """The usage billed for a whole reply, in the vendor's form."""


Bills = Counter[tuple[str, str, str]]
"""How many replies were billed, by vendor, model and usage, a JSON object. Unlike the log it has no size limit."""


def make_app() -> web.Application:
    """Creates the server, with an empty log."""
    log: deque[Entry] = deque(maxlen=LOG_LENGTH)
    bills: Bills = Counter()
    failed: Counter[str] = Counter()

    async def show(_: web.Request) -> web.Response:
        return web.json_response([asdict(entry) for entry in log])

    async def clear(_: web.Request) -> web.Response:
        log.clear()
        bills.clear()
        return web.json_response([])

    async def show_bills(_: web.Request) -> web.Response:
        told = [
            {"vendor": vendor, "model": model, "usage": json.loads(usage), "replies": replies}
            for (vendor, model, usage), replies in bills.items()
        ]
        return web.json_response(told)

    app = web.Application(client_max_size=64 << 20)
    app.add_routes([web.get("/_log", show), web.delete("/_log", clear), web.get("/_bills", show_bills)])
    for vendor in [make() for make in VENDORS]:
        app.add_routes([web.post(path, _handler(vendor, log, bills, failed)) for path in vendor.paths])
        app.add_routes([web.post(path, _counter(vendor, log)) for path in vendor.counting_paths])
    for embedder in [make() for make in EMBEDDERS]:
        app.add_routes([web.post(path, _embedder(embedder, log, bills, failed)) for path in embedder.paths])
    return app


def _embedder(
    vendor: Embedder, log: deque[Entry], bills: Bills, failed: Counter[str]
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def embed(request: web.Request) -> web.StreamResponse:
        if not vendor.key(request):
            return vendor.failure(401, "No API key was given.", None)
        try:
            body = await request.json()
            asked = vendor.read(request, body)
            script = _this_time(script_for(asked.asked, vendor.name), asked.asked, failed)
        except _UNREADABLE as error:
            return vendor.failure(400, _problem(error), None)
        entry = _entry(vendor, request, asked.asked, body)
        log.append(entry)
        try:
            if script.hang:
                await _forever()
            await asyncio.sleep(script.interval_ms / 1000)
        except asyncio.CancelledError:
            entry.client_closed, entry.closed_at = True, time.monotonic()
            raise
        entry.finished = True
        if script.status is not None:
            return vendor.failure(script.status, script.message or f"Scripted failure {script.status}.", None)
        usage = {**vendor.usage(asked), **script.usage}
        bills[vendor.name, asked.model, json.dumps(usage, sort_keys=True)] += 1
        told = vendor.answer(asked, {} if script.no_usage else usage)
        return web.Response(body=encoded(told), content_type="application/json")

    return embed


def _counter(vendor: Vendor, log: deque[Entry]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def count(request: web.Request) -> web.StreamResponse:
        if not vendor.key(request):
            return vendor.failure(401, "No API key was given.", None)
        try:
            body = await request.json()
            asked = vendor.asked(request, body)
        except _UNREADABLE as error:
            return vendor.failure(400, _problem(error), None)
        log.append(replace(_entry(vendor, request, asked, body), finished=True))
        return web.Response(body=encoded(vendor.counted(asked)), content_type="application/json")

    return count


def _handler(
    vendor: Vendor, log: deque[Entry], bills: Bills, failed: Counter[str]
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def handle(request: web.Request) -> web.StreamResponse:
        if not vendor.key(request):
            return vendor.failure(401, "No API key was given.", None)
        try:
            body = await request.json()
            asked = vendor.asked(request, body)
            script = _this_time(script_for(asked, vendor.name), asked, failed)
            reply = Reply.to(asked, script)
        except _UNREADABLE as error:
            return vendor.failure(400, _problem(error), None)
        entry = _entry(vendor, request, asked, body)
        log.append(entry)
        try:
            if script.hang:
                await _forever()
            if script.status is not None:
                entry.finished = True
                return vendor.failure(
                    script.status, script.message or f"Scripted failure {script.status}.", script.retry_after
                )
            return await _play(request, vendor.frames(reply), script, entry)
        except (asyncio.CancelledError, ConnectionError):
            entry.client_closed, entry.closed_at = True, time.monotonic()
            raise
        finally:
            if entry.billed is not None:
                bills[vendor.name, asked.model, json.dumps(entry.billed, sort_keys=True)] += 1

    return handle


def _problem(error: Exception) -> str:
    """Returns what is wrong with a request: what a check says, or what reading it raised."""
    return str(error) if isinstance(error, ValueError) else f"The stand-in cannot read the request: {error!r}"


def _entry(vendor: Vendor | Embedder, request: web.Request, asked: Asked, body: dict[str, Any]) -> Entry:
    return Entry(vendor.name, request.path, asked.model, body, _headers(request), _connection(request))


def _this_time(script: Script, asked: Asked, failed: Counter[str]) -> Script:
    """Returns the script without its failures, once they have happened as often as it says."""
    if script.fail_times is None:
        return script
    text = asked.question
    if failed[text] >= script.fail_times:
        whole = replace(script, status=None, hang=False, hang_after=None)
        return replace(whole, cut_after=None, error_after=None, huge_after=None)
    failed[text] += 1
    return script


async def _play(request: web.Request, frames: Frames, script: Script, entry: Entry) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream", "cache-control": "no-cache"})
    await response.prepare(request)
    loop = asyncio.get_running_loop()
    due, interval = loop.time(), script.interval_ms / 1000
    pending = frames.opening
    for delta in (*frames.deltas, None):
        if script.hang_after == entry.deltas_sent:
            await response.write(pending)
            await _forever()
        if script.idle_after == entry.deltas_sent:
            await _idle(response, pending)
        if script.cut_after == entry.deltas_sent:
            rest = delta or frames.closing
            await response.write(pending + rest[: len(rest) // 2])
            return _cut(request, response)
        if script.error_after == entry.deltas_sent:
            pending += frames.error
            break
        if delta is None:
            pending += frames.closing
            entry.billed = dict(frames.usage)
            break
        # JSON allows spaces anywhere between tokens.
        padding = b" " * HUGE_BYTES if script.huge_after == entry.deltas_sent else b""
        event = delta.replace(b"data: {", b"data: {" + padding, 1)
        await _write(response, pending + event, split=script.split_utf8)
        pending = b""
        entry.deltas_sent += 1
        due += interval
        await asyncio.sleep(due - loop.time() if interval else 0)
    await response.write(pending)
    await response.write_eof()
    entry.finished = True
    return response


async def _write(response: web.StreamResponse, data: bytes, *, split: bool) -> None:
    lead = next((at for at, byte in enumerate(data) if byte >= 0xC0), None) if split else None
    if lead is not None:
        await response.write(data[: lead + 1])
        await asyncio.sleep(0.02)
        data = data[lead + 1 :]
    await response.write(data)


def _cut(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.close()
    return response


def _headers(request: web.Request) -> dict[str, str]:
    return {name.lower(): "***" if name.lower() in SECRET_HEADERS else value for name, value in request.headers.items()}


def _connection(request: web.Request) -> str:
    return str(request.transport.get_extra_info("peername")) if request.transport else ""


async def _idle(response: web.StreamResponse, pending: bytes) -> None:
    with suppress(ConnectionError):
        while True:
            await response.write(pending + b": still here\n\n")
            pending = b""
            await asyncio.sleep(IDLE_SECONDS)
    # The client has disconnected, and this task is about to be cancelled.
    await _forever()


async def _forever() -> None:
    await asyncio.get_running_loop().create_future()
