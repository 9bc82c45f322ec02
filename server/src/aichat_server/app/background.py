"""Background work that continues as long as the process, whatever happens to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import NoReturn

import structlog

from aichat_server.core.observing import ProcessObserver

_log = structlog.get_logger()

Work = Callable[[], Coroutine[None, None, NoReturn]]

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 5.0
# Work that ran this long has recovered from its earlier failure.
_STEADY_SECONDS = 60.0
# A library that is just closing a connection may lose a cancellation: it is sent again.
_CANCEL_AGAIN_SECONDS = 0.2
_STOP_SECONDS = 5.0


@asynccontextmanager
async def running(observer: ProcessObserver, **works: Work) -> AsyncGenerator[None, None]:
    """Keeps each of the works running, and stops them at the end, whatever they do.

    Work that ends is logged under its name, counted, and restarted.
    """
    tasks = {asyncio.create_task(_keep_running(name, work, observer), name=name) for name, work in works.items()}
    try:
        yield
    finally:
        await _stop(tasks)


async def _keep_running(name: str, work: Work, observer: ProcessObserver) -> NoReturn:
    loop = asyncio.get_running_loop()
    pause = _FIRST_PAUSE_SECONDS
    while True:
        began = loop.time()
        cause: BaseException | None = None
        try:
            await work()
        except asyncio.CancelledError as error:
            if _is_being_cancelled():
                raise
            cause = error
        except Exception as error:  # noqa: BLE001 — whatever it is, the work must go on
            cause = error
        if loop.time() - began > _STEADY_SECONDS:
            pause = _FIRST_PAUSE_SECONDS
        _log.error("background task ended, and is started again", task=name, seconds=pause, exc_info=cause)
        observer.task_failed(name)
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


async def _stop(tasks: set[asyncio.Task[NoReturn]]) -> None:
    """Cancels the tasks until they have ended, for a while; one that remains ends with the process."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _STOP_SECONDS
    left = tasks
    while left and loop.time() < deadline:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_CANCEL_AGAIN_SECONDS)
    if left:
        _log.error("background tasks do not end", tasks=sorted(task.get_name() for task in left))
