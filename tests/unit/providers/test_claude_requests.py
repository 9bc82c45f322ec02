"""Whatever a conversation holds, Claude is sent what Anthropic takes; the stand-in refuses what Anthropic refuses."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from aichat_sandbox.vendors.anthropic_checks import check
from aichat_sandbox.vendors.anthropic_turns import check_turns, signed
from aichat_server.content.parts import (
    AudioPart,
    Citation,
    DocumentPart,
    ImagePart,
    Link,
    Part,
    ProviderItem,
    ReasoningPart,
    Role,
    Signature,
    StoredFile,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    WebSource,
)
from aichat_server.providers.domain.requests import (
    ChatOptions,
    PathMessage,
    Prompt,
    ProviderRequest,
    ReasoningEffort,
    ResponseFormat,
    Tool,
    ToolChoice,
    ToolChoiceMode,
    WebSearch,
)
from aichat_server.providers.gateway import claude_request
from hypothesis import given
from hypothesis import strategies as st

NAME = "anthropic"
OPUS, SONNET, OLDER = "claude-opus-5-5", "claude-sonnet-5-5", "claude-sonnet-4-6"
USER, MODEL = Role.USER, Role.ASSISTANT
LOOK = Tool("look", "Looks.", '{"type": "object"}')
NONE, HIGH = ReasoningEffort.NONE, ReasoningEffort.HIGH
LINK = Link("https://example.com/a")
CITED = '{"type":"web_search_result_location","url":"https://a/","title":"A","cited_text":"q","encrypted_index":"i"}'


def sent(*messages: tuple[Part, ...], model: str = OPUS, **options: Any) -> Any:
    """Returns the body for messages of user and model in turn, as Anthropic gets it and accepts it."""
    path = tuple(PathMessage((USER, MODEL)[n % 2], parts) for n, parts in enumerate(messages))
    return body_of(ProviderRequest(model, Prompt(path), 100, ChatOptions(**options)))


def body_of(request: ProviderRequest) -> Any:
    body = msgspec.json.decode(msgspec.json.encode(claude_request.answering(request, NAME)))
    check(body, counts=False)
    check_turns(body)
    return body


def content(body: Any, n: int) -> list[dict[str, Any]]:
    return [{k: v for k, v in block.items() if k != "cache_control"} for block in body["messages"][n]["content"]]


def thought(text: str = "Hm.") -> ReasoningPart:
    return ReasoningPart(text, Signature(NAME, signed(text, ""), "thinking"))


def said(text: str) -> tuple[Part, ...]:
    return (TextPart(text),)


@pytest.mark.parametrize(
    ("model", "effort", "choice", "thinking"),
    [
        (OPUS, None, None, "adaptive"),
        (OPUS, NONE, None, "adaptive"),
        (OPUS, None, ToolChoiceMode.REQUIRED, "adaptive"),
        (SONNET, NONE, None, "between_tools"),
        (SONNET, HIGH, ToolChoiceMode.ONE, "adaptive"),
        ("claude-haiku-5-5", None, ToolChoiceMode.REQUIRED, "disabled"),
        ("claude-haiku-5-5", HIGH, ToolChoiceMode.AUTO, "adaptive"),
        (OLDER, None, None, None),
        (OLDER, HIGH, ToolChoiceMode.ONE, None),
        (OLDER, NONE, None, "disabled"),
    ],
)
def test_a_model_thinks_where_it_may(
    model: str, effort: ReasoningEffort | None, choice: ToolChoiceMode | None, thinking: str | None
) -> None:
    chosen = ToolChoice(choice, "look" if choice is ToolChoiceMode.ONE else "") if choice else None
    loop = (said("Hi"), (thought(), ToolCallPart("c", "look", "{}")), (ToolResultPart("c"),))
    body = sent(*loop, model=model, reasoning_effort=effort, tools=(LOOK,), tool_choice=chosen)
    assert body.get("thinking", {}).get("type") == thinking
    kinds = [block["type"] for block in content(body, 1)]
    assert kinds == (["thinking", "tool_use"] if thinking == "adaptive" else ["tool_use"])


@pytest.mark.parametrize(
    ("model", "options", "choice", "last"),
    [
        (OLDER, {"tool_choice": ToolChoice(ToolChoiceMode.REQUIRED)}, {"type": "any"}, "Hi"),
        (OLDER, {"tool_choice": ToolChoice(ToolChoiceMode.ONE, "look")}, {"type": "tool", "name": "look"}, "Hi"),
        (OLDER, {"tool_choice": ToolChoice(ToolChoiceMode.NONE)}, {"type": "none"}, "Hi"),
        (OPUS, {"tool_choice": ToolChoice(ToolChoiceMode.REQUIRED)}, {"type": "auto"}, "Call one of the tools now."),
        (OPUS, {"tool_choice": ToolChoice(ToolChoiceMode.ONE, "look")}, {"type": "auto"}, "Call the tool look now."),
        (OPUS, {"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}, "Hi"),
        (OPUS, {"parallel_tool_calls": True}, None, "Hi"),
        (OPUS, {}, None, "Hi"),
    ],
)
def test_a_tool_is_called_as_far_as_the_model_can_be_made_to(
    model: str, options: dict[str, Any], choice: object, last: str
) -> None:
    body = sent(said("Hi"), model=model, tools=(LOOK,), **options)
    assert body.get("tool_choice") == choice
    assert content(body, 0)[-1]["text"] == last
    assert "cache_control" in body["messages"][0]["content"][0]


def test_a_tool_that_is_gone_may_not_be_called_but_a_search_may() -> None:
    loop = (said("Hi"), (ToolCallPart("c", "go.ne", "{}"),), (ToolResultPart("c"),))
    body = sent(*loop)
    assert (body["tools"][0]["name"], body["tool_choice"]) == ("go_ne", {"type": "none"})
    body = sent(*loop, web_search=WebSearch(3, ("example.com",)))
    assert body["tools"][1] | {"cache_control": None} == {
        "type": "web_search_20260318", "name": "web_search", "max_uses": 3, "allowed_domains": ["example.com"],
        "allowed_callers": ["direct"], "cache_control": None,
    }  # fmt: skip
    assert "tool_choice" not in body


SEARCH = ProviderItem(NAME, "server_tool_use", '{"type":"server_tool_use","id":"s","name":"web_search","input":{}}')
FOUND = ProviderItem(NAME, "web_search_tool_result", '{"type":"web_search_tool_result","tool_use_id":"s","content":[]}')
CITES = (
    Citation(WebSource("https://a/"), start=4, end=8, signature=Signature(NAME, CITED, "web_search_result_location")),
)


@pytest.mark.parametrize(
    ("parts", "shown"),
    [
        ((SEARCH, FOUND, TextPart("x")), ["server_tool_use", "web_search_tool_result", "x"]),
        ((SEARCH, TextPart("x")), ["x"]),
        ((FOUND, TextPart("x")), ["x"]),
        ((TextPart("So: rain."),), ["So: rain."]),
        ((TextPart("So: rain.", CITES),), ["So: ", ("rain", 1), "."]),
        ((TextPart("\n\n\n\nrain ", CITES),), [("\n\n\n\nrain", 1)]),
        ((DocumentPart(LINK), TextPart("x")), ["(document not shown: this model cannot read it)", "x"]),
        ((AudioPart(StoredFile("0", "audio/wav", 1)), TextPart("x")),
         ["(audio not shown: this model cannot read it)", "x"]),
    ],
)  # fmt: skip
def test_answers_return_as_they_came(parts: tuple[Part, ...], shown: list[object]) -> None:
    blocks = content(sent(said("Hi"), parts, said("And?")), 1)
    told = [
        (block["text"], len(block["citations"])) if "citations" in block else block.get("text", block["type"])
        for block in blocks
    ]
    assert told == shown


def test_a_search_that_runs_beside_a_call_goes_on() -> None:
    body = sent(said("Hi"), (SEARCH, ToolCallPart("c", "look", "{}")), (ToolResultPart("c"),), tools=(LOOK,))
    assert [block["type"] for block in content(body, 1)] == ["server_tool_use", "tool_use"]


def test_calls_have_ids_and_arguments_that_anthropic_accepts() -> None:
    calls = (ToolCallPart("call:1", "look", '{"a": 1}'), ToolCallPart("call_1", "look", "no JSON"))
    results = (ToolResultPart("call_1", is_error=True), ToolResultPart("call:1", (TextPart("ok"),)))
    again = (ToolCallPart("call:1", "look", ""),)
    body = sent(said("Hi"), calls, results, again, (ToolResultPart("call:1"), TextPart("And?")), tools=(LOOK,))
    assert [(block["id"], block["input"]) for n in (1, 3) for block in content(body, n)] == [
        ("call_1", {"a": 1}), ("call_1_1", {"INVALID_JSON": "no JSON"}), ("call_1_2", {}),
    ]  # fmt: skip
    assert [block.get("tool_use_id") for n in (2, 4) for block in content(body, n)] == [
        "call_1", "call_1_1", "call_1_2", None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("parts", "is_error", "shown"),
    [
        ((), False, ["result"]),
        ((), True, ["result", "error", "(the tool failed)"]),
        ((TextPart("No."),), True, ["result", "error", "No."]),
        ((ImagePart(LINK),), True, ["result", "(the tool failed)", "image"]),
    ],
)
def test_a_failed_call_says_so(parts: tuple[Any, ...], is_error: bool, shown: list[str]) -> None:
    loop = (said("Hi"), (ToolCallPart("c", "look", "{}"),), (ToolResultPart("c", parts, is_error),))
    [block] = content(sent(*loop, tools=(LOOK,)), 2)
    inner = [one.get("text", one["type"]) for one in block.get("content", ())]
    assert ["result", *(["error"] if block.get("is_error") else []), *inner] == shown


def test_documents_are_cited_unless_the_answer_has_a_schema() -> None:
    asked = (DocumentPart(LINK, "A report"), TextPart("Hi"))
    cited = {"type": "document", "source": {"type": "url", "url": LINK.url}, "title": "A report"}
    assert content(sent(asked), 0)[0] == cited | {"citations": {"enabled": True}}
    schema = """{"type": "object", "properties": {
        "n": {"type": "integer", "minimum": 0}, "of": {"oneOf": [{"type": "object"}, {"type": "null"}]}
    }}"""
    body = sent(asked, response_format=ResponseFormat(schema))
    assert content(body, 0)[0] == cited
    assert body["output_config"]["format"]["schema"] == {
        "type": "object",
        "properties": {
            "n": {"type": "integer", "description": '{"minimum": 0}'},
            "of": {"anyOf": [{"type": "object", "additionalProperties": False}, {"type": "null"}]},
        },
        "additionalProperties": False,
    }


def test_any_object_is_asked_for_in_words() -> None:
    body = sent(said("Hi"), response_format=ResponseFormat('{"type": "object"}'))
    assert content(body, 0)[-1]["text"] == claude_request.ANSWER_JSON
    assert "format" not in body.get("output_config", {})


def test_breakpoints_are_where_the_last_request_wrote_and_where_the_next_one_reads() -> None:
    turns = [said("Hi"), said("Hello"), said("How?"), said("So."), (TextPart("And"), TextPart("then?"))]
    body = sent(*turns, tools=(LOOK, Tool("go")), system_prompt="Be brief.")
    blocks = [*body["tools"], *body["system"], *(block for message in body["messages"] for block in message["content"])]
    marked = [block.get("name") or block["text"] for block in blocks if "cache_control" in block]
    assert marked == ["go", "Be brief.", "How?", "then?"]
    assert "cache_control" not in str(sent(*turns, tools=(LOOK,), system_prompt="Be brief.", cache=False))


IDS = st.sampled_from(("a", "b", "c:1"))
TEXT = st.builds(TextPart, st.sampled_from(("x", " ", "", "Longer text.")))
INNER = st.lists(st.one_of(TEXT, st.just(ImagePart(LINK))), max_size=2).map(tuple)
RESULT = st.builds(ToolResultPart, IDS, INNER, st.booleans())
ASKED = st.lists(st.one_of(TEXT, RESULT, st.just(ImagePart(LINK)), st.just(DocumentPart(LINK))), max_size=4)
CALL = st.builds(
    ToolCallPart, IDS, st.sampled_from(("look", "lo.ok", "lo_ok")), st.sampled_from(("{}", "", "[1]", '{"a": 1}'))
)
OTHERS = st.sampled_from(
    (
        thought(),
        ReasoningPart("x", Signature("openai", "y")),
        ReasoningPart("x"),
        SEARCH,
        FOUND,
        ProviderItem("o", "k", "{}"),
    )
)
ANSWERED = st.lists(st.one_of(TEXT, CALL, OTHERS, st.just(DocumentPart(LINK))), max_size=5)
PATH = st.lists(
    st.one_of(
        st.builds(PathMessage, st.just(USER), ASKED.map(tuple)),
        st.builds(PathMessage, st.just(MODEL), ANSWERED.map(tuple)),
    ),
    max_size=6,
)
CHOICES = st.sampled_from((None, *map(ToolChoice, (ToolChoiceMode.AUTO, ToolChoiceMode.NONE, ToolChoiceMode.REQUIRED))))


@given(PATH, st.sampled_from((OPUS, SONNET, OLDER)), st.sampled_from((None, NONE, HIGH)), CHOICES, st.booleans())
def test_anthropic_takes_whatever_was_said(
    path: list[PathMessage], model: str, effort: ReasoningEffort | None, choice: ToolChoice | None, searches: bool
) -> None:
    options = ChatOptions(
        reasoning_effort=effort,
        tools=(LOOK,) if choice else (),
        tool_choice=choice,
        web_search=WebSearch() if searches else None,
    )
    messages = (*path, PathMessage(USER, said("And?")))
    body_of(ProviderRequest(model, Prompt(messages), 100, options))
