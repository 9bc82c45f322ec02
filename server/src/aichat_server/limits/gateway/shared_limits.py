"""Rate limits that all server processes share, counted in Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeAlias

from aichat_server.core.redis.client import AnyRedis, open_redis
from aichat_server.core.redis.scripts import Script, ScriptCall
from aichat_server.limits.domain.limits import Claim, Exceeded, Granted

STREAM_SECONDS = 20
"""How long an open stream counts after its last renewal, if its process died."""
# Far more than a round trip takes, even for a busy process.
_ANSWER_SECONDS = 1.0
_PREFIX = "aichat:limits:"

_Future: TypeAlias = "asyncio.Future[list[int]]"
_Waiting: TypeAlias = tuple[ScriptCall, _Future]
_Answered: TypeAlias = list[tuple[_Future, list[int]]]


class LimitsAwayError(Exception):
    """Redis is unreachable, or does not answer in time."""


class SharedLimits:
    """The limits in Redis. Concurrent calls share round trips: one is in progress at a time."""

    def __init__(self, client: AnyRedis) -> None:
        source = Path(__file__).with_name("limits.lua").read_text(encoding="utf-8")
        # Nothing is sent twice: a step that Redis did before the connection broke would be done again.
        self._script = Script(client, source, attempts=1)
        self._waiting: list[_Waiting] = []
        self._sent: list[_Waiting] = []
        self._sender: asyncio.Task[_Answered] | None = None

    async def take(self, claim: Claim) -> Granted | Exceeded:
        """Grants the whole claim, or nothing; raises LimitsAwayError."""
        windows = claim.requests + claim.tokens
        limits = windows + claim.streams
        counts = (len(claim.requests), len(windows))
        most, amounts = [limit.most for limit in limits], [limit.amount for limit in windows]
        keys = [limit.key for limit in limits]
        answer = await self._call(keys, "take", *counts, claim.stream, STREAM_SECONDS, *most, *amounts)
        if answer[0]:
            return Granted(second=answer[1], joined=answer[0] == 2, room=answer[2], used=tuple(answer[3:]))
        _, number, used, milliseconds = answer
        return Exceeded(limits[number - 1], used, None if milliseconds < 0 else milliseconds / 1000)

    def end(self, claim: Claim, second: int, tokens: int) -> None:
        """Closes the claim's stream and corrects its tokens, before any later call.

        If Redis is unreachable, both expire by themselves.
        """
        keys = [limit.key for limit in claim.tokens + claim.streams]
        changes = [tokens - limit.amount for limit in claim.tokens]
        self._call(keys, "end", len(claim.tokens), claim.stream, second, *changes).add_done_callback(_ignore)

    async def renew(self, streams: Mapping[str, Collection[str]]) -> None:
        """Renews open streams, by the key of their limit; without any, checks that Redis answers."""
        calls = [self._call([key], "renew", STREAM_SECONDS, *names) for key, names in streams.items()]
        for failed in await asyncio.gather(*calls or [self._call([], "renew", STREAM_SECONDS)], return_exceptions=True):
            if isinstance(failed, BaseException):
                raise failed

    async def sent(self) -> None:
        """Waits until everything so far has been sent."""
        while self._sender is not None:
            await asyncio.wait({self._sender})

    def _call(self, keys: Sequence[str], *arguments: str | int) -> asyncio.Future[list[int]]:
        future: _Future = asyncio.get_running_loop().create_future()
        self._waiting.append((([_PREFIX + key for key in keys], arguments), future))
        if self._sender is None:
            self._begin()
        return future

    def _begin(self) -> None:
        self._sender = asyncio.get_running_loop().create_task(self._send())
        # Not in the task itself, which may be cancelled before it begins.
        self._sender.add_done_callback(self._end_round_trip)

    async def _send(self) -> _Answered:
        """Makes one round trip for all current waiters."""
        self._sent, self._waiting = self._waiting, []
        async with asyncio.timeout(_ANSWER_SECONDS):
            answers = await self._script.run([call for call, _ in self._sent])
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return [(future, answer) for (_, future), answer in zip(self._sent, answers, strict=True)]

    def _end_round_trip(self, sender: asyncio.Task[_Answered]) -> None:
        """Resolves the waiters, however the round trip ended; a failure also fails those behind them."""
        self._sender = None
        sent, self._sent = self._sent, []
        cause = asyncio.CancelledError() if sender.cancelled() else sender.exception()
        if cause is None:
            for future, answer in sender.result():
                _resolve(future, answer)
        else:
            error = LimitsAwayError(str(cause) or repr(cause))
            error.__cause__ = cause
            behind, self._waiting = self._waiting, []
            for _, future in (*sent, *behind):
                _resolve(future, error)
        if self._waiting:
            self._begin()


@asynccontextmanager
async def open_shared_limits(url: str) -> AsyncGenerator[SharedLimits, None]:
    """Opens the limits in the Redis at `url`, which need not be up yet; raises RedisUrlError."""
    async with open_redis(url) as client:
        limits = SharedLimits(client)
        yield limits
        await limits.sent()


def _resolve(future: _Future, answer: list[int] | Exception) -> None:
    if future.done():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)


def _ignore(future: _Future) -> None:
    with suppress(LimitsAwayError, asyncio.CancelledError):
        future.result()
