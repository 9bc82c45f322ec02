"""Long histories: what models are shown of a conversation that is longer than their context."""

from __future__ import annotations

from typing import NamedTuple, assert_never

from aichat_server.conversations.domain import Before
from aichat_server.conversations.service.fitting import Cut
from aichat_server.conversations.service.room import Room
from aichat_server.providers.domain.requests import LeftOut, LongHistory, PathMessage


class Shown(NamedTuple):
    """What models are shown of a conversation."""

    messages: tuple[PathMessage, ...]
    left_out: LeftOut


class History:
    """Fits the conversation of one turn into the room that its models have."""

    def __init__(self, room: Room, strategy: LongHistory | None) -> None:
        self._room = room
        self._strategy = strategy or LongHistory.DROP

    async def shown(
        self, path: tuple[PathMessage, ...], before: Before
    ) -> tuple[tuple[PathMessage, ...], LeftOut | None]:
        """Returns what the models are shown, and what is left out of it; None: nothing.

        `before`: the messages before `path`, which nobody has read. Raises CONTEXT_EXCEEDED if the conversation does
        not fit and its caller wants that refused, or if its last message alone does not.
        """
        if not await self._room.holds(path):
            messages, left_out = await self._fitted(path)
        elif before.messages:
            messages, left_out = path, LeftOut()
        else:
            return path, None
        count, tokens = left_out.messages + before.messages, left_out.tokens + before.tokens
        return messages, LeftOut(left_out.tool_results, count, left_out.summarized, tokens)

    async def _fitted(self, path: tuple[PathMessage, ...]) -> Shown:
        match self._strategy:
            case LongHistory.DROP | LongHistory.SUMMARIZE:
                return self._without(await self._room.cut(path))
            case LongHistory.REFUSE:
                raise self._room.exceeded(await self._room.about(path))
            case _:
                assert_never(self._strategy)

    def _without(self, cut: Cut) -> Shown:
        return Shown(cut.shown, LeftOut(cut.tool_results, len(cut.dropped), tokens=self._room.scaled(cut.tokens)))
