"""The prompt of a model: a conversation that the strictest vendor accepts, in whatever order it was written."""

from __future__ import annotations

import pytest
from aichat_server.content.parts import (
    ImagePart,
    Part,
    PartKind,
    ProviderItem,
    ReasoningPart,
    Role,
    Signature,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from aichat_server.providers.domain.requests import (
    ChatOptions,
    PathMessage,
    Prompt,
    ProviderRequest,
    Tool,
    ToolChoice,
    ToolChoiceMode,
)
from aichat_server.providers.gateway.prompt import NO_ANSWER, NOT_SHOWN, Said, said, system_prompt, tool_choice, tools
from hypothesis import given
from hypothesis import strategies as st

from tests.fixtures.parts import IMAGE

USER, MODEL = Role.USER, Role.ASSISTANT
WHITE = [chr(code) for code in range(0x3001) if chr(code).isspace()]
ROLES = st.sampled_from(Role)
TEXTS = st.one_of(st.text(max_size=5), st.text(st.sampled_from(WHITE), max_size=3))
MESSAGES = st.lists(st.builds(PathMessage, ROLES, st.lists(st.builds(TextPart, TEXTS), max_size=3).map(tuple)))


def request(*messages: PathMessage, system: str = "") -> ProviderRequest:
    return ProviderRequest("a-model", Prompt(messages), 100, ChatOptions(system_prompt=system))


def message(role: Role, *texts: str) -> PathMessage:
    return PathMessage(role, tuple(map(TextPart, texts)))


@given(MESSAGES)
def test_the_user_begins_the_roles_take_turns_and_nothing_is_blank(messages: list[PathMessage]) -> None:
    shown = said(request(*messages), "vendor")
    assert [turn.role for turn in shown] == [(USER, MODEL)[n % 2] for n in range(len(shown))]
    assert all(turn.text.strip() for turn in shown)


def test_messages_of_one_role_become_one() -> None:
    asked = [message(USER, "a"), message(USER, "b"), message(MODEL, "c"), message(MODEL, "d"), message(USER, "e", "f")]
    shown = [(turn.role, turn.text) for turn in said(request(*asked), "vendor")]
    assert shown == [(USER, "a\n\nb"), (MODEL, "cd"), (USER, "e\n\nf")]


@pytest.mark.parametrize("blank", [(), ("",), (" \n",), ("\u00a0", "\u3000\u2028")])
def test_a_blank_question_is_omitted_and_a_blank_answer_marked(blank: tuple[str, ...]) -> None:
    asked = [message(USER, *blank), message(MODEL, "a"), message(USER, "b"), message(MODEL, *blank), message(USER, "c")]
    shown = [(turn.role, turn.text) for turn in said(request(*asked), "vendor")]
    assert shown == [(USER, "b"), (MODEL, NO_ANSWER), (USER, "c")]


def test_text_is_shown_as_it_is() -> None:
    assert said(request(message(USER, " a \n")), "vendor") == [Said(USER, (TextPart(" a \n"),))]


@pytest.mark.parametrize(("given_", "shown"), [("", None), (" \n\u2003", None), (" Be brief. ", " Be brief. ")])
def test_a_blank_system_prompt_is_none(given_: str, shown: str | None) -> None:
    assert system_prompt(request(message(USER, "a"), system=given_)) == shown


CALL, OTHER = ToolCallPart("1", "f", "{}"), ToolCallPart("2", "g", "{}")
RESULT, REST = ToolResultPart("1", (TextPart("a"),)), ToolResultPart("2")
WORDS = TextPart("b")
OWN, FOREIGN = Signature("vendor", "mark"), Signature("another", "mark")


def shown(*messages: tuple[Role, tuple[Part, ...]], reads: frozenset[PartKind] = frozenset(PartKind)) -> list[Said]:
    path = tuple(PathMessage(role, parts) for role, parts in messages)
    return said(ProviderRequest("a-model", Prompt(path), 100, reads=reads), "vendor")


@pytest.mark.parametrize(
    ("answer", "reply", "kept", "following"),
    [
        ((CALL,), (RESULT, WORDS), (CALL,), (RESULT, WORDS)),
        ((WORDS, CALL, OTHER), (WORDS, REST, RESULT), (WORDS, CALL, OTHER), (RESULT, REST, WORDS)),
        # Of a call and its result, neither stands alone.
        ((CALL, OTHER), (RESULT,), (CALL,), (RESULT,)),
        ((WORDS, CALL), (WORDS,), (WORDS,), (WORDS,)),
        ((CALL,), (WORDS,), (TextPart(NO_ANSWER),), (WORDS,)),
        ((WORDS,), (RESULT, WORDS), (WORDS,), (WORDS,)),
        ((CALL,), (RESULT, ToolResultPart("1")), (CALL,), (RESULT,)),
    ],
)
def test_calls_and_results_come_in_pairs(
    answer: tuple[Part, ...], reply: tuple[Part, ...], kept: tuple[Part, ...], following: tuple[Part, ...]
) -> None:
    assert shown((USER, (WORDS,)), (MODEL, answer), (USER, reply))[1:] == [Said(MODEL, kept), Said(USER, following)]


def test_only_the_vendors_own_marks_and_items_are_shown() -> None:
    own = (ReasoningPart("a", OWN), TextPart("b", (), OWN), ProviderItem("vendor", "search", "{}"), WORDS)
    foreign = (ReasoningPart("a", FOREIGN), ReasoningPart("a"), ProviderItem("another", "search", "{}"), WORDS)
    assert shown((USER, (WORDS,)), (MODEL, own), (USER, (WORDS,)))[1].parts == own
    assert shown((USER, (WORDS,)), (MODEL, foreign), (USER, (WORDS,)))[1].parts == (WORDS,)
    marked = ToolCallPart("1", "f", "{}", FOREIGN)
    assert shown((USER, (WORDS,)), (MODEL, (marked,)), (USER, (RESULT,)))[1].parts == (CALL,)


def test_what_a_model_cannot_read_is_replaced_by_a_line_of_text() -> None:
    result = ToolResultPart("1", (ImagePart(IMAGE),))
    path = ((USER, (ImagePart(IMAGE),)), (MODEL, (CALL,)), (USER, (result,)))
    line = TextPart(NOT_SHOWN.format(kind="image"))
    asked, _, reply = shown(*path, reads=frozenset({PartKind.TEXT}))
    assert (asked.parts, reply.parts) == ((line,), (ToolResultPart("1", (line,)),))
    assert [turn.parts for turn in shown(*path)] == [parts for _, parts in path]


def test_tools_that_were_called_stay_known_and_may_not_be_called() -> None:
    conversation = shown((USER, (WORDS,)), (MODEL, (CALL,)), (USER, (RESULT,)))
    without = request(message(USER, "a"))
    assert [tool.name for tool in tools(without, conversation)] == ["f"]
    assert tool_choice(without) == ToolChoice(ToolChoiceMode.NONE)
    offered = ProviderRequest("a-model", Prompt(()), 100, ChatOptions(tools=(Tool("f"), Tool("g"))))
    assert tools(offered, conversation) == offered.options.tools
    assert tool_choice(offered) is None


def test_calls_have_ids_of_their_own_and_names_that_all_vendors_accept() -> None:
    call = ToolCallPart("c1", "functions.look:0", "{}")
    results = [PathMessage(USER, (ToolResultPart("c1", (TextPart(text),)),)) for text in ("a", "b")]
    asked = [message(USER, "Hi"), PathMessage(MODEL, (call,)), results[0], PathMessage(MODEL, (call, call)), results[1]]
    shown = [part for turn in said(request(*asked), "vendor") for part in turn.parts[:1]]
    calls = [(part.call_id, part.name) for part in shown if isinstance(part, ToolCallPart)]
    assert calls == [("c1", "functions_look_0"), ("c1_2", "functions_look_0")]
    assert [part.call_id for part in shown if isinstance(part, ToolResultPart)] == ["c1", "c1_2"]
    assert sum(len(turn.parts) for turn in said(request(*asked), "vendor")) == 5
