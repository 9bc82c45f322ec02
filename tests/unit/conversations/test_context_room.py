"""The room that models have: a vendor is asked to count only where it is close, and a few times at most."""

from __future__ import annotations

from uuid import uuid4

import pytest
from aichat_server.content.parts import Role, TextPart
from aichat_server.conversations.domain import Before
from aichat_server.conversations.service.context_room import ContextRoom
from aichat_server.conversations.service.history import History
from aichat_server.conversations.service.summaries import LongTurn, Summaries
from aichat_server.conversations.storage.summaries import Summary
from aichat_server.core.errors import AichatError, Reason
from aichat_server.identity.domain.principals import Principal
from aichat_server.models.domain.media import MOST_RATES
from aichat_server.models.domain.models import Model, ModelAbilities
from aichat_server.providers.domain.estimates import most_tokens
from aichat_server.providers.domain.requests import ChatOptions, LongHistory, PathMessage, Prompt
from aichat_server.providers.service.counting import TokenCounter

WINDOW, ANSWER = 10_000, 2_000
MODEL = Model("m", "vendor", "m", "M", WINDOW, ANSWER, (), ModelAbilities())
OPTIONS = ChatOptions(max_output_tokens=ANSWER)
NOT_COUNTED = AichatError(Reason.PROVIDER_UNAVAILABLE, "away")


class Counter(TokenCounter):
    """A vendor that counts a share of the estimate."""

    def __init__(self, share: float | AichatError | None) -> None:
        self.share = share
        self.asked: list[int] = []

    async def count(self, _model: Model, prompt: Prompt, options: ChatOptions) -> int | None:
        if isinstance(self.share, AichatError):
            raise self.share
        most = most_tokens(options, prompt.messages, MOST_RATES)
        self.asked.append(round(most * (self.share or 0)))
        return None if self.share is None else self.asked[-1]


class FailingSummaries(Summaries):
    """Nobody summarises."""

    def __init__(self) -> None:
        """Without anything."""

    async def find(self, _turn: LongTurn) -> Summary | None:
        return None

    async def write(self, _turn: LongTurn, _messages: tuple[PathMessage, ...], _most_tokens: int) -> str | None:
        return None


def conversation(turns: int) -> tuple[PathMessage, ...]:
    """Of about 200 tokens a turn, the last one a question."""
    sides = [Role.USER, Role.ASSISTANT] * turns
    texts = (f"{n} " + "word " * 60 for n in range(len(sides)))
    return tuple(PathMessage(role, (TextPart(text),)) for role, text in zip(sides, texts, strict=True))[:-1]


def room(counter: Counter) -> ContextRoom:
    return ContextRoom(counter, [MODEL], OPTIONS, Prompt(()))


async def test_no_vendor_is_asked_about_a_short_conversation() -> None:
    counter = Counter(0.5)
    assert await room(counter).holds(conversation(30))
    assert counter.asked == []


async def test_a_vendors_count_decides_where_it_is_close() -> None:
    counter = Counter(0.5)
    assert await room(counter).holds(conversation(60))
    assert len(counter.asked) == 1


@pytest.mark.parametrize("share", [0.4, 0.7, 0.99])
async def test_a_conversation_is_cut_to_what_the_vendor_counts(share: float) -> None:
    counter = Counter(share)
    close = room(counter)
    messages = conversation(150)
    assert not await close.holds(messages)
    cut = await close.cut(messages)
    counted = most_tokens(OPTIONS, cut.shown, MOST_RATES) * share
    assert (WINDOW - ANSWER) / 2 < counted <= WINDOW - ANSWER
    assert len(counter.asked) <= 3


@pytest.mark.parametrize("share", [None, NOT_COUNTED])
async def test_the_estimate_decides_if_the_vendor_does_not_count(share: AichatError | None) -> None:
    unknown = room(Counter(share))
    messages = conversation(80)
    assert not await unknown.holds(messages)
    cut = await unknown.cut(messages)
    assert most_tokens(OPTIONS, cut.shown, MOST_RATES) <= WINDOW - ANSWER


async def test_a_message_that_is_alone_too_long_is_refused_exactly() -> None:
    message = PathMessage(Role.USER, (TextPart("word " * 6_000),))
    await room(Counter(0.7)).check((message,))
    with pytest.raises(AichatError) as caught:
        await room(Counter(0.9)).check((message,))
    assert caught.value.reason is Reason.CONTEXT_EXCEEDED
    assert int(caught.value.metadata["input_tokens"]) > WINDOW - ANSWER


async def test_a_conversation_that_nobody_summarises_is_cut() -> None:
    turn = LongTurn(Principal(uuid4(), uuid4()), MODEL, uuid4(), None)
    messages = conversation(80)
    history = History(room(Counter(None)), LongHistory.SUMMARIZE, FailingSummaries(), turn)
    shown, left_out = await history.shown(messages, Before(5, 100))
    assert left_out is not None
    assert not left_out.summarized
    assert left_out.messages == len(messages) - len(shown) + 5
    assert left_out.tokens > 100
