"""Reads the copy of a journal once, without following it."""

from __future__ import annotations

from aichat_server.generations.domain.generation import GenerationKey
from aichat_server.generations.domain.stream import BEGINNING, Portion
from aichat_server.generations.gateway.journal import JournalStreams

# Nobody waits for more than there is.
_READ_SECONDS = 0.001


async def read_copy(streams: JournalStreams | None, key: GenerationKey) -> list[Portion]:
    """Returns the copy from its beginning, up to the first gap. Raises RedisUnavailableError.

    `streams`: None if there is no Redis, and so no copy of any journal.
    """
    portions, reached = list[Portion](), BEGINNING
    while streams is not None:
        news = (await streams.read({key: reached}, _READ_SECONDS)).get(key, [])
        for portion in news:
            if portion.position.sequence - len(portion.events) != reached.sequence:
                return portions
            portions.append(portion)
            reached = portion.position
        if not news:
            break
    return portions
