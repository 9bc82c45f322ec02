"""The generations that this process runs."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine
from typing import TypeVar

from aichat_server.core.errors import AichatError
from aichat_server.generations.domain.generation import GenerationKey
from aichat_server.generations.domain.observing import GenerationObserver
from aichat_server.generations.service.abandoned import Abandoned
from aichat_server.generations.service.generation import Generation, GenerationPlan
from aichat_server.generations.service.journal import Journal
from aichat_server.generations.service.publisher import JournalPublisher
from aichat_server.generations.storage.turns import TurnBegin, TurnStore

STORE_SECONDS = 2.5
"""When the grace of a drain is over, what is left has so long to be stored."""
_TELL_SECONDS = 0.5

T = TypeVar("T")


class Generations:
    """Keeps generations running when their callers go away, and ends them when the process must end."""

    def __init__(
        self,
        turns: TurnStore,
        publisher: JournalPublisher | None,
        observer: GenerationObserver,
        *,
        coalesce_seconds: float,
        heartbeat_seconds: float,
    ) -> None:
        """`publisher`: None where no other replica is to read the answers."""
        self._turns = turns
        self._publisher = publisher
        self._observer = observer
        self._coalesce_seconds = coalesce_seconds
        self.heartbeat_seconds = heartbeat_seconds
        self.abandoned = Abandoned(turns)
        self._open: dict[GenerationKey, Generation] = {}
        self._tasks: set[asyncio.Task[object]] = set()
        observer.watch_generations(self._open.__len__)

    def open(self, key: GenerationKey) -> Generation:
        """A generation that can be found from now on, and is started or discarded next."""
        generation = Generation(
            Journal(self.heartbeat_seconds),
            self._turns,
            self._observer,
            coalesce_seconds=self._coalesce_seconds,
            announce_seconds=self.heartbeat_seconds,
        )
        self._open[key] = generation
        return generation

    def find(self, key: GenerationKey) -> Generation | None:
        """The generation, if this process runs it."""
        return self._open.get(key)

    @property
    def keys(self) -> Collection[GenerationKey]:
        """The generations that this process runs now."""
        return tuple(self._open)

    def cancel(self, key: GenerationKey) -> bool:
        """Cancels the generation if this process runs it; False if it does not."""
        generation = self._open.get(key)
        if generation is not None:
            generation.cancel()
        return generation is not None

    def discard(self, key: GenerationKey, failure: AichatError | None = None) -> None:
        """Forgets a generation that does not run; who reads it already hears of `failure`."""
        self._open.pop(key).journal.close(failure)

    def abandon(self, turn: TurnBegin, failure: AichatError) -> None:
        """Forgets a generation of which it is not known whether it has begun, and sees to it that it ends."""
        key = GenerationKey(turn.org_id, turn.generation_id)
        if self._publisher is not None:
            self._publisher.publish(key, self._open[key].journal)
        self.discard(key, failure)
        self.abandoned.add(turn, failure)

    def start(self, generation: Generation, plan: GenerationPlan) -> None:
        """Runs the generation until it has ended."""
        key = GenerationKey(plan.principal.org_id, plan.turn.generation_id)
        if self._publisher is not None:
            self._publisher.publish(key, generation.journal)
        if plan.cancel_on_disconnect:
            generation.journal.when_abandoned(generation.cancel)
        task = self.spawn(generation.run(plan))
        task.add_done_callback(lambda _: self._open.pop(key))
        # Done already, unless the generation came to no end of its own.
        task.add_done_callback(lambda _: plan.admission.end(tokens=0))

    def spawn(self, work: Coroutine[None, None, T]) -> asyncio.Task[T]:
        """Runs `work` to its end whatever becomes of the caller."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def drain(self, grace_seconds: float) -> None:
        """Waits for what runs; ends as interrupted, and stores, what takes longer than `grace_seconds`.

        That takes STORE_SECONDS at most, and a moment to tell readers. The workers end what cannot be stored meanwhile.
        """
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_seconds)
        give_up_at = asyncio.get_running_loop().time() + STORE_SECONDS
        # Their tasks go on: an answer that is being stored already must not be cut off.
        for generation in self._open.values():
            generation.interrupt(give_up_at)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=STORE_SECONDS + _TELL_SECONDS)
