"""Counts the tokens of a message and its conversation before it is sent."""

from __future__ import annotations

from dataclasses import dataclass, replace

from aichat_server.content.parts import Role
from aichat_server.conversations.domain import check_repeated
from aichat_server.conversations.service.chat import ChatMessage, turn_of
from aichat_server.conversations.service.message_question import so_far
from aichat_server.conversations.storage.turns import TurnStore
from aichat_server.files.service.files import Files
from aichat_server.generations.service.answers import Answers
from aichat_server.generations.service.model_choice import ModelChoice
from aichat_server.identity.domain.principals import Principal
from aichat_server.models.domain.media import rates_of
from aichat_server.providers.domain.estimates import most_tokens
from aichat_server.providers.domain.forms import check_forms
from aichat_server.providers.domain.requests import PathMessage, Prompt
from aichat_server.providers.service.counting import TokenCounter


@dataclass(frozen=True, slots=True)
class TokenCount:
    """The input tokens of a request."""

    tokens: int
    estimated: bool
    """Whether the vendor could not count: the number is then more than it will count."""
    context_window: int
    """The model's, 0 if unknown."""


class TokenCounts:
    """Counts tokens. It stores nothing and costs nothing."""

    def __init__(
        self, choice: ModelChoice, turns: TurnStore, answers: Answers, files: Files, counter: TokenCounter
    ) -> None:
        self._choice = choice
        self._files = files
        self._turns = turns
        self._answers = answers
        self._counter = counter

    async def count(self, principal: Principal, message: ChatMessage) -> TokenCount:
        """Returns the input tokens of the message with the whole conversation that it would continue.

        Raises what Chat.send raises before it stores anything, and PROVIDER_ reasons if the vendor does not count.
        """
        check_forms(message.options)
        check_repeated(message.parts)
        candidates = self._choice.candidates(principal, message.model, message.options, message.parts)
        message = replace(message, parts=await self._files.resolve(principal, message.parts, keep=False))
        model, turn = candidates[0], turn_of(message, candidates)
        before = await self._turns.path_before(principal.org_id, turn)
        path = await so_far(self._answers, principal.org_id, (*before, PathMessage(Role.USER, message.parts)))
        counted = await self._counter.count(model, Prompt(path, self._files.of(principal.org_id)), message.options)
        if counted is not None:
            return TokenCount(counted, estimated=False, context_window=model.context_window)
        most = most_tokens(message.options, path, rates_of(model.provider, model.vendor_model))
        return TokenCount(most, estimated=True, context_window=model.context_window)
