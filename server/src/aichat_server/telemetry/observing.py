"""All observations of a process: what each feature declares in its `observing`, in one class."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from aichat_server.compat.domain.observing import ReaderObserver
from aichat_server.core.errors import Reason
from aichat_server.core.observing import ProcessObserver
from aichat_server.generations.domain.observing import GenerationEnded, GenerationObserver
from aichat_server.identity.domain.observing import KeyObserver, KeyRefusal
from aichat_server.jobs.domain.jobs import JobsSeen
from aichat_server.jobs.domain.observing import JobObserver, TraceContext
from aichat_server.providers.domain.observing import AfterFailure, VendorObserver
from aichat_server.transport.observing import CallObserver, SeenCall


class Observer(
    ProcessObserver, CallObserver, KeyObserver, VendorObserver, GenerationObserver, ReaderObserver, JobObserver
):
    """Observes all work; this one ignores all events. Must be quick, and must not fail."""


class Observers(Observer):
    """Passes everything on to several observers."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = tuple(observers)

    @contextmanager
    def call(self, call: SeenCall) -> Iterator[None]:
        """Passes it on."""
        with ExitStack() as stack:
            for observer in self._observers:
                stack.enter_context(observer.call(call))
            yield

    @contextmanager
    def queueing(self, name: str) -> Iterator[TraceContext]:
        """Passes it on."""
        with ExitStack() as stack:
            contexts = [stack.enter_context(observer.queueing(name)) for observer in self._observers]
            yield {key: value for context in contexts for key, value in context.items()}

    @contextmanager
    def resuming(self, trace: TraceContext) -> Iterator[None]:
        """Passes it on."""
        with ExitStack() as stack:
            for observer in self._observers:
                stack.enter_context(observer.resuming(trace))
            yield

    @contextmanager
    def job(self, name: str) -> Iterator[None]:
        """Passes it on."""
        with ExitStack() as stack:
            for observer in self._observers:
                stack.enter_context(observer.job(name))
            yield

    def jobs_seen(self, seen: JobsSeen) -> None:
        """Passes it on."""
        for observer in self._observers:
            observer.jobs_seen(seen)

    def clock_seen(self, skew: float) -> None:
        """Passes it on."""
        for observer in self._observers:
            observer.clock_seen(skew)

    def watch_generations(self, running: Callable[[], int]) -> None:
        """Passes it on."""
        for observer in self._observers:
            observer.watch_generations(running)

    def key_refused(self, why: KeyRefusal) -> None:
        """Passes it on."""
        for observer in self._observers:
            observer.key_refused(why)

    def quota_unchecked(self) -> None:
        """Passes it on."""
        for observer in self._observers:
            observer.quota_unchecked()

    def vendor_failed(self, provider: str, reason: Reason, then: AfterFailure) -> None:
        """Passes it on."""
        for observer in self._observers:
            observer.vendor_failed(provider, reason, then)

    def task_failed(self, name: str) -> None:
        """Passes it on."""
        for observer in self._observers:
            observer.task_failed(name)

    def generation_ended(self, ended: GenerationEnded) -> None:
        """Passes it on."""
        for observer in self._observers:
            observer.generation_ended(ended)

    def call_continued(self) -> None:
        """Passes it on."""
        for observer in self._observers:
            observer.call_continued()

    def answer_abandoned(self) -> None:
        """Passes it on."""
        for observer in self._observers:
            observer.answer_abandoned()
