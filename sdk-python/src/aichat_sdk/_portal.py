"""Runs coroutines for callers that have no event loop: in one of its own, in a thread of its own."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Any, Final, TypeVar

from aichat_sdk.errors import ClosedError

# How long the end of a client waits for its thread. A function that a model called may still run in another one.
_STOP_SECONDS = 5.0
_CLOSED = "the client is closed: make the call inside its `with` block, or before close()"

ResultT = TypeVar("ResultT")
Close = Callable[[], Coroutine[Any, Any, None]]


class _End:
    """Marks the end of an iterator."""


_END: Final = _End()


class Portal:
    """An event loop in a thread, which begins with the first call. Any number of threads may use it at once."""

    def __init__(self, close: Close) -> None:
        """`close` runs last in the event loop: when the portal is closed or dropped, or the process ends."""
        self._close = close
        self._lock = threading.Lock()
        self._thread: _LoopThread | None = None
        self._closed = False
        self._stop: Callable[[], object] | None = None

    def run(self, coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Returns the coroutine's result; cancels it if its caller is interrupted, as by Ctrl-C."""
        future = self._submit(coroutine)
        try:
            return future.result()
        except CancelledError:
            raise ClosedError("the client or the stream was closed during the call") from None
        except BaseException:
            future.cancel()
            raise
        finally:
            # The failure's traceback holds this frame: without this, they would hold each other.
            del future

    def next(self, source: AsyncIterator[ResultT]) -> ResultT:
        """Returns the next item; raises StopIteration after the last."""
        item = self.run(_next(source))
        if isinstance(item, _End):
            raise StopIteration
        return item

    def iterate(self, source: AsyncIterator[ResultT]) -> Iterator[ResultT]:
        """Yields the items; each is awaited when it is needed."""
        while True:
            item = self.run(_next(source))
            if isinstance(item, _End):
                return
            yield item

    def finish(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Runs a coroutine that closes something; after the portal's end, all is closed."""
        with suppress(ClosedError):
            self.run(coroutine)

    def close(self) -> None:
        """Closes what runs, and ends the thread."""
        with self._lock:
            self._closed = True
        if self._stop is not None:
            self._stop()

    def _submit(self, coroutine: Coroutine[Any, Any, ResultT]) -> Future[ResultT]:
        try:
            if self._thread is not None:
                self._thread.check()
            with self._lock:
                if self._closed:
                    raise ClosedError(_CLOSED)
                thread = self._started()
                if thread.loop.is_closed():
                    # The process ends: functions of `atexit` that were registered before the first call run last.
                    raise ClosedError(_CLOSED)
                return asyncio.run_coroutine_threadsafe(coroutine, thread.loop)
        except BaseException:
            coroutine.close()
            raise

    def _started(self) -> _LoopThread:
        if self._thread is None:
            self._thread = _LoopThread(self._close)
            # Also called at the end of the process.
            self._stop = weakref.finalize(self, self._thread.stop)
        return self._thread


class _LoopThread:
    """The thread and its event loop. It does not hold the portal, so that a dropped portal ends it."""

    def __init__(self, close: Close) -> None:
        self._process = os.getpid()
        self._stopped = asyncio.Event()
        begun: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=_run, args=(begun, self._stopped, close), name="aichat-sdk", daemon=True)
        self._thread.start()
        self.loop = begun.result()

    def check(self) -> None:
        """Raises ClosedError in a process that was forked later, and RuntimeError in the thread itself."""
        if self._process != os.getpid():
            raise ClosedError(
                "the process was forked after a client had been in use: make the first call after the fork, or start "
                "processes by `spawn`"
            )
        if self._thread is threading.current_thread():
            raise RuntimeError("AIChat was called by its own event loop, which would wait for itself: use AsyncAIChat")

    def stop(self) -> None:
        """Ends the event loop, and waits for that."""
        if self._process != os.getpid():
            return
        with suppress(RuntimeError):  # the event loop has ended
            self.loop.call_soon_threadsafe(self._stopped.set)
        if self._thread is not threading.current_thread():
            self._thread.join(_STOP_SECONDS)


def _run(begun: Future[asyncio.AbstractEventLoop], stopped: asyncio.Event, close: Close) -> None:
    with asyncio.Runner() as runner:
        runner.run(_until(begun, stopped, close))


async def _until(begun: Future[asyncio.AbstractEventLoop], stopped: asyncio.Event, close: Close) -> None:
    begun.set_result(asyncio.get_running_loop())
    await stopped.wait()
    await close()


async def _next(source: AsyncIterator[ResultT]) -> ResultT | _End:
    return await anext(source, _END)
