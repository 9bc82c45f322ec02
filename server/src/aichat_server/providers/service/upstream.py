"""The vendors as a turn uses them: retried, or replaced by a fallback, until an answer begins; never after that."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import NoReturn, TypeAlias

import structlog

from aichat_server.core.errors import AichatError, Reason
from aichat_server.models.domain.models import Model
from aichat_server.providers.domain.breaker import Breaker
from aichat_server.providers.domain.events import ProviderEvent
from aichat_server.providers.domain.lacks import Needs, lack_of
from aichat_server.providers.domain.observing import AfterFailure, VendorObserver
from aichat_server.providers.domain.requests import ChatOptions, Prompt, ProviderRequest
from aichat_server.providers.domain.retry import REPLACED, RetryPolicy
from aichat_server.providers.domain.verbatim import VendorApi
from aichat_server.providers.gateway.transport import KEPT_SECONDS, PreparedPost
from aichat_server.providers.service.calls import public, reasons, request_to
from aichat_server.providers.service.gate import Gate, GateClosedError, Line
from aichat_server.providers.service.models import Models

_log = structlog.get_logger()

PreparedRequest: TypeAlias = PreparedPost
"""A request to a vendor that is ready but for what is asked. It is passed to `Upstream.answer`, or closed."""


@dataclass(frozen=True, slots=True)
class UpstreamPolicy:
    """How to handle vendors that misbehave."""

    retry: RetryPolicy
    fallbacks: Mapping[str, str]
    """By a model's id, the model that answers when it cannot."""
    circuit_failures: int
    """The number of failures in a row that opens a model's circuit breaker."""
    circuit_seconds: float
    """The seconds within which they must fall, and for which the breaker then stays open."""
    connections: int
    """The most open calls to one vendor."""


class Upstream:
    """The vendors of this process."""

    def __init__(self, models: Models, policy: UpstreamPolicy, observer: VendorObserver) -> None:
        self.models = models
        self.policy = policy
        self.observer = observer
        self._lines: dict[str, Line] = {}
        self._gates: dict[str, Gate] = {}

    def candidates(self, model: Model, needs: Needs) -> tuple[Model, ...]:
        """Returns the models that may answer: the requested one, and its fallback if it has a price and lacks nothing.

        Raises PROVIDER_NOT_CONFIGURED if nobody runs the requested one.
        """
        self.models.provider(model)
        name = self.policy.fallbacks.get(model.id)
        if name is None:
            return (model,)
        try:
            fallback = self.models.get(name)
        except AichatError:
            return (model,)
        return (model, fallback) if lack_of(fallback, needs) is None else (model,)

    def prepare(self, model: Model, api: VendorApi | None = None) -> PreparedRequest | None:
        """Gets a request to the model ready before it is known what it is asked; None if it would not be sent now.

        Pass it to `answer`, or close it. `api`: that of a request that goes as it was sent.
        """
        if not self.gate(model).is_clear:
            return None
        return self.models.provider(model).prepare(model.vendor_model, reasons=reasons(model), api=api)

    def answer(
        self,
        candidates: Sequence[Model],
        prompt: Prompt,
        options: ChatOptions,
        prepared: PreparedRequest | None = None,
    ) -> UpstreamAnswer:
        """The answer of the first of the `candidates` that gives one; nobody is asked before its events are read.

        Close it if they never are. `prepared`: the first request, to the first of the candidates.
        """
        return UpstreamAnswer(self, candidates, prompt, options, prepared)

    async def keep_warm(self) -> NoReturn:
        """Keeps a connection to each vendor open, so that no caller waits for names to be looked up and keys to be
        exchanged: not the first one, and not the first one after a pause.
        """
        while True:
            for model in {model.provider: model for model in self.models.list()}.values():
                await self._warm(model)
            await asyncio.sleep(KEPT_SECONDS / 2)

    async def _warm(self, model: Model) -> None:
        """Takes a connection and gives it back, which keeps it for longer; a new one where none is left."""
        post = self.prepare(model)
        if post is not None:
            try:
                # If there is no connection, the next call to the vendor reports why.
                await post.connected()
            finally:
                post.close()

    def gate(self, model: Model) -> Gate:
        """Returns the gate to that model, shared by all turns."""
        gate = self._gates.get(model.id)
        if gate is None:
            line = self._lines.setdefault(model.provider, Line(model.provider, self.policy.connections))
            breaker = Breaker(self.policy.circuit_failures, self.policy.circuit_seconds)
            gate = self._gates[model.id] = Gate(model.id, line, breaker, time.monotonic)
        return gate


class UpstreamAnswer:
    """One answer, requested until a model begins it."""

    model: Model
    """The model that answers, or that is being called. It is final once `keep_model` was called or an event arrived."""
    request: ProviderRequest
    """The request to it."""

    def __init__(
        self,
        upstream: Upstream,
        candidates: Sequence[Model],
        prompt: Prompt,
        options: ChatOptions,
        prepared: PreparedRequest | None,
    ) -> None:
        self.requested = candidates[0]
        """The model that the caller requested."""
        self._upstream = upstream
        self._fallbacks = list(candidates[1:])
        self._prompt = prompt
        self._options = options
        self._prepared = prepared
        self._kept = False
        self._first_failure: AichatError | None = None
        self._ask(self.requested)

    def close(self) -> None:
        """Gives back what was prepared and has not been used."""
        prepared, self._prepared = self._prepared, None
        if prepared is not None:
            prepared.close()

    def keep_model(self) -> None:
        """Fixes the model: the caller knows which one answers, so no other may from now on."""
        self._kept = True

    async def events(self) -> AsyncGenerator[ProviderEvent, None]:
        """Yields the answer's events, as BaseAIProvider.stream does, or raises its failures; read it once.

        A failure before the first event may be retried, or go to a fallback; a later failure is final.
        """
        answering = False
        while True:
            provider = self._upstream.models.provider(self.model)
            try:
                with self._upstream.gate(self.model).call() as answer_begins:
                    prepared, self._prepared = self._prepared, None
                    async with aclosing(provider.stream(self.request, prepared)) as events:
                        async for event in events:
                            if not answering:
                                answering = self._kept = True
                                answer_begins()
                            yield event
            except AichatError as error:
                # It may have failed before the request was used, which is no other model's.
                self.close()
                failure = error
            else:
                return
            self._alert(failure)
            if answering:
                raise public(failure)
            await self._recover(failure)

    async def _recover(self, error: AichatError) -> None:
        """Waits for another attempt, or changes to a fallback; raises the caller's error if neither is left."""
        retry, elapsed = self._upstream.policy.retry, time.monotonic() - self._since
        asked = not isinstance(error, GateClosedError)
        wait = retry.wait(error, self._attempts, elapsed, random.random()) if asked else None  # noqa: S311 — no secret
        told = {"model": self.model.id, "provider": self.model.provider, "reason": error.reason}
        if wait is not None:
            self._tell(error, AfterFailure.RETRIED)
            _log.info("vendor is asked again", **told, attempts=self._attempts, seconds=round(wait, 3))
            self._attempts += 1
            await asyncio.sleep(wait)
        elif self._fallbacks and not self._kept and error.reason in REPLACED:
            self._first_failure = error
            self._tell(error, AfterFailure.REPLACED)
            self._ask(self._fallbacks.pop(0))
            _log.warning("fallback is asked", **told, fallback=self.model.id)
        elif self._first_failure is None or self._kept:
            self._tell(error, AfterFailure.FAILED)
            raise public(error)
        else:
            self._tell(error, AfterFailure.FAILED)
            # The caller does not know of the fallback, which may fail where the requested model would not.
            self._ask(self.requested)
            raise public(self._first_failure)

    def _alert(self, error: AichatError) -> None:
        """Reports to the operator what only the operator can fix."""
        if error.reason is Reason.PROVIDER_CREDENTIALS_REJECTED:
            told = {"provider": self.model.provider, "model": self.model.id}
            _log.error("vendor refuses this server's account", **told, cause=repr(error.__cause__))

    def _tell(self, error: AichatError, then: AfterFailure) -> None:
        self._upstream.observer.vendor_failed(self.model.provider, error.reason, then)

    def _ask(self, model: Model) -> None:
        self.model = model
        self.request = request_to(model, self._prompt, self._options)
        self._attempts, self._since = 1, time.monotonic()
