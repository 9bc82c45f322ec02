"""The prompt of a model: a conversation that the strictest vendor accepts, in whatever order it was written."""

from __future__ import annotations

import pytest
from aichat_server.content.parts import Role, TextPart
from aichat_server.providers.domain.requests import ChatOptions, PathMessage, Prompt, ProviderRequest
from aichat_server.providers.gateway.prompt import NO_ANSWER, Said, said, system_prompt
from hypothesis import given
from hypothesis import strategies as st

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
