"""What the copy of a journal holds, for those who look at it once and do not follow it."""

from __future__ import annotations

from aichat_server.generations.domain.generation import GenerationKey
from aichat_server.generations.domain.stream import BEGINNING, Portion
from aichat_server.generations.gateway.journal import JournalStreams

# What is there is there: nobody waits for more.
_READ_SECONDS = 0.001


async def read_copy(streams: JournalStreams | None, key: GenerationKey) -> list[Portion]:
    """All of it from its beginning, as far as it has no gap; RedisUnavailableError.

    `streams`: None where there is no Redis, and so no copy of any journal.
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
