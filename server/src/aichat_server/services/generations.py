"""The generations that this process runs."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar
from uuid import UUID

from aichat_server.services.generation import Generation, GenerationPlan
from aichat_server.services.journal import Journal
from aichat_server.storage.turns import TurnStore

T = TypeVar("T")


class Generations:
    """Keeps generations running when their callers go away, and ends them when the process must end."""

    def __init__(self, turns: TurnStore, *, coalesce_seconds: float, heartbeat_seconds: float) -> None:
        self._turns = turns
        self._coalesce_seconds = coalesce_seconds
        self._heartbeat_seconds = heartbeat_seconds
        self._open: dict[UUID, Generation] = {}
        self._tasks: set[asyncio.Task[object]] = set()

    def journal(self) -> Journal:
        """A new journal, which tells its readers as often as this server promises."""
        return Journal(self._heartbeat_seconds)

    def open(self, generation_id: UUID) -> Generation:
        """A generation that can be found from now on, and is started or discarded next."""
        generation = Generation(
            self.journal(),
            self._turns,
            coalesce_seconds=self._coalesce_seconds,
            announce_seconds=self._heartbeat_seconds,
        )
        self._open[generation_id] = generation
        return generation

    def find(self, generation_id: UUID) -> Generation | None:
        """The generation, if this process runs it."""
        return self._open.get(generation_id)

    def discard(self, generation_id: UUID) -> None:
        """Forgets a generation that was not started."""
        del self._open[generation_id]

    def start(self, generation: Generation, plan: GenerationPlan) -> None:
        """Runs the generation until it has ended."""
        task = self.spawn(generation.run(plan))
        task.add_done_callback(lambda _: self.discard(plan.turn.generation_id))
        # Done already, unless the generation came to no end of its own.
        task.add_done_callback(lambda _: plan.admission.end(tokens=0))

    def spawn(self, work: Coroutine[None, None, T]) -> asyncio.Task[T]:
        """Runs `work` to its end whatever becomes of the caller."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def drain(self, grace_seconds: float) -> None:
        """Waits for what runs; ends as interrupted, and stores, what takes longer than `grace_seconds`."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_seconds)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
