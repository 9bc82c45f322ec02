"""Counts the input tokens of calls: exactly where the vendor counts, and otherwise rather too many than too few."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import structlog

from aichat_server.compat.domain.asked import Asked
from aichat_server.core.errors import AichatError, Reason
from aichat_server.files.service.files import Files
from aichat_server.generations.service.model_choice import ModelChoice
from aichat_server.identity.domain.principals import Principal
from aichat_server.models.domain.media import rates_of
from aichat_server.models.domain.models import Model
from aichat_server.providers.domain.estimates import most_tokens
from aichat_server.providers.domain.forms import check_forms
from aichat_server.providers.domain.requests import ChatOptions, PathMessage, Prompt, estimated_tokens
from aichat_server.providers.service.counting import TokenCounter

_log = structlog.get_logger()


class Counting:
    """Counts what calls would show a model. It stores nothing, and costs nothing."""

    def __init__(self, choice: ModelChoice, files: Files, counter: TokenCounter) -> None:
        self._choice = choice
        self._files = files
        self._counter = counter

    def model(self, principal: Principal, name: str) -> Model:
        """Returns the model that the caller names. Raises MODEL_UNKNOWN and MODEL_NOT_IN_PLAN."""
        return self._choice.candidates(principal, name, ChatOptions())[0]

    async def count(self, principal: Principal, asked: Asked) -> int:
        """Returns the input tokens, at least 1. Raises what an answer to `asked` would raise before it is stored."""
        check_forms(asked.options)
        parts = tuple(part for message in asked.messages for part in message.parts)
        model = self._choice.candidates(principal, asked.model, asked.options, parts)[0]
        messages = tuple([await self._resolved(principal, message) for message in asked.messages])
        try:
            prompt = Prompt(messages, self._files.of(principal.org_id))
            counted = await self._counter.count(model, prompt, asked.options)
        except AichatError as error:
            if error.reason is Reason.PROVIDER_REQUEST_REJECTED:
                raise
            _log.warning("vendor did not count", provider=model.provider, reason=error.reason)
            counted = None
        if counted is None:
            counted = most_tokens(asked.options, messages, rates_of(model.provider, model.vendor_model))
        return max(counted, 1)

    @asynccontextmanager
    async def counting(
        self, principal: Principal, model: Model, asked: Asked
    ) -> AsyncGenerator[Callable[[], int], None]:
        """While it lasts, the vendor is asked to count. The function returns its count or, before that, an estimate."""
        task = asyncio.create_task(self.count(principal, asked))
        # Nobody waits for it, so nobody else asks why it failed.
        task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())

        def counted() -> int:
            if task.done() and not task.cancelled() and task.exception() is None:
                return task.result()
            return max(estimated_tokens(asked.options, asked.messages, rates_of(model.provider, model.vendor_model)), 1)

        try:
            yield counted
        finally:
            task.cancel()

    async def _resolved(self, principal: Principal, message: PathMessage) -> PathMessage:
        return replace(message, parts=await self._files.resolve(principal, message.parts, keep=False))
