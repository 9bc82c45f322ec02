"""The relays that the server is compared with: they only forward a vendor's deltas over gRPC.

`bare` is grpc.aio plus raw HTTP: the minimum. `typed` loops over the vendor's SDK's typed stream, as most code does.
Neither has users, a database, or more than one vendor.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import aiohttp
import grpc
import msgspec
from aichat.v1 import chat_pb2, events_pb2
from aichat_server.providers.gateway.tick import Tick
from openai import AsyncOpenAI

Request = chat_pb2.StreamChatRequest
Response = chat_pb2.StreamChatResponse
Context = grpc.aio.ServicerContext[Request, Response]
Relay = Callable[[Request, Context], AsyncGenerator[Response, None]]

WINDOW_SECONDS = 0.05


class _Delta(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta


class _Chunk(msgspec.Struct):
    choices: list[_Choice]


_decode = msgspec.json.Decoder(_Chunk).decode


def _body(request: Request) -> dict[str, object]:
    messages = [{"role": "user", "content": request.parts[0].text.text}]
    return {"model": request.model, "messages": messages, "stream": True}


def _response(sequence: int, text: str) -> Response:
    return Response(sequence=sequence, text_delta=events_pb2.TextDelta(text=text))


def bare(upstream: str, session: aiohttp.ClientSession) -> Relay:
    """Raw HTTP in, grpc.aio out."""

    async def relay(request: Request, _context: Context) -> AsyncGenerator[Response, None]:
        sequence = 0
        async with session.post(f"{upstream}/chat/completions", json=_body(request)) as response:
            async for line in response.content:
                if not line.startswith(b"data: {"):
                    continue
                choices = _decode(line[6:]).choices
                if choices and choices[0].delta.content:
                    sequence += 1
                    yield _response(sequence, choices[0].delta.content)

    return relay


def ticked(upstream: str, session: aiohttp.ClientSession, tick: Tick) -> Relay:
    """The same, read by tick: all deltas of a window become one message."""

    async def relay(request: Request, _context: Context) -> AsyncGenerator[Response, None]:
        sequence = 0
        async with session.post(f"{upstream}/chat/completions", json=_body(request)) as response:
            connection, rest = _connection(response), b""
            while piece := await response.content.readany():
                *lines, rest = (rest + piece).split(b"\n")
                chunks = [_decode(line[6:]) for line in lines if line.startswith(b"data: {")]
                text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
                if text:
                    sequence += 1
                    yield _response(sequence, text)
                if connection is not None and not response.content.is_eof():
                    tick.hold(connection)

    return relay


def _connection(response: aiohttp.ClientResponse) -> asyncio.Transport | None:
    return response.connection.transport if response.connection is not None else None


def typed(upstream: str) -> Relay:
    """The SDK's typed stream in, grpc.aio out."""
    client = AsyncOpenAI(base_url=upstream, api_key="bench", max_retries=0)

    async def relay(request: Request, _context: Context) -> AsyncGenerator[Response, None]:
        sequence = 0
        text = request.parts[0].text.text
        stream = await client.chat.completions.create(
            model=request.model, messages=[{"role": "user", "content": text}], stream=True
        )
        async for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                sequence += 1
                yield _response(sequence, chunk.choices[0].delta.content)

    return relay


async def serve(kind: str, upstream: str, port_file: Path) -> None:
    """Serves one relay until SIGTERM."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers={"authorization": "Bearer bench"}) as session:
        server = grpc.aio.server()
        relays = {
            "bare": lambda: bare(upstream, session),
            "ticked": lambda: ticked(upstream, session, Tick(WINDOW_SECONDS)),
            "typed": lambda: typed(upstream),
        }
        handler = grpc.unary_stream_rpc_method_handler(
            relays[kind](),
            request_deserializer=Request.FromString,
            response_serializer=Response.SerializeToString,
        )
        service = grpc.method_handlers_generic_handler("aichat.v1.ChatService", {"StreamChat": handler})
        server.add_generic_rpc_handlers((service,))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        await asyncio.to_thread(port_file.write_text, str(port))
        await stopped.wait()
        await server.stop(None)


def main() -> None:
    """Parses the command line and serves."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["bare", "ticked", "typed"])
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--port-file", type=Path, required=True)
    arguments = parser.parse_args()
    asyncio.run(serve(arguments.kind, arguments.upstream, arguments.port_file))


if __name__ == "__main__":
    main()
