"""The vendors as embeddings use them: retried, and never replaced by another model, whose vectors differ."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import time
from collections.abc import Mapping

import structlog

from aichat_server.core.errors import AichatError, Reason
from aichat_server.models.domain.models import Model
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.embeddings import EmbeddingAnswer, EmbeddingRequest
from aichat_server.providers.domain.observing import AfterFailure
from aichat_server.providers.gateway import failures
from aichat_server.providers.gateway.base import BaseAIProvider
from aichat_server.providers.service.calls import public
from aichat_server.providers.service.gate import GateClosedError
from aichat_server.providers.service.upstream import Upstream

_log = structlog.get_logger()

_MOST_SECONDS = 300.0
"""Of one call of a vendor."""


class EmbeddingUpstream:
    """Asks embedding models."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def embed(self, model: Model, request: EmbeddingRequest) -> EmbeddingAnswer:
        """Returns the vectors of all inputs; asks the vendor several times for more than it takes at once.

        Raises AichatError with a PROVIDER_ reason.
        """
        most = model.embedding.batch if model.embedding is not None else len(request.inputs)
        answers = [await self._ask(model, batch) for batch in request.batches(most)]
        return answers[0] if len(answers) == 1 else _joined(answers)

    async def _ask(self, model: Model, request: EmbeddingRequest) -> EmbeddingAnswer:
        provider, gate = self._upstream.models.provider(model), self._upstream.gate(model)
        attempts, since = 1, time.monotonic()
        while True:
            try:
                with gate.call():
                    return await _in_time(provider, request)
            except AichatError as error:
                failure = error
            await self._wait(model, failure, attempts, time.monotonic() - since)
            attempts += 1

    async def _wait(self, model: Model, error: AichatError, attempts: int, elapsed: float) -> None:
        """Waits for another attempt; raises the caller's error if there is none."""
        asked = not isinstance(error, GateClosedError)
        chance = random.random()  # noqa: S311 — no secret
        wait = self._upstream.policy.retry.wait(error, attempts, elapsed, chance) if asked else None
        then = AfterFailure.FAILED if wait is None else AfterFailure.RETRIED
        self._upstream.observer.vendor_failed(model.provider, error.reason, then)
        told = {"provider": model.provider, "model": model.id, "reason": error.reason}
        if error.reason is Reason.PROVIDER_CREDENTIALS_REJECTED:
            _log.error("vendor refuses this server's account", **told, cause=repr(error.__cause__))
        if wait is None:
            raise public(error)
        _log.info("vendor is asked again", **told, attempts=attempts, seconds=round(wait, 3))
        await asyncio.sleep(wait)


async def _in_time(provider: BaseAIProvider, request: EmbeddingRequest) -> EmbeddingAnswer:
    """A vendor that sends byte by byte is never silent, and never ends."""
    try:
        async with asyncio.timeout(_MOST_SECONDS):
            return await provider.embed(request)
    except TimeoutError as error:
        raise failures.failure(Reason.PROVIDER_TIMEOUT, provider.name, request.model) from error


def _joined(answers: list[EmbeddingAnswer]) -> EmbeddingAnswer:
    usage = Usage(
        input=sum(answer.usage.input for answer in answers), estimated=any(answer.usage.estimated for answer in answers)
    )
    vectors = tuple(vector for answer in answers for vector in answer.vectors)
    raw: Mapping[str, object] = {"calls": [dict(answer.raw) for answer in answers]}
    return dataclasses.replace(answers[0], vectors=vectors, usage=usage, raw=raw)
