"""Requests of Chat Completions, read as the platform's own: what is carried, and what is refused by its name."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest
from aichat_server.compat.domain.bodies import json_body
from aichat_server.compat.domain.openai.chat import ChatRequest
from aichat_server.compat.domain.openai.chat_messages import messages_told
from aichat_server.compat.domain.openai.chat_options import NAMES, options_told
from aichat_server.compat.domain.openai.forms import told_as
from aichat_server.compat.domain.openai.responses_marks import sealed
from aichat_server.content.parts import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Link,
    Part,
    ReasoningPart,
    Role,
    Signature,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from aichat_server.core.errors import AichatError, Reason, invalid_request
from aichat_server.files.domain.asked import AskedFile
from aichat_server.models.domain.models import ServiceTier
from aichat_server.providers.domain.requests import (
    ChatOptions,
    PathMessage,
    ReasoningEffort,
    ResponseFormat,
    Tool,
    ToolChoice,
    ToolChoiceMode,
    WebSearch,
)

HI = {"role": "user", "content": "Hi"}
SCHEMA = {"type": "object"}
WEATHER = {"type": "function", "function": {"name": "weather", "description": "Tells it.", "parameters": SCHEMA}}
CLOCK = {"type": "function", "function": {"name": "clock"}}
BYTES = base64.b64encode(b"bytes").decode()
OBJECT = '{"type":"object"}'
TOOLS = (Tool("weather", "Tells it.", OBJECT), Tool("clock"))


PARTS = [
    {"type": "text", "text": "See"},
    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{BYTES}", "detail": "low"}},
    {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    {"type": "input_audio", "input_audio": {"data": BYTES, "format": "wav"}},
    {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{BYTES}", "filename": "a.pdf"}},
    {"type": "file", "file": {"file_id": "0" * 64}},
]


def asked(**fields: Any) -> ChatOptions:
    """The options of a request with these fields."""
    request = read(messages=[HI], **fields)
    return options_told(request, messages_told(request.messages).instructions)


def read(**fields: Any) -> ChatRequest:
    """The request as it arrives."""
    return json_body(msgspec.json.encode({"model": "m", **fields})).read(ChatRequest)


def called(*ids: str, **more: Any) -> dict[str, Any]:
    """A message that calls tools."""
    function = {"name": "weather", "arguments": "{}"}
    calls = [{"id": call_id, "type": "function", "function": function, **more} for call_id in ids]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(call_id: str, content: Any = "warm") -> dict[str, Any]:
    """A tool's result."""
    return {"role": "tool", "tool_call_id": call_id, "content": content}


@pytest.mark.parametrize(
    ("fields", "options"),
    [
        ({}, ChatOptions()),
        ({"max_tokens": 5}, ChatOptions(max_output_tokens=5)),
        ({"max_tokens": 5, "max_completion_tokens": 9}, ChatOptions(max_output_tokens=9)),
        ({"temperature": 0, "top_p": 0.5, "seed": 3}, ChatOptions(temperature=0, top_p=0.5, seed=3)),
        ({"stop": "."}, ChatOptions(stop=(".",))),
        ({"stop": [".", "!"]}, ChatOptions(stop=(".", "!"))),
        ({"reasoning_effort": "none"}, ChatOptions(reasoning_effort=ReasoningEffort.NONE)),
        ({"reasoning_effort": "minimal"}, ChatOptions(reasoning_effort=ReasoningEffort.LOW)),
        ({"reasoning_effort": "xhigh"}, ChatOptions(reasoning_effort=ReasoningEffort.HIGH)),
        ({"service_tier": "fast"}, ChatOptions(service_tier=ServiceTier.PRIORITY)),
        ({"web_search_options": {}}, ChatOptions(web_search=WebSearch())),
        (
            {"tools": [WEATHER, CLOCK], "tool_choice": "auto"},
            ChatOptions(tools=TOOLS, tool_choice=ToolChoice(ToolChoiceMode.AUTO)),
        ),
        (
            {"tools": [WEATHER, CLOCK], "tool_choice": {"type": "function", "function": {"name": "clock"}}},
            ChatOptions(tools=TOOLS, tool_choice=ToolChoice(ToolChoiceMode.ONE, "clock")),
        ),
        (
            {
                "tools": [WEATHER, CLOCK],
                "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [CLOCK]}},
                "parallel_tool_calls": False,
            },
            ChatOptions(
                tools=TOOLS[1:], tool_choice=ToolChoice(ToolChoiceMode.REQUIRED), parallel_tool_calls=False
            ),
        ),
        ({"tool_choice": "none", "parallel_tool_calls": True}, ChatOptions()),
        ({"response_format": {"type": "text"}}, ChatOptions()),
        ({"response_format": {"type": "json_object"}}, ChatOptions(response_format=ResponseFormat(OBJECT))),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}},
            ChatOptions(response_format=ResponseFormat(OBJECT, "a")),
        ),
        # What means the default, and what is nobody's business.
        (
            {
                "n": 1, "temperature": 1, "top_p": 1.0, "logprobs": False, "top_logprobs": None, "logit_bias": {},
                "modalities": ["text"], "audio": None, "frequency_penalty": 0, "presence_penalty": 0, "functions": [],
                "verbosity": "medium", "user": "u", "metadata": {"a": "b"}, "store": False, "unheard_of": [1],
            },
            ChatOptions(),
        ),
    ],
)  # fmt: skip
def test_options_are_carried(fields: dict[str, Any], options: ChatOptions) -> None:
    assert asked(**fields) == options


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"audio": {"voice": "x", "format": "wav"}}, "audio"),
        ({"prediction": {"type": "content", "content": "x"}}, "prediction"),
        ({"functions": [{"name": "old"}]}, "functions"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"service_tier": "scale"}, "service_tier"),
        ({"reasoning_effort": "extreme"}, "reasoning_effort"),
        ({"temperature": 3}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"tools": [WEATHER] * 129}, "tools"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0].type"),
        ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name"),
        ({"tool_choice": "some"}, "tool_choice"),
        ({"tool_choice": {"type": "custom"}}, "tool_choice"),
        ({"web_search_options": {"user_location": {"type": "approximate"}}}, "web_search_options.user_location"),
        ({"response_format": {"type": "xml"}}, "response_format"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}},
            "response_format.json_schema.schema",
        ),
    ],
)
def test_options_are_refused_by_their_names(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(AichatError) as failed:
        asked(**fields)
    assert failed.value.reason in (Reason.REQUEST_INVALID, Reason.OPTION_UNSUPPORTED)
    assert failed.value.violations[0].field == param


def test_messages_become_parts() -> None:
    mark = {"google": {"thought_signature": "sig"}}
    request = read(
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": PARTS},
            {**called("c1", "c2", extra_content=mark), "content": "Well", "refusal": "no", "reasoning_content": "Hm"},
            {"role": "developer", "content": [{"type": "text", "text": "And kind."}]},
            result("c2", [{"type": "text", "text": "cold"}]),
            result("c1"),
            {"role": "assistant", "content": None, "function_call": {"name": "clock", "arguments": "{}"}},
            {"role": "function", "name": "clock", "content": "noon"},
        ]
    )
    told = messages_told(request.messages)
    assert told.instructions == "Be brief.\n\nAnd kind."
    file = AskedFile("", "", 0, data=b"bytes")
    user, answer, *rest = told.messages
    shown = [nameless(one) for one in user.parts[1:]]
    stored = AskedFile("0" * 64, "", 0)
    assert shown == [
        ImagePart(file), ImagePart(Link("https://example.com/a.png")), AudioPart(file), DocumentPart(file, "a.pdf"),
        DocumentPart(stored),
    ]  # fmt: skip
    marked = [ToolCallPart(name, "weather", "{}", Signature("gemini", "sig")) for name in ("c1", "c2")]
    assert answer == PathMessage(Role.ASSISTANT, (TextPart("Well"), TextPart("no"), *marked))
    results = (ToolResultPart("c2", (TextPart("cold"),)), ToolResultPart("c1", (TextPart("warm"),)))
    assert rest[0] == PathMessage(Role.USER, results)
    [call], [found] = rest[1].parts, rest[2].parts
    assert isinstance(call, ToolCallPart)
    assert isinstance(found, ToolResultPart)
    assert (call.name, call.call_id, found.parts) == ("clock", found.call_id, (TextPart("noon"),))


def nameless(part: Part) -> Part:
    """The part without the field of its file."""
    match part:
        case ImagePart(AskedFile() as file) | DocumentPart(AskedFile() as file) | AudioPart(AskedFile() as file):
            return msgspec.structs.replace(part, source=msgspec.structs.replace(file, field=""))
        case _:
            return part


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([], "messages"),
        ([{"role": "system", "content": "Be brief."}], "messages"),
        ([{"role": "user", "content": "  "}], "messages"),
        ([HI, {"role": "robot", "content": "Hi"}], "messages[1].role"),
        ([{"role": "user", "content": 5}], "messages[0].content"),
        ([{"role": "user", "content": "a\0b"}], "messages[0].content"),
        ([{"role": "user", "content": [{"type": "video"}]}], "messages[0].content[0]"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png,x"}}]}],
         "messages[0].content[0].image_url.url"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "http://10.0.0.1/a"}}]}],
         "messages[0].content[0].image_url.url"),
        ([{"role": "user", "content": [{"type": "file", "file": {"file_id": "file-abc"}}]}],
         "messages[0].content[0].file.file_id"),
        ([{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "?", "format": "wav"}}]}],
         "messages[0].content[0].input_audio.data"),
        ([HI, {"role": "assistant", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}],
         "messages[1].content[0]"),
        ([HI, {"role": "assistant", "audio": {"id": "a"}}], "messages[1].audio"),
        ([HI, {"role": "assistant", "reasoning_details": [{"data": "aichat.1.x"}]}],
         "messages[1].reasoning_details[0].data"),
        ([HI, called("c1")], "messages[1]"),
        ([HI, called("c1"), HI], "messages[2]"),
        ([HI, called("c1", "c1"), result("c1")], "messages[1].tool_calls[1].id"),
        ([HI, result("c1")], "messages[1].tool_call_id"),
        ([HI, called("c1"), result("c1"), result("c1")], "messages[3].tool_call_id"),
        ([HI, {"role": "function", "name": "x", "content": "y"}], "messages[1].name"),
        ([HI, {"role": "assistant", "tool_calls": [{"id": "c", "type": "custom"}]}], "messages[1].tool_calls[0].type"),
    ],
)  # fmt: skip
def test_messages_are_refused_by_their_places(messages: list[Any], param: str) -> None:
    with pytest.raises(AichatError) as failed:
        messages_told(read(messages=messages).messages)
    assert failed.value.violations[0].field == param


def test_reasoning_returns_to_its_vendor() -> None:
    thought = ReasoningPart("Hm", Signature("anthropic", "sig", "thinking"))
    details = [
        {"type": "reasoning.encrypted", "data": sealed(thought)},
        {"type": "reasoning.text", "text": "another's"},
    ]
    answer = {"role": "assistant", "content": "Well", "reasoning_details": details}
    told = messages_told(read(messages=[HI, answer, HI]).messages)
    assert told.messages[1].parts == (thought, TextPart("Well"))


def test_bodies_that_are_no_text_are_malformed() -> None:
    for raw in (b"{", b"[]", b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}', b'{"a":' + b"[" * 9999):
        with pytest.raises(AichatError) as failed:
            json_body(raw).read(ChatRequest)
        assert failed.value.reason is Reason.REQUEST_MALFORMED


def test_errors_of_the_platform_have_the_names_of_the_api() -> None:
    bad = invalid_request("options.tools[3].parameters", "must be a JSON Schema as JSON text")
    told = told_as(bad, NAMES)
    assert told.violations[0].field == "tools[3].function.parameters"
    assert told.message == "the request is not valid: tools[3].function.parameters must be a JSON Schema as JSON text"
    lack = AichatError(
        Reason.OPTION_UNSUPPORTED, "leave max_output_tokens out", metadata={"option": "max_output_tokens"}
    )
    assert told_as(lack, NAMES).violations[0].field == "max_completion_tokens"
    other = AichatError(Reason.RATE_LIMITED, "wait")
    assert told_as(other, NAMES) is other
