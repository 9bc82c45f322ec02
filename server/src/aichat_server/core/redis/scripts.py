"""A Lua script that Redis keeps, and calls of it that travel together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from typing import Any

from redis.exceptions import NoScriptError

from aichat_server.core.redis.client import ATTEMPTS, AnyRedis, ask, ask_all

ScriptCall = tuple[Sequence[str], Sequence[str | bytes | int]]
"""Its keys, which are of one slot where Redis is a cluster, and its arguments."""


class Script:
    """One script. RedisUnavailableError where no node answers in time."""

    def __init__(self, redis: AnyRedis, source: str, *, attempts: int = ATTEMPTS) -> None:
        """`attempts`: more than one for a script that may be run twice."""
        self._redis = redis
        self._source = source
        self._digest = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
        self._attempts = attempts

    async def run(self, calls: Sequence[ScriptCall]) -> list[Any]:
        """What each call gives, or its error, all in one round trip; to each of the nodes, where Redis is a cluster."""
        answers = await self._send(calls)
        unknown = [place for place, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:
            # Not all need be, since another process may have brought the script meanwhile.
            await ask(self._redis, partial(self._redis.script_load, self._source))
            again = await self._send([calls[place] for place in unknown])
            for place, answer in zip(unknown, again, strict=True):
                answers[place] = answer
        return answers

    async def _send(self, calls: Sequence[ScriptCall]) -> list[Any]:
        commands = [("EVALSHA", self._digest, len(keys), *keys, *arguments) for keys, arguments in calls]
        return await ask_all(self._redis, commands, attempts=self._attempts)
