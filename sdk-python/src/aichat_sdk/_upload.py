"""Sends the requests of a call that streams them, and keeps the status with which the server ends it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import grpc

# gRPC replaces the server's status by one of its own with these details, if a request was being written when the server
# ended the call.
_REPLACED = "Internal error from Core"

ValueT = TypeVar("ValueT")
_Call = grpc.aio.StreamUnaryCall[bytes, bytes]


async def send_all(call: _Call, requests: AsyncIterable[bytes]) -> bytes:
    """Writes the requests as far as the server reads them, and returns its response; raises AioRpcError if it fails."""
    ends: list[grpc.aio.AioRpcError] = []
    call.add_done_callback(lambda ended: ends.append(_end_of(ended)))
    await _write(call, requests)
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        raise next((end for end in ends if end.details() != _REPLACED), error) from None


async def _write(call: _Call, requests: AsyncIterable[bytes]) -> None:
    async for request in requests:
        try:
            await call.write(request)
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            # The server has ended the call before the last request; its status says why.
            return
    with suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
        await call.done_writing()


def _end_of(call: _Call) -> grpc.aio.AioRpcError:
    """Returns the status of a call that has just got it."""
    return grpc.aio.AioRpcError(
        _now(call.code()), _now(call.initial_metadata()), _now(call.trailing_metadata()), details=_now(call.details())
    )


def _now(coroutine: Coroutine[Any, Any, ValueT]) -> ValueT:
    """Returns the result of a coroutine that does not wait."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: ValueT = stop.value
        return result
    raise RuntimeError("the call has no status yet")
