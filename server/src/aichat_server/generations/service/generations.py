"""The generations that this process runs."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine
from typing import TypeVar

from aichat_server.core.errors import AichatError
from aichat_server.generations.domain.generation import Beginning, GenerationKey
from aichat_server.generations.domain.observing import GenerationObserver
from aichat_server.generations.domain.sinks import Sink
from aichat_server.generations.service.abandoned import Abandoned
from aichat_server.generations.service.generation import Generation
from aichat_server.generations.service.handle import Handle
from aichat_server.generations.service.journal import Journal
from aichat_server.generations.service.publisher import JournalPublisher

STORE_SECONDS = 2.5
"""After the grace of a drain, the remaining answers have this long to be stored."""
_TELL_SECONDS = 0.5

T = TypeVar("T")


class Generations:
    """Keeps generations running when their callers go away, and ends them when the process must end."""

    def __init__(
        self,
        publisher: JournalPublisher | None,
        observer: GenerationObserver,
        *,
        heartbeat_seconds: float,
    ) -> None:
        """`publisher`: None if no other replica reads the answers."""
        self._publisher = publisher
        self.heartbeat_seconds = heartbeat_seconds
        self.abandoned = Abandoned()
        self._open: dict[GenerationKey, Handle] = {}
        self._tasks: set[asyncio.Task[object]] = set()
        observer.watch_generations(self._open.__len__)

    def open(self, key: GenerationKey) -> Handle:
        """Returns the handle of a new generation, which `find` finds at once. Start, discard or abandon it next."""
        handle = Handle(Journal(self.heartbeat_seconds), announce_seconds=self.heartbeat_seconds)
        self._open[key] = handle
        return handle

    def find(self, key: GenerationKey) -> Handle | None:
        """Returns the generation's handle; None if this process does not run it."""
        return self._open.get(key)

    @property
    def keys(self) -> Collection[GenerationKey]:
        """The generations that this process runs now."""
        return tuple(self._open)

    def cancel(self, key: GenerationKey) -> bool:
        """Cancels the generation. Returns False if this process does not run it."""
        handle = self._open.get(key)
        if handle is not None:
            handle.cancel()
        return handle is not None

    def discard(self, key: GenerationKey, failure: AichatError | None = None) -> None:
        """Forgets a generation that does not run. Its readers, if there are any, get `failure`."""
        self._open.pop(key).journal.close(failure)

    def abandon(self, sink: Sink, beginning: Beginning, failure: AichatError) -> None:
        """Forgets a generation that may or may not have begun, and sees to it that it ends with `failure`."""
        if self._publisher is not None:
            self._publisher.publish(beginning.key, self._open[beginning.key].journal)
        self.discard(beginning.key, failure)
        self.abandoned.add(sink, beginning, failure)

    def start(self, generation: Generation) -> Journal:
        """Runs the generation until it has ended; returns its journal."""
        key, plan = generation.key, generation.plan
        handle = self._open[key]
        if self._publisher is not None:
            self._publisher.publish(key, handle.journal)
        if plan.request.cancel_on_disconnect:
            handle.journal.when_abandoned(handle.cancel)
        task = self.spawn(generation.run())
        task.add_done_callback(lambda _: self._open.pop(key))
        # The generation has done this, unless it was cancelled or failed before its end.
        task.add_done_callback(lambda _: plan.admission.end(tokens=0))
        return handle.journal

    def spawn(self, work: Coroutine[None, None, T]) -> asyncio.Task[T]:
        """Runs `work` to its end, even if the caller goes away."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def drain(self, grace_seconds: float) -> None:
        """Waits for what runs. Interrupts, and stores, what takes longer than `grace_seconds`.

        Storing takes STORE_SECONDS at most, and readers need a moment. The workers end what cannot be stored by then.
        """
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_seconds)
        give_up_at = asyncio.get_running_loop().time() + STORE_SECONDS
        # Their tasks continue: an answer that is being stored must not be cut off.
        for handle in self._open.values():
            handle.interrupt(give_up_at)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STORE_SECONDS + _TELL_SECONDS)
