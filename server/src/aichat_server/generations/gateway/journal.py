"""The events of running answers in Redis, where every replica finds them: a stream for each generation.

An entry holds what a generation produced in one interval, and its id is `<number of its last event>-0`, or
`<number of the last event>-1` where it says how the answer ended. So a position in the journal is an id in the stream.

Nothing waits inside Redis: some that speak its protocol cannot (Upstash), and of a cluster one node alone could.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from redis.asyncio import RedisCluster

from aichat_server.core.errors import Reason
from aichat_server.core.redis.client import AnyRedis, ask_all, unavailable
from aichat_server.core.redis.scripts import Script
from aichat_server.generations.domain.generation import GenerationKey
from aichat_server.generations.domain.stream import Portion, Position
from aichat_server.generations.gateway.portions import decode_portion, encode_portion

# Arguments for each stream: its expected position, the new entry's id and bytes, and the milliseconds to keep it. The
# bytes are empty if there is nothing new. A stream at another position is left as it is: Redis has lost it, or an
# earlier write was not acknowledged. A stream that Redis refuses to read or write does not stop the others.
_APPEND = """
local function append(key, after, id, entry, keep)
  local last = redis.pcall('XREVRANGE', key, '+', '-', 'COUNT', 1)
  if last.err then
    return after
  end
  local held = last[1] and last[1][1] or '0-0'
  if held == after and entry ~= '' then
    local added = redis.pcall('XADD', key, id, 'e', entry)
    if type(added) == 'table' and added.err then
      return after
    end
    held = id
  end
  redis.pcall('PEXPIRE', key, keep)
  return held
end
local held = {}
for i, key in ipairs(KEYS) do
  held[i] = append(key, unpack(ARGV, 4 * i - 3, 4 * i))
end
return held
"""
_MOST_ENTRIES = 1000
_LOOK_SECONDS = 0.04
# A stream with such an end may have an answer that is not stored.
_UNSTORED = (Reason.STORAGE_UNAVAILABLE, Reason.INTERNAL)


@dataclass(frozen=True, slots=True)
class Append:
    """What to append to a stream."""

    key: GenerationKey
    after: Position
    """The position that the stream should have."""
    portion: Portion
    """The events after `after`. If there are none, the stream is only kept from expiring."""
    entry: bytes = field(init=False, repr=False)
    """The encoded portion. It is encoded at once, so that a portion which cannot be encoded spoils no batch."""

    def __post_init__(self) -> None:
        """Raises an error if the portion cannot be encoded."""
        entry = encode_portion(self.portion) if self.portion.position != self.after else b""
        object.__setattr__(self, "entry", entry)


class JournalStreams:
    """Writes and reads the streams. Its methods raise RedisUnavailableError."""

    def __init__(self, redis: AnyRedis, *, retention_seconds: float, rescue_seconds: float) -> None:
        """Both say how long a stream is kept after it was last written to, or kept from expiring.

        `retention_seconds`: after the answer has ended. `rescue_seconds`: while its end is not stored, since only the
        stream knows the answer if its process is lost.
        """
        self._redis = redis
        self._append = Script(redis, _APPEND)
        self._retention_seconds = retention_seconds
        self._rescue_seconds = rescue_seconds

    async def append(self, batch: Sequence[Append]) -> list[Position]:
        """Appends to all streams in one round trip. Returns the position of each stream.

        If Redis, or a node of a cluster, refuses a stream, its position stays as it was.
        """
        calls = self._together(batch)
        held = {item.key: item.after for item in batch}
        answers = await self._append.run([*map(self._call, calls)])
        _check(answers)
        for items, answer in zip(calls, answers, strict=True):
            if not isinstance(answer, Exception):
                held |= {item.key: _position(entry_id) for item, entry_id in zip(items, answer, strict=True)}
        return [held[item.key] for item in batch]

    def _together(self, batch: Sequence[Append]) -> Sequence[Sequence[Append]]:
        """Groups what one call may append: everything, or, in a cluster, what is in one organisation's slot."""
        if not isinstance(self._redis, RedisCluster):
            return [batch]
        by_organization = defaultdict[object, list[Append]](list)
        for item in batch:
            by_organization[item.key.org_id].append(item)
        return [*by_organization.values()]

    def _call(self, items: Sequence[Append]) -> tuple[list[str], list[str | bytes | int]]:
        arguments: list[str | bytes | int] = []
        for item in items:
            ends = _entry_id(item.after), _entry_id(item.portion.position)
            arguments += (*ends, item.entry, self._keep_ms(item.portion))
        return [_name(item.key) for item in items], arguments

    def _keep_ms(self, portion: Portion) -> int:
        stored = portion.position.ended and (portion.failure is None or portion.failure.reason not in _UNSTORED)
        return max(1, round(1000 * (self._retention_seconds if stored else self._rescue_seconds)))

    async def read(
        self, positions: Mapping[GenerationKey, Position], wait_seconds: float
    ) -> dict[GenerationKey, list[Portion]]:
        """Returns what the streams hold after these positions. If that is nothing, waits `wait_seconds` at most."""
        loop = asyncio.get_running_loop()
        until = loop.time() + wait_seconds
        while True:
            found = await self._look(positions)
            left = until - loop.time()
            if found or left <= 0:
                return {key: list(_portions(entries)) for key, entries in found.items()}
            await asyncio.sleep(min(left, _LOOK_SECONDS))

    async def _look(self, positions: Mapping[GenerationKey, Position]) -> dict[GenerationKey, Any]:
        """Returns the new entries of each stream that has some and can be read."""
        reads = [
            ("XRANGE", _name(key), _next_id(position), "+", "COUNT", _MOST_ENTRIES)
            for key, position in positions.items()
        ]
        answers = await ask_all(self._redis, reads)
        _check(answers)
        found = zip(positions, answers, strict=True)
        return {key: entries for key, entries in found if entries and not isinstance(entries, Exception)}


def _check(answers: Sequence[object]) -> None:
    """Raises RedisUnavailableError if all answers are errors."""
    failures = [answer for answer in answers if isinstance(answer, Exception)]
    if failures and len(failures) == len(answers):
        raise unavailable(failures[0]) from failures[0]


def _portions(entries: Iterable[tuple[bytes, Mapping[bytes, bytes]]]) -> Iterator[Portion]:
    for entry_id, fields in entries:
        position = _position(entry_id)
        try:
            yield decode_portion(position, fields[b"e"])
        except (msgspec.DecodeError, ValueError, KeyError):
            # Another version of this server, or something else, has written it: a gap in the stream.
            yield Portion(position, ())


def _name(key: GenerationKey) -> str:
    # A Redis cluster stores keys together that have the same text in braces.
    return f"aichat:journal:{{{key.org_id}}}:{key.generation_id}"


def _entry_id(position: Position) -> str:
    return f"{position.sequence}-{int(position.ended)}"


def _next_id(position: Position) -> str:
    """Returns the least id after the position."""
    return f"{position.sequence}-{int(position.ended) + 1}"


def _position(entry_id: bytes) -> Position:
    sequence, _, ended = entry_id.partition(b"-")
    return Position(int(sequence), ended == b"1")
