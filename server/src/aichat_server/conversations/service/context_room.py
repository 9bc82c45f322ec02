"""The room that models have for a conversation: the smallest of their contexts, without what the answer may take."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import structlog

from aichat_server.conversations.service.fitting import STEPS, Cut, cut
from aichat_server.core.errors import AichatError, Reason
from aichat_server.models.domain.media import rates_of
from aichat_server.models.domain.models import Model
from aichat_server.providers.domain.estimates import most_message_tokens, most_option_tokens
from aichat_server.providers.domain.requests import ChatOptions, PathMessage, Prompt, estimated_tokens
from aichat_server.providers.service.counting import TokenCounter
from aichat_server.providers.service.models import output_limit

_log = structlog.get_logger()

_MOST_COUNTS = 3
"""The most times that a vendor is asked to count for one turn."""
_PRECISION = 0.98
"""What a vendor counts of a part of a conversation differs a little from its share of the whole."""
_PIECE = 512
"""The number of messages that are estimated at once."""
_CLOSE = 0.9
"""The share of the room from which on a conversation that was cut is counted, too."""


class ContextRoom:
    """The room that the models of one request have. Their vendor is asked to count only where it is close."""

    def __init__(
        self, counter: TokenCounter, candidates: Sequence[Model], options: ChatOptions, prompt: Prompt
    ) -> None:
        """`prompt`: what the models are shown, whatever its messages are."""
        self._counter = counter
        self._prompt = prompt
        self._model = candidates[0]
        self._options = options
        self._media = rates_of(self._model.provider, self._model.vendor_model)
        known = [model for model in candidates if model.context_window]
        self._window = min((model.context_window for model in known), default=0)
        self.tokens = min((model.context_window - output_limit(model, options) for model in known), default=None)
        """For all input; None if no context is known."""
        self._ratio = 1.0
        """What the vendor counts for each token of the estimate."""
        self._counts = 0
        self._counted: tuple[Sequence[PathMessage], int | None] = ((), None)
        self._weights: dict[int, tuple[PathMessage, int]] = {}
        """The estimates of messages, by their identities, since a long conversation takes long to estimate."""

    async def holds(self, messages: Sequence[PathMessage]) -> bool:
        """Whether a conversation surely fits."""
        if self.tokens is None:
            return True
        for start in range(_PIECE, len(messages), _PIECE):
            # The event loop goes on between the pieces of a very long conversation.
            sum(map(self._weigh, messages[start - _PIECE : start]))
            await asyncio.sleep(0)
        if (most := self._most(messages)) <= self.tokens:
            return True
        counted = await self._count(messages)
        if counted is None:
            return False
        self._ratio = counted / most
        return counted <= self.tokens

    async def cut(self, messages: Sequence[PathMessage], *, reserve: int = 0, steps: int = STEPS) -> Cut:
        """Returns a conversation that does not fit, cut so that it does. `reserve`: tokens that are to stay free.

        Raises CONTEXT_EXCEEDED if the last message alone is too long.
        """
        found = self._cut(messages, reserve, steps)
        while found.fits and self._is_close(found.shown) and not await self.holds(found.shown):
            found = self._cut(messages, reserve, steps)
        if not found.fits:
            await self.check(found.shown)
        return found

    async def check(self, messages: Sequence[PathMessage]) -> None:
        """Raises CONTEXT_EXCEEDED for a conversation that surely does not fit."""
        if await self.holds(messages):
            return
        tokens = await self.about(messages)
        if self.tokens is not None and tokens > self.tokens:
            raise self.exceeded(tokens)

    async def about(self, messages: Sequence[PathMessage]) -> int:
        """Returns about how many tokens a conversation has, exactly if the vendor counts."""
        counted = await self._count(messages)
        return estimated_tokens(self._options, messages, self._media) if counted is None else counted

    def exceeded(self, tokens: int) -> AichatError:
        """Returns CONTEXT_EXCEEDED for a conversation of that many tokens."""
        answer = self._window - (self.tokens or 0)
        metadata = {"model": self._model.id, "input_tokens": str(tokens), "context_window": str(self._window)}
        metadata["max_output_tokens"] = str(answer)
        limit = f"the context has {self._window}, of which {answer} are for the answer"
        text = f"the conversation has about {tokens} tokens, and {limit}: send less, or begin a new conversation"
        return AichatError(Reason.CONTEXT_EXCEEDED, text, metadata=metadata)

    def weigh(self, messages: Sequence[PathMessage]) -> int:
        """Returns about how many tokens some messages have."""
        return round(sum(map(self._weigh, messages)) * self._ratio)

    def _cut(self, messages: Sequence[PathMessage], reserve: int, steps: int) -> Cut:
        precision = _PRECISION if self._ratio != 1 else 1
        room = int((self.tokens or 0) * precision / self._ratio)
        added = most_option_tokens(self._options, messages)
        return cut(messages, room - added - reserve, self._weigh, steps=steps)

    def _is_close(self, messages: Sequence[PathMessage]) -> bool:
        """Whether it is worth a call to know the size of a conversation that was cut."""
        expected = self._most(messages) * self._ratio
        return self._ratio != 1 and self._counts < _MOST_COUNTS and expected > _CLOSE * (self.tokens or 0)

    def _most(self, messages: Sequence[PathMessage]) -> int:
        return most_option_tokens(self._options, messages) + sum(map(self._weigh, messages))

    def _weigh(self, message: PathMessage) -> int:
        known = self._weights.get(id(message))
        if known is None:
            known = self._weights[id(message)] = (message, most_message_tokens(message, self._media))
        return known[1]

    async def _count(self, messages: Sequence[PathMessage]) -> int | None:
        """Returns what the vendor counts; None if it cannot, or was asked often enough."""
        known, counted = self._counted
        if known is messages:
            return counted
        if self._counts >= _MOST_COUNTS:
            return None
        self._counts += 1
        prompt = replace(self._prompt, messages=tuple(messages))
        try:
            counted = await self._counter.count(self._model, prompt, self._options)
        except AichatError as error:
            _log.warning("vendor did not count", provider=self._model.provider, reason=error.reason)
            counted = None
        self._counted = (messages, counted)
        return counted
