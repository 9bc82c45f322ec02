"""Counts the input tokens of requests, by the vendors that can count."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from aichat_server.core.errors import AichatError, Reason
from aichat_server.models.domain.models import Model
from aichat_server.providers.domain.requests import ChatOptions, Prompt
from aichat_server.providers.domain.verbatim import SentRequest, VendorRefusalError
from aichat_server.providers.gateway import failures
from aichat_server.providers.service.calls import public, request_to
from aichat_server.providers.service.models import Models

_MOST_SECONDS = 10.0

T = TypeVar("T")


class TokenCounter:
    """Asks vendors how many tokens they would count. That costs nothing."""

    def __init__(self, models: Models) -> None:
        self._models = models

    async def count(self, model: Model, prompt: Prompt, options: ChatOptions) -> int | None:
        """Returns the input tokens that the model's vendor counts; None if it cannot count.

        Raises PROVIDER_TIMEOUT if that takes too long, and other PROVIDER_ reasons.
        """
        return await self._soon(model, self._models.provider(model).count_tokens(request_to(model, prompt, options)))

    async def count_as_sent(self, model: Model, sent: SentRequest) -> bytes:
        """Returns the vendor's answer to a request that counts tokens, as it came.

        Raises VendorRefusalError if the vendor refuses the request, and what `count` raises.
        """
        return await self._soon(model, self._models.provider(model).count_as_sent(sent, model.vendor_model))

    async def _soon(self, model: Model, counting: Awaitable[T]) -> T:
        provider = self._models.provider(model)
        try:
            async with asyncio.timeout(_MOST_SECONDS):
                return await counting
        except TimeoutError as error:
            raise failures.failure(Reason.PROVIDER_TIMEOUT, provider.name, model.vendor_model) from error
        except VendorRefusalError:
            raise
        except AichatError as error:
            raise public(error) from error
