"""A Lua script that Redis keeps, and calls of it that travel together."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from redis.exceptions import NoScriptError

from aichat_server.gateways.redis import AnyRedis

ScriptCall = tuple[Sequence[str], Sequence[str | bytes | int]]
"""Its keys, which are of one slot where Redis is a cluster, and its arguments."""


class Script:
    """One script. Whatever Redis or the way to it fails with is raised as it is."""

    def __init__(self, redis: AnyRedis, source: str) -> None:
        self._redis = redis
        self._source = source
        self._digest = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()

    async def run(self, calls: Sequence[ScriptCall]) -> list[Any]:
        """What each call gives, or its error, all in one round trip; to each of the nodes, where Redis is a cluster."""
        answers = await self._send(calls)
        unknown = [place for place, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:
            # Not all need be, since another process may have brought the script meanwhile.
            await self._redis.script_load(self._source)
            again = await self._send([calls[place] for place in unknown])
            for place, answer in zip(unknown, again, strict=True):
                answers[place] = answer
        return answers

    async def _send(self, calls: Sequence[ScriptCall]) -> list[Any]:
        async with self._redis.pipeline(transaction=False) as pipeline:
            for keys, arguments in calls:
                # By its name: the client lets no cluster's pipeline call the method.
                pipeline.execute_command("EVALSHA", self._digest, len(keys), *keys, *arguments)
            return list(await pipeline.execute(raise_on_error=False))
