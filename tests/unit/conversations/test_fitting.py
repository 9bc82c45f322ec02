"""Conversations that are cut: pairs stay together, the order is kept, and nothing exceeds the room."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aichat_server.content.parts import Part, Role, TextPart, ToolCallPart, ToolResultPart
from aichat_server.conversations.service.fitting import RESULT_NOTE, Cut, cut
from aichat_server.models.domain.media import MOST_RATES
from aichat_server.providers.domain.estimates import most_message_tokens, most_text_tokens
from aichat_server.providers.domain.requests import PathMessage
from hypothesis import given
from hypothesis import strategies as st


def weigh(message: PathMessage) -> int:
    return most_message_tokens(message, MOST_RATES)


def size(messages: Sequence[PathMessage]) -> int:
    return sum(map(weigh, messages))


def user(*parts: Part) -> PathMessage:
    return PathMessage(Role.USER, parts)


def turn(name: str, rounds: int, words: int, results: int, *, ends: bool) -> Iterator[PathMessage]:
    """A question, rounds of calls and results, and perhaps an answer."""
    yield user(TextPart(f"{name} " + "word " * words))
    for n in range(rounds):
        yield PathMessage(Role.ASSISTANT, (ToolCallPart(f"{name}.{n}", "look", "{}"),))
        yield user(ToolResultPart(f"{name}.{n}", (TextPart("found " * results),)))
    if ends:
        yield PathMessage(Role.ASSISTANT, (TextPart(f"answer {name} " + "word " * words),))


def conversation(shapes: Sequence[tuple[int, int, int]], *, ends: int) -> list[PathMessage]:
    turns = (turn(f"t{n}", *shape, ends=n < len(shapes) - ends) for n, shape in enumerate(shapes))
    return [message for one in turns for message in one]


SHAPES = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 60), st.integers(0, 200)), min_size=1, max_size=6)


def ids(messages: Sequence[PathMessage], kind: type[ToolCallPart | ToolResultPart]) -> list[str]:
    return [part.call_id for message in messages for part in message.parts if isinstance(part, kind)]


@given(SHAPES, st.integers(0, 4_000))
def test_p22_what_is_shown_fits_or_is_only_what_the_last_message_needs(
    shapes: list[tuple[int, int, int]], room: int
) -> None:
    messages = conversation(shapes, ends=1)
    found = cut(messages, room, weigh)
    shown = found.shown
    assert found.fits == (size(shown) <= room)
    assert shown[-1] is messages[-1]
    assert ids(shown, ToolCallPart) == ids(shown, ToolResultPart)
    assert shown[0].role is Role.USER
    assert not any(isinstance(part, ToolResultPart) for part in shown[0].parts)
    order = [str(message.parts[0])[:40] for message in messages]
    places = [order.index(str(message.parts[0])[:40]) for message in shown]
    assert places == sorted(places)
    assert len(shown) + len(found.dropped) == len(messages)
    assert size(messages) - size(shown) == found.tokens
    if size(messages) <= room:
        assert (found.shown, found.dropped, found.tool_results) == (tuple(messages), (), 0)


def test_the_oldest_results_lose_their_content_before_any_message_is_left_out() -> None:
    messages = conversation([(2, 5, 300), (1, 5, 300), (0, 5, 0)], ends=1)
    found = cut(messages, size(messages) - 100, weigh)
    assert (found.tool_results, found.dropped, found.gapless) == (1, (), True)
    (first, second, third) = [part for m in found.shown for part in m.parts if isinstance(part, ToolResultPart)]
    assert first.parts == (TextPart(RESULT_NOTE),)
    assert second.parts != first.parts != third.parts


def test_rounds_of_a_long_turn_are_left_out_but_not_its_question() -> None:
    messages = conversation([(1, 5, 5), (30, 5, 5)], ends=1)
    found = cut(messages, size(messages[:1]) + 200, weigh)
    assert found.fits
    assert not found.gapless
    assert found.shown[0].parts[0] == messages[4].parts[0]
    assert found.shown[-2:] == tuple(messages[-2:])


def test_p22_what_is_shown_begins_alike_for_many_turns() -> None:
    """A vendor's cache finds a prompt by its beginning."""
    shapes = [(0, 40, 0)] * 60
    cuts: list[Cut] = [cut(conversation(shapes[:n], ends=1), 2_000, weigh) for n in range(30, 60)]
    beginnings = [str(found.shown[0].parts[0])[:12] for found in cuts]
    assert all(found.fits for found in cuts)
    assert len(set(beginnings)) <= 6


def test_an_estimate_counts_signs_as_tokens_and_three_letters_as_one() -> None:
    assert most_text_tokens("The quick brown fox jumps") == 9
    assert most_text_tokens("[1, 22, 333]") == 11
    assert most_text_tokens("\N{CYRILLIC SMALL LETTER A}" * 8) == 8
    assert most_text_tokens("\N{ROCKET}") == 2
    assert most_text_tokens("") == 0
