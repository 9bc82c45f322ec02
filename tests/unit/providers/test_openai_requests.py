"""The bodies of both of OpenAI's APIs, for conversations with parts of every kind."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from aichat_server.content.parts import (
    AudioPart,
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
)
from aichat_server.models.domain.models import ServiceTier
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
from aichat_server.providers.gateway import chat_completions_request, responses_request
from aichat_server.providers.gateway.body import Base64File, TextFile
from aichat_server.providers.gateway.openai_terms import is_strict

USER, MODEL = Role.USER, Role.ASSISTANT
PNG, PDF = StoredFile("aa", "image/png", 3), StoredFile("bb", "application/pdf", 3, pages=1)
TEXT, MP3 = StoredFile("cc", "text/plain", 3), StoredFile("dd", "audio/mpeg", 3)
REASONED = '{"id": "rs_1",  "type":"reasoning","summary":[],"encrypted_content":"x="}'
FOUND = '{"id":"ws_1","type":"web_search_call","action":{"type":"search"}}'
HI = (USER, (TextPart("Hi"),))
CLOSED = (
    '{"type": "object", "properties": {"at": {"type": "string"}}, "required": ["at"], "additionalProperties": false}'
)
OPEN = '{"type": "object", "properties": {"at": {"type": "string"}}}'


def asked(*messages: tuple[Role, tuple[Part, ...]], **options: Any) -> ProviderRequest:
    path = tuple(PathMessage(role, parts) for role, parts in messages)
    model, reasons = options.pop("model", "gpt-6-luna"), options.pop("reasons", True)
    return ProviderRequest(model, Prompt(path, cache_key="key"), 100, ChatOptions(**options), reasons=reasons)


def sent(body: object) -> dict[str, Any]:
    """Returns the body as it is sent, with the names of files in place of their content."""

    def named(value: object) -> str:
        assert isinstance(value, Base64File | TextFile)
        return f"{getattr(value, 'prefix', '')}<{value.file.sha256}>"

    told: dict[str, Any] = json.loads(msgspec.json.encode(body, enc_hook=named))
    return told


def response(request: ProviderRequest) -> dict[str, Any]:
    return sent(responses_request.params(request, "openai", summaries=True))


def completion(request: ProviderRequest) -> dict[str, Any]:
    return sent(chat_completions_request.params(request, "openai", compatible=True))


def mark(kind: str, data: str, provider: str = "openai") -> Signature:
    return Signature(provider, data, kind)


def call(call_id: str, data: str = '{"id":"fc_1","status":"completed"}') -> ToolCallPart:
    return ToolCallPart(call_id, "look", '{"at":1}', mark("function_call", data))


def test_what_a_model_wrote_returns_as_items_in_its_order() -> None:
    wrote = (
        ReasoningPart("", mark("reasoning", REASONED)),
        TextPart("Let me see.", (), mark("message", '{"id":"msg_1","status":"completed","phase":"commentary"}')),
        ProviderItem("openai", "web_search_call", FOUND),
        call("c1"),
        ToolCallPart("c2", "look", ""),
    )
    results = (
        ToolResultPart("c1", (TextPart("A lake."), ImagePart(PNG))),
        ToolResultPart("c2", (TextPart("No."),), is_error=True),
    )
    text = {"type": "output_text", "text": "Let me see.", "annotations": []}
    marks = {"id": "msg_1", "status": "completed", "phase": "commentary"}
    image = {"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,<aa>"}
    output = [{"type": "input_text", "text": "A lake."}, image]
    one = {"type": "function_call", "id": "fc_1", "status": "completed", "call_id": "c1", "name": "look"}
    assert response(asked(HI, (MODEL, wrote), (USER, results)))["input"][1:] == [
        json.loads(REASONED),
        {"type": "message", "role": "assistant", **marks, "content": [text]},
        json.loads(FOUND),
        {**one, "arguments": '{"at":1}'},
        {"type": "function_call", "call_id": "c2", "name": "look", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": output},
        {"type": "function_call_output", "call_id": "c2", "output": "The tool failed.\n\nNo."},
    ]


def test_models_that_do_not_reason_get_no_marks() -> None:
    wrote = (ReasoningPart("a", mark("reasoning", REASONED)), call("c1"))
    body = response(asked(HI, (MODEL, wrote), (USER, (ToolResultPart("c1"),)), model="gpt-4.1", reasons=False))
    assert [item.get("id") for item in body["input"]] == [None, None, None]
    assert not {"reasoning", "include"} & set(body)


@pytest.mark.parametrize(
    ("wrote", "kept"),
    [
        # Its call has no result, so that nothing would follow.
        ((ReasoningPart("", mark("reasoning", REASONED)), call("lost")), ["message"]),
        ((TextPart("a"), ReasoningPart("", mark("reasoning", REASONED))), ["message"]),
        ((ReasoningPart("", mark("reasoning", REASONED)), TextPart("a")), ["reasoning", "message"]),
        # Another API's, another vendor's, and none at all.
        ((ReasoningPart("a", mark("reasoning", "")), TextPart("a")), ["message"]),
        ((ReasoningPart("a", mark("reasoning", REASONED, "gemini")), TextPart("a")), ["message"]),
        ((ReasoningPart("a"), TextPart("a")), ["message"]),
    ],
)
def test_reasoning_returns_only_before_what_it_led_to(wrote: tuple[Part, ...], kept: list[str]) -> None:
    assert [item["type"] for item in response(asked(HI, (MODEL, wrote), HI))["input"][1:-1]] == kept


def test_the_users_parts() -> None:
    link = Link("https://example.com/a")
    parts = (ImagePart(PNG), ImagePart(link), DocumentPart(PDF, "Deed"), DocumentPart(TEXT, "Note"), DocumentPart(link))
    [item] = response(asked((USER, (*parts, AudioPart(MP3)))))["input"]
    sound = {"type": "input_audio", "input_audio": {"data": "<dd>", "format": "mp3"}}
    pdf = "data:application/pdf;base64,<bb>"
    assert item["content"][1:] == [
        {"type": "input_image", "detail": "auto", "image_url": link.url},
        {"type": "input_file", "filename": "Deed.pdf", "file_data": pdf},
        {"type": "input_text", "text": "Note:"},
        {"type": "input_text", "text": "<cc>"},
        {"type": "input_file", "file_url": link.url},
        sound,
    ]
    [message] = completion(asked((USER, (*parts, AudioPart(MP3)))))["messages"]
    assert message["content"] == [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,<aa>"}},
        {"type": "image_url", "image_url": {"url": link.url}},
        {"type": "file", "file": {"filename": "Deed.pdf", "file_data": pdf}},
        {"type": "text", "text": "Note:"},
        {"type": "text", "text": "<cc>"},
        {"type": "text", "text": f"(document at {link.url})"},
        sound,
    ]


def test_options() -> None:
    options: dict[str, Any] = {
        "tools": (Tool("look", "Looks.", CLOSED), Tool("open", "", OPEN), Tool("none")),
        "tool_choice": ToolChoice(ToolChoiceMode.ONE, "look"),
        "parallel_tool_calls": False,
        "response_format": ResponseFormat(CLOSED, "place"),
        "web_search": WebSearch(2, ("example.com",)),
        "service_tier": ServiceTier.FLEX,
        "reasoning_effort": ReasoningEffort.LOW,
    }
    body, schema = response(asked(HI, **options)), json.loads(CLOSED)
    named = [(tool.get("name"), tool.get("strict")) for tool in body["tools"]]
    assert named == [("look", True), ("open", False), ("none", True), (None, None)]
    assert body["tools"][-1] == {"type": "web_search", "filters": {"allowed_domains": ["example.com"]}}
    assert body["tool_choice"] == {"type": "function", "name": "look"}
    assert body["text"] == {"format": {"type": "json_schema", "name": "place", "schema": schema, "strict": True}}
    assert (body["max_tool_calls"], body["parallel_tool_calls"], body["service_tier"]) == (2, False, "flex")
    assert body["include"] == ["reasoning.encrypted_content", "web_search_call.action.sources"]
    assert (body["reasoning"], body["prompt_cache_key"]) == ({"effort": "low", "summary": "auto"}, "key")
    body = completion(asked(HI, seed=7, top_p=0.5, **options))
    function = {"name": "look", "parameters": schema, "description": "Looks.", "strict": True}
    assert body["tools"][0] == {"type": "function", "function": function}
    assert body["tool_choice"] == {"type": "function", "function": {"name": "look"}}
    shape = {"name": "place", "schema": schema, "strict": True}
    assert body["response_format"] == {"type": "json_schema", "json_schema": shape}
    assert (body["seed"], body["top_p"], body["parallel_tool_calls"]) == (7, 0.5, False)


def test_a_cache_may_be_left_alone() -> None:
    body = response(asked(HI, cache=False))
    assert body["prompt_cache_options"] == {"mode": "explicit"}
    assert "prompt_cache_key" not in body
    assert "prompt_cache_options" not in response(asked(HI, cache=False, model="gpt-5", reasons=True))


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (CLOSED, True),
        (OPEN, False),
        ('{"type": "object", "properties": {}, "required": [], "additionalProperties": false}', True),
        (CLOSED.replace('"string"', '"array", "items": ' + OPEN), False),
        (CLOSED.replace('"string"', '["string", "null"]'), True),
        (CLOSED.replace('"string"', '"string", "minLength": 2'), False),
        (CLOSED.replace('{"type": "string"}', '{"anyOf": [{"type": "null"}, ' + CLOSED + "]}"), True),
        ('{"type": "object", "anyOf": [' + CLOSED + "]}", False),
    ],
)
def test_a_schema_is_strict_only_where_openai_takes_it(schema: str, *, strict: bool) -> None:
    assert is_strict(json.loads(schema)) == strict


def test_tool_loops_of_compatible_endpoints() -> None:
    thought = ReasoningPart("Hm.", mark("reasoning_content", ""))
    details = ReasoningPart("", mark("reasoning_details", '[{"type":"reasoning.encrypted","data":"x"}]'))
    calls = (ToolCallPart("c1", "look", "no JSON"), ToolCallPart("x" * 65, "look", ""))
    results = (ToolResultPart("c1", (TextPart("A lake."), ImagePart(PNG))), ToolResultPart("x" * 65))
    begun = (MODEL, (thought, details, TextPart("Well."), *calls))
    in_loop = completion(asked(HI, begun, (USER, results)))["messages"]
    over = completion(asked(HI, begun, (USER, results), (MODEL, (TextPart("It is."),)), HI))["messages"]
    told = in_loop[1]["tool_calls"]
    assert [one["function"]["arguments"] for one in told] == ['{"arguments": "no JSON"}', "{}"]
    assert len(told[1]["id"]) == 64
    assert [message["role"] for message in in_loop] == ["user", "assistant", "tool", "tool", "user"]
    assert [message["content"] for message in in_loop[:4]] == ["Hi", "Well.", "A lake.", ""]
    assert in_loop[3]["tool_call_id"] == told[1]["id"]
    # OpenRouter's details are wanted always, other reasoning only while tools are called.
    shown = [{name for name in told if name.startswith("reasoning")} for told in (in_loop[1], over[1])]
    assert shown == [{"reasoning_content", "reasoning_details"}, {"reasoning_details"}]
    blocks = (ReasoningPart("Hm.", mark("thinking", "")), TextPart("Well."), calls[0])
    mistral = completion(asked(HI, (MODEL, blocks), (USER, results[:1])))["messages"][1]
    assert [block["type"] for block in mistral["content"]] == ["thinking", "text"]
    # Tools that were called before are known, and not called again.
    body = completion(asked(HI, begun, (USER, results)))
    assert (body["tools"][0]["function"]["name"], body["tool_choice"]) == ("look", "none")
