"""A Lua script that Redis stores, and batches of its calls."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from typing import Any

from redis.exceptions import NoScriptError

from aichat_server.core.redis.client import ATTEMPTS, AnyRedis, ask, ask_all

ScriptCall = tuple[Sequence[str], Sequence[str | bytes | int]]
"""Its keys, all in one slot of a cluster, and its arguments."""


class Script:
    """One script. Raises RedisUnavailableError if no node answers in time."""

    def __init__(self, redis: AnyRedis, source: str, *, attempts: int = ATTEMPTS) -> None:
        """`attempts`: more than one for a script that may run twice."""
        self._redis = redis
        self._source = source
        self._digest = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()
        self._attempts = attempts

    async def run(self, calls: Sequence[ScriptCall]) -> list[Any]:
        """Returns each call's result, or its error, all in one round trip; one to each node of a cluster."""
        answers = await self._send(calls)
        unknown = [place for place, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:
            # Not all of them are needed, since another process may have loaded the script in the meantime.
            await ask(self._redis, partial(self._redis.script_load, self._source))
            again = await self._send([calls[place] for place in unknown])
            for place, answer in zip(unknown, again, strict=True):
                answers[place] = answer
        return answers

    async def _send(self, calls: Sequence[ScriptCall]) -> list[Any]:
        commands = [("EVALSHA", self._digest, len(keys), *keys, *arguments) for keys, arguments in calls]
        return await ask_all(self._redis, commands, attempts=self._attempts)
