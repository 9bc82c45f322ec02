"""What operators may want to see of the work, told where it happens and shown elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from aichat_server.core.errors import Reason
from aichat_server.generations.domain.generation import GenerationState
from aichat_server.jobs.domain.jobs import JobsSeen
from aichat_server.models.domain.usage import Usage


class SeenCall(Protocol):
    """A call of an RPC, of which more is known at its end than at its beginning."""

    @property
    def method(self) -> str:
        """For example "/aichat.v1.ChatService/StreamChat"."""
        ...

    @property
    def request_id(self) -> str:
        """The caller's, or else a new one."""
        ...

    @property
    def org_id(self) -> UUID | None:
        """None until the caller is known."""
        ...

    @property
    def status(self) -> str:
        """The name of the gRPC status that it ended with."""
        ...

    @property
    def reason(self) -> Reason | None:
        """Why it failed, if it did."""
        ...

    def values(self, key: str) -> list[str]:
        """The values of a header."""
        ...


TraceContext = Mapping[str, str]
"""What goes along with a message, so that what comes of it is of the same trace; empty where nobody traces."""


class AfterFailure(StrEnum):
    """What became of a turn whose vendor had failed."""

    RETRIED = "retried"
    REPLACED = "replaced"
    """By a fallback."""
    FAILED = "failed"


class KeyRefusal(StrEnum):
    """Why an API key was refused."""

    MALFORMED = "malformed"
    """It was never minted anywhere, as it tells by itself."""
    UNKNOWN = "unknown"
    REVOKED = "revoked"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class GenerationEnded:
    """An answer that is not being written any more."""

    org_id: UUID
    generation_id: UUID
    provider: str
    """That answered."""
    model: str
    state: GenerationState
    reason: Reason | None
    """Why it failed, if it did."""
    began_at: float
    """Unix seconds."""
    seconds: float
    """From then to the vendor's last word."""
    first_delta_seconds: float | None
    """From then to the first text or reasoning; None if none came."""
    deltas: int
    """How many came from the vendor."""
    usage: Usage


class Observer:
    """Is told of the work; this one takes no notice. Must be quick, and must not fail."""

    def call(self, call: SeenCall) -> AbstractContextManager[object]:  # noqa: ARG002 — for those who do take notice
        """A call of an RPC, for as long as it runs."""
        return nullcontext()

    def queueing(self, name: str) -> AbstractContextManager[TraceContext]:  # noqa: ARG002 — for those who do take notice
        """A job is put into the queue, with what its run is to go on from."""
        return nullcontext({})

    def going_on(self, trace: TraceContext) -> AbstractContextManager[object]:  # noqa: ARG002 — for those who do take notice
        """What follows was begun elsewhere: where `queueing` gave this out."""
        return nullcontext()

    def job(self, name: str) -> AbstractContextManager[object]:  # noqa: ARG002 — for those who do take notice
        """A run of a job, for as long as it takes; an exception says that it failed."""
        return nullcontext()

    def jobs_seen(self, seen: JobsSeen) -> None:
        """All jobs were looked at."""

    def clock_seen(self, skew: float) -> None:
        """The clock of this machine was compared with the database's, and is ahead of it by `skew` seconds."""

    def watch_generations(self, running: Callable[[], int]) -> None:
        """`running` tells at any time how many generations this process runs; it may be called from other threads."""

    def key_refused(self, why: KeyRefusal) -> None:
        """A call came with an API key that is no good."""

    def quota_unchecked(self) -> None:
        """A turn went on whose quotas could not be checked."""

    def vendor_failed(self, provider: str, reason: Reason, then: AfterFailure) -> None:
        """A vendor failed before its answer began."""

    def task_failed(self, name: str) -> None:
        """Work in the background ended, which never should, and is started again."""

    def generation_ended(self, ended: GenerationEnded) -> None:
        """An answer ended, in the context of the call that began it."""


class Observers(Observer):
    """Tells several."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    @contextmanager
    def call(self, call: SeenCall) -> Iterator[None]:
        """Tells each."""
        with ExitStack() as stack:
            for observer in self._observers:
                stack.enter_context(observer.call(call))
            yield

    @contextmanager
    def queueing(self, name: str) -> Iterator[TraceContext]:
        """Tells each."""
        with ExitStack() as stack:
            contexts = [stack.enter_context(observer.queueing(name)) for observer in self._observers]
            yield {key: value for context in contexts for key, value in context.items()}

    @contextmanager
    def going_on(self, trace: TraceContext) -> Iterator[None]:
        """Tells each."""
        with ExitStack() as stack:
            for observer in self._observers:
                stack.enter_context(observer.going_on(trace))
            yield

    @contextmanager
    def job(self, name: str) -> Iterator[None]:
        """Tells each."""
        with ExitStack() as stack:
            for observer in self._observers:
                stack.enter_context(observer.job(name))
            yield

    def jobs_seen(self, seen: JobsSeen) -> None:
        """Tells each."""
        for observer in self._observers:
            observer.jobs_seen(seen)

    def clock_seen(self, skew: float) -> None:
        """Tells each."""
        for observer in self._observers:
            observer.clock_seen(skew)

    def watch_generations(self, running: Callable[[], int]) -> None:
        """Tells each."""
        for observer in self._observers:
            observer.watch_generations(running)

    def key_refused(self, why: KeyRefusal) -> None:
        """Tells each."""
        for observer in self._observers:
            observer.key_refused(why)

    def quota_unchecked(self) -> None:
        """Tells each."""
        for observer in self._observers:
            observer.quota_unchecked()

    def vendor_failed(self, provider: str, reason: Reason, then: AfterFailure) -> None:
        """Tells each."""
        for observer in self._observers:
            observer.vendor_failed(provider, reason, then)

    def task_failed(self, name: str) -> None:
        """Tells each."""
        for observer in self._observers:
            observer.task_failed(name)

    def generation_ended(self, ended: GenerationEnded) -> None:
        """Tells each."""
        for observer in self._observers:
            observer.generation_ended(ended)
