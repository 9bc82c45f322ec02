"""Stores how an answer ended, for as long as the process lives: the complete answer exists nowhere else."""

from __future__ import annotations

import asyncio

import structlog

from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.domain.generation import Ending, Known, Place
from aichat_server.generations.domain.sinks import Sink
from aichat_server.generations.service.failures import not_stored, stored_failure
from aichat_server.generations.service.handle import Handle

_log = structlog.get_logger()

_RETRY_SECONDS = 0.5


async def store(sink: Sink, ending: Ending, handle: Handle) -> Known | None:
    """Returns the generation as stored; None if it is gone.

    Waits for a database that is away. Raises STORAGE_UNAVAILABLE if it is away until the handle gives up.
    """
    try:
        async with handle.patience():
            return await _store(sink, ending)
    except TimeoutError as error:
        raise not_stored() from error


async def _store(sink: Sink, ending: Ending) -> Known | None:
    waiting = False
    while True:
        try:
            return await sink.end(ending)
        except AichatError as error:
            if error.reason is not Reason.STORAGE_UNAVAILABLE:
                raise
            if not waiting:
                _log.warning("answer waits for the database", generation_id=str(ending.generation_id))
            waiting = True
        await asyncio.sleep(_RETRY_SECONDS)


def other_end(sink: Sink, ending: Ending, known: Known | None, place: Place) -> AichatError | None:
    """Returns why what is stored is not this ending; None if it is.

    `place`: where the answer was to be kept.
    """
    if known is None:
        return None if ending.error_reason is not None else sink.not_kept(place, while_written=True)
    if known.state is ending.state and (known.answer is not None or ending.error_reason is not None):
        return None
    if (failure := stored_failure(known, sink.error_metadata(known.place))) is not None:
        # The generation was taken for lost, and ended, while this process was held up.
        return failure
    return sink.not_kept(place, while_written=True)
