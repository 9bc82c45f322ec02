"""Reads the requests of calls: small ones, a large one, or several."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import cast

from grpc.aio import EOF

from aichat_server.core.errors import AichatError, Reason, invalid_request
from aichat_server.transport.access import MethodAccess
from aichat_server.transport.call import Context
from aichat_server.transport.counting import malformed
from aichat_server.transport.decoding import decode_request, too_large
from aichat_server.transport.room import Room, Taken

SILENCE_SECONDS = 60.0
"""How long a caller may send nothing in the middle of its requests, as at the edge."""
MOST_REQUESTS = 16_384
"""Of one call: a file may arrive in pieces as small as TCP's."""
MOST_PIECE_BYTES = 1024 * 1024
"""Of a request of several."""
_AROUND = 64
"""The most bytes that stand around a piece of a file in its request."""


class RequestReader:
    """Reads the requests of one RPC's calls. Nothing that it has returned holds the bytes of a request any longer."""

    def __init__(
        self, access: MethodAccess, decode: Callable[[bytes], object], check: Callable[[object], None], room: Room
    ) -> None:
        """`check` raises AichatError for an invalid request; `room` bounds what large requests take."""
        self._access = access
        self._decode = decode
        self._check = check
        self._room = room

    def read(self, raw: bytes) -> object:
        """Returns a request that has been received; see decode_request."""
        request = decode_request(raw, self._access, self._decode, self._room)
        self._check(request)
        return request

    async def only(self, context: Context) -> object:
        """Receives and returns the only request of a call."""
        raw = await _next(context)
        if raw is None:
            raise malformed()
        return self.read(raw)

    async def each(self, context: Context, taken: Taken) -> AsyncGenerator[object, None]:
        """Receives and yields the requests of a call, whose bytes are added to what is `taken` of the room.

        Raises REQUEST_TOO_LARGE if all together are larger than one may be, and REQUEST_INVALID if there are too many.
        """
        count = 0
        while (raw := await _next(context)) is not None:
            count += 1
            if count > MOST_REQUESTS:
                raise invalid_request("", f"must not be sent in more than {MOST_REQUESTS} pieces")
            if len(raw) > MOST_PIECE_BYTES + _AROUND:
                raise too_large(len(raw), MOST_PIECE_BYTES)
            taken.grow(len(raw))
            if taken.size > self._access.max_request_bytes + _AROUND * count:
                raise too_large(taken.size, self._access.max_request_bytes)
            yield self.read(raw)


async def _next(context: Context) -> bytes | None:
    """Returns the next request; None at the end."""
    try:
        async with asyncio.timeout(SILENCE_SECONDS):
            raw = await context.read()
    except TimeoutError as cause:
        message = f"the request did not arrive in time: nothing came for {SILENCE_SECONDS:.0f} s"
        raise AichatError(Reason.REQUEST_MALFORMED, message) from cause
    return None if raw is EOF else cast("bytes", raw)
