"""Makes embeddings. Each call is a generation: a task of the process, which ends even if its caller goes away."""

from __future__ import annotations

import asyncio

import structlog
from structlog.contextvars import bind_contextvars

from aichat_server.core.errors import AichatError, Reason
from aichat_server.embeddings.domain.embeddings import AskedEmbeddings, Embedded, check, lack_of
from aichat_server.embeddings.gateway.kept_vectors import KeptVectors
from aichat_server.embeddings.service.call import EmbeddingCall
from aichat_server.generations.domain.generation import Beginning, GenerationKey, GenerationState, Known
from aichat_server.generations.domain.observing import GenerationObserver
from aichat_server.generations.service import failures
from aichat_server.generations.service.endings import other_end, store
from aichat_server.generations.service.generations import Generations
from aichat_server.generations.service.handle import Handle
from aichat_server.generations.service.keep_nothing import KeepNothing
from aichat_server.generations.service.model_choice import ModelChoice
from aichat_server.generations.service.records import Record
from aichat_server.identity.domain.principals import Principal
from aichat_server.limits.service import Admission, RateLimits
from aichat_server.models.domain.models import Model
from aichat_server.providers.domain.embeddings import EmbeddingAnswer, estimated_tokens
from aichat_server.providers.domain.lacks import refusal
from aichat_server.providers.service.embedding import EmbeddingUpstream

_log = structlog.get_logger()


class Embeddings:
    """Makes embeddings."""

    def __init__(
        self,
        choice: ModelChoice,
        upstream: EmbeddingUpstream,
        limits: RateLimits,
        generations: Generations,
        sink: KeepNothing,
        kept: KeptVectors | None,
        observer: GenerationObserver,
    ) -> None:
        """`kept`: None if there is no Redis, so that vectors are found only while their call runs."""
        self._choice = choice
        self._upstream = upstream
        self._limits = limits
        self._generations = generations
        self._sink = sink
        self._kept = kept
        self._observer = observer
        self._running: dict[GenerationKey, asyncio.Task[Embedded]] = {}

    def list_models(self, principal: Principal) -> list[Model]:
        """Returns the embedding models that the caller may use, by vendor and id."""
        return self._choice.offered_embedding(principal)

    async def create(self, principal: Principal, asked: AskedEmbeddings) -> Embedded:
        """Returns the vectors; see EmbeddingService.CreateEmbeddings for what it raises.

        What can be refused is refused before anything is stored. A known request id gets the vectors of then.
        """
        call = EmbeddingCall(principal, self._model(principal, asked), asked)
        task = self._generations.spawn(self._run(call))
        self._running[call.key] = task
        task.add_done_callback(lambda _: self._running.pop(call.key))
        # If the caller has gone away, nobody asks for the failure.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(task)

    def _model(self, principal: Principal, asked: AskedEmbeddings) -> Model:
        """Returns the model; raises what it cannot do."""
        model = self._choice.embedding_model(principal, asked.model)
        check(model, asked)
        if (lack := lack_of(model, asked)) is not None:
            able = [other.id for other in self.list_models(principal) if lack_of(other, asked) is None]
            raise refusal(model, lack, able)
        return model

    async def _run(self, call: EmbeddingCall) -> Embedded:
        beginning = call.beginning()
        admission = await self._limits.admit_turn(call.principal, call.stream, estimated_tokens(call.asked.inputs))
        handle = self._generations.open(call.key)
        known = await self._begin(call, beginning, admission)
        if known is not None:
            admission.end(tokens=0)
            self._generations.discard(call.key)
            return await self._again(call, known)
        try:
            return await self._make(call, handle, admission)
        finally:
            # It has ended the admission, unless it was cancelled or failed before its end.
            admission.end(tokens=0)
            self._generations.discard(call.key)

    async def _begin(self, call: EmbeddingCall, beginning: Beginning, admission: Admission) -> Known | None:
        """Begins the generation; returns what the request id began before, if it is known."""
        begun = None
        try:
            begun = await self._sink.begin(beginning, ())
            # Redis may still be asked while the database is.
            await admission.confirmed()
        except BaseException as error:
            admission.end(tokens=0)
            refused = (
                begun is None and isinstance(error, AichatError) and error.reason is not Reason.STORAGE_UNAVAILABLE
            )
            failure = error if isinstance(error, AichatError) else failures.failed(words=False)
            if refused or (begun is not None and begun.known is not None):
                self._generations.discard(call.key, failure)
            else:
                # It may have begun all the same, or may begin later.
                self._generations.abandon(self._sink, beginning, failure)
            raise
        if begun.quota_failure is not None:
            self._observer.quota_unchecked()
            _log.error("quota unchecked", cause=begun.quota_failure)
        return begun.known

    async def _make(self, call: EmbeddingCall, handle: Handle, admission: Admission) -> Embedded:
        # What is logged of the generation carries it.
        bind_contextvars(generation_id=str(call.generation_id))
        record = Record(self._observer)
        answer, failure = await self._ask(call, handle)
        ending = call.ending(answer, failure)
        record.ended(ending)
        # Before the caller can see the end: its next call must find this one's place free.
        admission.end(ending.usage.total_input)
        known = await store(self._sink, ending, handle)
        failure = other_end(self._sink, ending, known, {}) or failure
        if failure is not None:
            raise failure
        if known is None or answer is None:
            raise self._sink.not_kept({}, while_written=True)
        if self._kept is not None and call.claim is not None:
            # Before the answer: a repeated call may come at once.
            await self._kept.keep(call.key, answer.vectors, call.asked.kept_seconds)
        return _embedded(known, answer.vectors)

    async def _ask(self, call: EmbeddingCall, handle: Handle) -> tuple[EmbeddingAnswer | None, AichatError | None]:
        """Returns the vendor's answer, or why there is none."""
        if (broken_off := _why_broken_off(call, handle)) is not None:
            return None, broken_off
        try:
            with handle.reading():
                return await self._upstream.embed(call.model, call.request), None
        except AichatError as error:
            return None, error
        except asyncio.CancelledError:
            if (broken_off := _why_broken_off(call, handle)) is None:
                raise
            # The cancellation has ended the asking. Later timeouts must not be taken for it (Python before 3.11.3).
            if (task := asyncio.current_task()) is not None:
                task.uncancel()
            return None, broken_off
        except Exception:  # noqa: BLE001 — its hold must be settled, and its caller told
            _log.exception("embeddings failed", generation_id=str(call.generation_id))
            return None, failures.failed(words=False)

    async def _again(self, call: EmbeddingCall, known: Known) -> Embedded:
        """Returns the vectors of the call that had the request id first."""
        claim, key = call.claim, call.key._replace(generation_id=known.generation_id)
        if claim is not None and known.fingerprint != claim.fingerprint:
            raise failures.reused(claim.request_id)
        running = self._running.get(key)
        if running is not None:
            return await asyncio.shield(running)
        if known.state is GenerationState.RUNNING:
            raise failures.in_progress(known.generation_id)
        if (failure := failures.stored_failure(known, {})) is not None:
            raise failure
        vectors = await self._kept.find(key) if self._kept is not None else None
        if vectors is None:
            raise self._sink.not_resumable(known)
        return _embedded(known, vectors)


def _why_broken_off(call: EmbeddingCall, handle: Handle) -> AichatError | None:
    why = handle.broken_off
    return why(call.generation_id, {}, words=False) if why is not None else None


def _embedded(known: Known, vectors: tuple[bytes, ...]) -> Embedded:
    return Embedded(vectors, known.model, known.generation_id, known.usage, known.cost)
