"""Long histories: what models are shown of a conversation that is longer than their context."""

from __future__ import annotations

from typing import NamedTuple, assert_never

from aichat_server.content.parts import Role, TextPart
from aichat_server.conversations.domain import Before
from aichat_server.conversations.service.context_room import ContextRoom
from aichat_server.conversations.service.summaries import LongTurn, Summaries
from aichat_server.conversations.storage.summaries import Summary
from aichat_server.providers.domain.requests import LeftOut, LongHistory, PathMessage

_MOST_SUMMARY_TOKENS = 2_048
_SUMMARY_SHARE = 8
"""A summary has at most this part of the room."""
_STEPS = 2
"""Half of the room stays free after a summary, so that not each turn needs one."""
_SUMMARY = "Summary of the conversation so far:\n\n{}"


class Shown(NamedTuple):
    """What models are shown of a conversation."""

    messages: tuple[PathMessage, ...]
    dropped: int = 0
    """How many messages are left out."""
    tool_results: int = 0
    """How many tool results are shown without their content."""
    summarized: bool = False
    """Whether the first message is a summary of those that are left out."""


class History:
    """Fits the conversation of one turn into the room that its models have."""

    def __init__(self, room: ContextRoom, strategy: LongHistory | None, summaries: Summaries, turn: LongTurn) -> None:
        self._room = room
        self._strategy = strategy or LongHistory.DROP
        self._summaries = summaries
        self._turn = turn

    async def shown(
        self, path: tuple[PathMessage, ...], before: Before
    ) -> tuple[tuple[PathMessage, ...], LeftOut | None]:
        """Returns what the models are shown, and what is left out of it; None: nothing.

        `before`: the messages before `path`, which nobody has read. Raises CONTEXT_EXCEEDED if the conversation does
        not fit and its caller wants that refused, or if its last message alone does not.
        """
        if await self._room.holds(path) and not before.messages:
            return path, None
        shown = await self._fitted(path)
        tokens = max(0, self._room.weigh(path) - self._room.weigh(shown.messages)) + before.tokens
        left_out = LeftOut(shown.tool_results, shown.dropped + before.messages, shown.summarized, tokens)
        return shown.messages, left_out if left_out.messages or left_out.tool_results else None

    async def _fitted(self, path: tuple[PathMessage, ...]) -> Shown:
        match self._strategy:
            case LongHistory.DROP:
                return await self._cut(path)
            case LongHistory.SUMMARIZE:
                return await self._summarized(path) or await self._cut(path)
            case LongHistory.REFUSE:
                raise self._room.exceeded(await self._room.about(path))
            case _:
                assert_never(self._strategy)

    async def _cut(self, path: tuple[PathMessage, ...]) -> Shown:
        cut = await self._room.cut(path)
        return Shown(cut.shown, len(cut.dropped), cut.tool_results)

    async def _summarized(self, path: tuple[PathMessage, ...]) -> Shown | None:
        """Returns the conversation with a summary for its beginning; None if there is none."""
        known = await self._summaries.find(self._turn)
        messages = path
        if known is not None:
            messages = (_summary(known.text), *path[-known.followed_by :])
            if await self._room.holds(messages):
                return Shown(messages, max(0, len(path) - known.followed_by), summarized=True)
        most = min(_MOST_SUMMARY_TOKENS, (self._room.tokens or 0) // _SUMMARY_SHARE)
        # The estimate of a text may be twice its tokens.
        cut = await self._room.cut(messages, reserve=2 * most, steps=_STEPS)
        kept = len(messages) - len(cut.dropped)
        if not cut.fits:
            return None
        if not cut.dropped:
            summarized = known is not None
            return Shown(cut.shown, max(0, len(path) - kept + summarized), cut.tool_results, summarized)
        text = await self._summaries.write(self._turn, cut.dropped, most)
        if text is None:
            return None
        if cut.gapless:
            await self._summaries.keep(self._turn, Summary(text, kept))
        return Shown((_summary(text), *cut.shown), len(path) - kept, cut.tool_results, summarized=True)


def _summary(text: str) -> PathMessage:
    return PathMessage(Role.USER, (TextPart(_SUMMARY.format(text)),))
