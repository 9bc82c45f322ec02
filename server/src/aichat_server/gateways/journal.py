"""The events of running answers in Redis, where every replica finds them: a stream for each generation.

An entry holds what a generation produced in one interval, and its id is `<number of its last event>-0`, or
`<number of the last event>-1` where it says how the answer ended. So a position in the journal is an id in the stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from redis.asyncio import Redis

from aichat_server.domain.errors import Reason
from aichat_server.domain.stream import GenerationKey, Portion, Position
from aichat_server.gateways.portions import decode_portion, encode_portion
from aichat_server.gateways.redis import redis_errors

# For each stream: where it must stand, the entry's id and bytes, and the milliseconds to keep it for; no bytes if there
# is nothing new. A stream that stands elsewhere, because Redis has lost it or an earlier write was not acknowledged, is
# left as it is; and one that Redis refuses to read or to write keeps no other from being written.
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
# Streams that end so may have ended without their answer being stored.
_UNSTORED = (Reason.STORAGE_UNAVAILABLE, Reason.INTERNAL)


@dataclass(frozen=True, slots=True)
class Append:
    """What a stream is to be given."""

    key: GenerationKey
    after: Position
    """Where the stream is taken to stand."""
    portion: Portion
    """The events behind `after`; if it ends there too, the stream is only kept from expiring."""
    entry: bytes = field(init=False, repr=False)
    """The portion as it is stored; made at once, so that one which cannot be stored spoils no batch."""

    def __post_init__(self) -> None:
        """Fails if the portion cannot be stored."""
        entry = encode_portion(self.portion) if self.portion.position != self.after else b""
        object.__setattr__(self, "entry", entry)


class JournalStreams:
    """Writes and reads the streams. RedisUnavailableError if that does not work."""

    def __init__(self, redis: Redis, *, retention_seconds: float, rescue_seconds: float) -> None:
        """How long a stream is kept after it was last written to, or kept from expiring.

        `retention_seconds`: where the answer has ended. `rescue_seconds`: where its end is not stored yet, so that the
        stream alone knows it, should its process be lost.
        """
        self._redis = redis
        self._append = redis.register_script(_APPEND)
        self._retention_seconds = retention_seconds
        self._rescue_seconds = rescue_seconds

    async def append(self, batch: Sequence[Append]) -> list[Position]:
        """Appends to all the streams in one round trip; returns where each of them stands now.

        That is no further than before for a stream that Redis does not take.
        """
        keys = [_name(item.key) for item in batch]
        arguments: list[str | bytes | int] = []
        for item in batch:
            ends = _entry_id(item.after), _entry_id(item.portion.position)
            arguments += (*ends, item.entry, self._keep_ms(item.portion))
        with redis_errors():
            held = await self._append(keys, arguments)
        return [_position(entry_id) for entry_id in held]

    def _keep_ms(self, portion: Portion) -> int:
        stored = portion.position.ended and (portion.failure is None or portion.failure.reason not in _UNSTORED)
        return max(1, round(1000 * (self._retention_seconds if stored else self._rescue_seconds)))

    async def read(
        self, positions: Mapping[GenerationKey, Position], wait_seconds: float
    ) -> dict[GenerationKey, list[Portion]]:
        """What the streams hold behind these positions; if that is nothing, waits for it, `wait_seconds` at most."""
        names = {_name(key).encode(): key for key in positions}
        # The client's types do not say what it returns here.
        streams: Any = dict(zip(names, map(_entry_id, positions.values()), strict=True))
        block = max(1, round(wait_seconds * 1000))
        with redis_errors():
            found: Any = await self._redis.xread(streams, count=_MOST_ENTRIES, block=block)
        return {names[name]: list(_portions(entries)) for name, entries in found}


def _portions(entries: Iterable[tuple[bytes, Mapping[bytes, bytes]]]) -> Iterator[Portion]:
    for entry_id, fields in entries:
        position = _position(entry_id)
        try:
            yield decode_portion(position, fields[b"e"])
        except (msgspec.DecodeError, ValueError, KeyError):
            # Written by another version of this server, or by somebody else: a gap in the stream.
            yield Portion(position, ())


def _name(key: GenerationKey) -> str:
    return f"aichat:journal:{key.org_id}:{key.generation_id}"


def _entry_id(position: Position) -> str:
    return f"{position.sequence}-{int(position.ended)}"


def _position(entry_id: bytes) -> Position:
    sequence, _, ended = entry_id.partition(b"-")
    return Position(int(sequence), ended == b"1")
