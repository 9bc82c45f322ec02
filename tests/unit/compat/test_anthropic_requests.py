"""Anthropic's requests in the platform's own terms, and what is refused of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from aichat_server.compat.domain.anthropic.asking import asked_of
from aichat_server.compat.domain.anthropic.problems import problem_of
from aichat_server.compat.domain.anthropic.requests import MessageRequest, read
from aichat_server.compat.domain.anthropic.versions import Version, version_of
from aichat_server.compat.domain.asked import Asked
from aichat_server.compat.domain.bodies import json_body
from aichat_server.content.parts import (
    DocumentPart,
    ImagePart,
    Link,
    ProviderItem,
    ReasoningPart,
    Role,
    Signature,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from aichat_server.core.errors import AichatError
from aichat_server.files.domain.asked import AskedFile
from aichat_server.models.domain.models import Model, ModelAbilities
from aichat_server.providers.domain.requests import (
    ReasoningEffort,
    ResponseFormat,
    Tool,
    ToolChoice,
    ToolChoiceMode,
    WebSearch,
)

GPT = Model("m", "openai", "m", "M", 1000, 100, (), ModelAbilities(reasoning=True))
CLAUDE = replace(GPT, provider="anthropic")
SIMPLE = replace(GPT, abilities=ModelAbilities())
THINKS = replace(GPT, abilities=ModelAbilities(thinks=True))
HI = {"role": "user", "content": "Hi"}
TOOL = {"name": "f", "input_schema": {"type": "object"}}
USE = {"type": "tool_use", "id": "1", "name": "f", "input": {}}
CALL = {"role": "assistant", "content": [USE]}


def asked(model: Model = GPT, version: Version = Version.STRICT, **fields: Any) -> Asked:
    """What a request with these fields asks."""
    body = json_body(json.dumps({"model": "m", "max_tokens": 10, "messages": [HI], **fields}).encode())
    return asked_of(read(body, MessageRequest), model, version)


def user(*blocks: Any) -> Any:
    return {"role": "user", "content": list(blocks)}


def answer(*blocks: Any) -> Any:
    return {"role": "assistant", "content": list(blocks)}


def text(text: str, **fields: Any) -> Any:
    return {"type": "text", "text": text, **fields}


CACHED = {"cache_control": {"type": "ephemeral"}, "unknown": 1}
SEARCH = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"query": "a"}}
ECHO = {"type": "mcp_tool_use", "id": "m", "name": "echo", "server_name": "s", "input": {}}
EVERY_BLOCK = [
    user(
        text("Hi", **CACHED),
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AQID"}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "T"}, "title": "D"},
        {"type": "document", "source": {"type": "content", "content": [text("a"), text("b")]}, "context": "C"},
        {"type": "search_result", "source": "S", "title": "T", "content": [text("r")]},
    ),
    answer(
        {"type": "thinking", "thinking": "Hm", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "aGlk"},
        SEARCH,
        ECHO,
        text("So", citations=[{"type": "char_location"}]),
        {"type": "tool_use", "id": "1", "name": "f", "input": {"a": [1]}},
    ),
    user({"type": "tool_result", "tool_use_id": "1", "content": [text("no")], "is_error": True}, text("?")),
    {"role": "system", "content": "Now."},
]


def test_blocks_of_every_kind_become_parts() -> None:
    found = asked(
        CLAUDE,
        system=[text("Be", **CACHED), text("brief.")],
        messages=[{"role": "system", "content": "Now."}, *EVERY_BLOCK],
    )
    assert found.options.system_prompt == "Be\n\nbrief.\n\nNow."
    hello, written, result, reminder = found.messages
    assert [message.role for message in found.messages] == [Role.USER, Role.ASSISTANT, Role.USER, Role.USER]
    assert reminder.parts == (TextPart("<system-reminder>\nNow.\n</system-reminder>"),)
    place = "messages.1.content"
    assert hello.parts == (
        TextPart("Hi"),
        ImagePart(AskedFile("", "", 0, data=b"\1\2\3", field=f"{place}.1.source")),
        ImagePart(Link("https://example.com/a.png")),
        DocumentPart(AskedFile("", "", 0, data=b"T", field=f"{place}.3.source"), "D"),
        TextPart("C"),
        DocumentPart(AskedFile("", "", 0, data=b"a\n\nb", field=f"{place}.4.source.content")),
        TextPart("T\n\nS\n\nr"),
    )
    assert written.parts == (
        ReasoningPart("Hm", Signature("anthropic", "c2ln", "thinking")),
        ReasoningPart("", Signature("anthropic", "aGlk", "redacted_thinking")),
        ProviderItem("anthropic", "server_tool_use", json.dumps(SEARCH)),
        ProviderItem("anthropic", "mcp_tool_use", json.dumps(ECHO)),
        TextPart("So"),
        ToolCallPart("1", "f", '{"a": [1]}'),
    )
    assert result.parts == (ToolResultPart("1", (TextPart("no"),), is_error=True), TextPart("?"))


@pytest.mark.parametrize(
    ("fields", "option", "value"),
    [
        ({"max_tokens": 7}, "max_output_tokens", 7),
        ({"stop_sequences": ["a"]}, "stop", ("a",)),
        ({"tools": [{**TOOL, "description": "d", "type": "custom"}]}, "tools", (Tool("f", "d", '{"type": "object"}'),)),
        ({"tools": [TOOL], "tool_choice": {"type": "any"}}, "tool_choice", ToolChoice(ToolChoiceMode.REQUIRED)),
        (
            {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "f"}},
            "tool_choice",
            ToolChoice(ToolChoiceMode.ONE, "f"),
        ),
        ({"tool_choice": {"type": "none"}}, "tool_choice", None),
        (
            {"tools": [TOOL], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
            "parallel_tool_calls",
            False,
        ),
        (
            {"tools": [{"type": "web_search_20250305", "name": "web_search", "max_uses": 3, "allowed_domains": ["a"]}]},
            "web_search",
            WebSearch(3, ("a",)),
        ),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {"a": 1}}}},
            "response_format",
            ResponseFormat('{"a": 1}'),
        ),
        ({"output_format": {"type": "json_schema", "schema": {}}}, "response_format", ResponseFormat("{}")),
        ({"output_config": {"effort": "xhigh"}}, "reasoning_effort", ReasoningEffort.HIGH),
        ({"metadata": {"user_id": "u"}, "service_tier": "auto", "context_management": {}}, "service_tier", None),
    ],
)
def test_parameters_become_options(fields: dict[str, Any], option: str, value: object) -> None:
    assert getattr(asked(**fields).options, option) == value


@pytest.mark.parametrize(
    ("thinking", "model", "effort"),
    [
        ({"type": "adaptive"}, CLAUDE, ReasoningEffort.HIGH),
        ({"type": "adaptive"}, GPT, ReasoningEffort.MEDIUM),
        ({"type": "adaptive"}, SIMPLE, None),
        ({"type": "disabled"}, GPT, ReasoningEffort.NONE),
        ({"type": "disabled"}, SIMPLE, None),
        ({"type": "enabled", "budget_tokens": 1024}, GPT, ReasoningEffort.LOW),
        ({"type": "enabled", "budget_tokens": 10_000}, GPT, ReasoningEffort.MEDIUM),
        ({"type": "enabled", "budget_tokens": 30_000}, GPT, ReasoningEffort.HIGH),
        ({"type": "enabled", "budget_tokens": 30_000}, THINKS, None),
        # It is refused for this effort.
        ({"type": "enabled", "budget_tokens": 1024}, SIMPLE, ReasoningEffort.LOW),
    ],
)
def test_thinking_becomes_an_effort(thinking: Any, model: Model, effort: ReasoningEffort | None) -> None:
    assert asked(model, thinking=thinking).options.reasoning_effort is effort


IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AQID"}}
CITED = {"type": "document", "source": {"type": "text", "data": "T"}, "citations": {"enabled": True}}
WRAPPED = {"type": "thinking", "thinking": "", "signature": "aichat:broken"}


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"messages": []}, "messages: at least one message"),
        ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
        ({"messages": [{"role": "bot", "content": "a"}]}, "messages.0.role: must be user, assistant or system"),
        ({"messages": [{"role": "system", "content": "a"}]}, "messages: at least one message"),
        ({"messages": [user()]}, "messages.0.content: must not be empty"),
        ({"messages": [user(text(" \n"))]}, "messages.0.content: must not be empty or white space"),
        ({"messages": [user({"type": "video"})]}, "messages.0.content.0.type: must not be 'video' here: send document"),
        ({"messages": [user({"text": "a"})]}, "messages.0.content.0.type: Field required"),
        ({"messages": [user({"type": "text"})]}, "messages.0.content.0.text: Field required"),
        ({"messages": [user({"type": "text", "text": 1})]}, "messages.0.content.0.text: Expected `str"),
        ({"messages": [user(text("a", citations=[{"type": "x"}]))]}, "messages.0.content.0.citations: are for answers"),
        ({"messages": [user({"type": "image"})]}, "messages.0.content.0.source: Field required"),
        ({"messages": [user(CITED)]}, "messages.0.content.0.citations: need a model of Anthropic"),
        (
            {"messages": [user({"type": "image", "source": {"type": "base64", "data": "%"}})]},
            "messages.0.content.0.source.data: is not base64",
        ),
        (
            {"messages": [user({"type": "image", "source": {"type": "url", "url": "http://a.com"}})]},
            "messages.0.content.0.source.url: must be an https address",
        ),
        ({"messages": [HI, answer(IMAGE), HI]}, "messages.1.content.0.type: must not be 'image' here"),
        ({"messages": [HI, answer(WRAPPED), HI]}, "messages.1.content.0.signature: is not as this server sent it"),
        ({"messages": [HI, answer(text("a"))]}, "messages: the conversation must end with a user message"),
        ({"messages": [answer(text("a")), HI]}, "messages.0.role: the first message must use the user role"),
        ({"messages": [HI, CALL, HI]}, "messages.2.content: `tool_use` ids were found without `tool_result`"),
        (
            {"messages": [HI, answer({**USE, "input": 1}), HI]},
            "messages.1.content.0.input: Expected `object`",
        ),
        (
            {"messages": [user({"type": "tool_result", "tool_use_id": "1"})]},
            "messages.0.content: has a `tool_result` without a `tool_use` of the id 1",
        ),
        ({"system": [{"type": "image", "text": ""}]}, "system.0.type: must be text"),
        ({"max_tokens": 0}, "max_tokens: must be at least 1"),
        ({"max_tokens": "a"}, "max_tokens: Expected `int`"),
        ({"max_tokens": 101}, "max_tokens: 101 > 100, which is the maximum allowed number of output tokens for m"),
        ({"temperature": 0.5}, "temperature: is not supported since version 2026-10-21"),
        ({"top_k": 5}, "top_k: is not supported since version"),
        ({"tools": [{"name": "f"}]}, "tools.0.input_schema: Field required"),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, "tools.0.type: 'bash_20250124' is not supported"),
        (
            {"tools": [{"type": "web_search_20250305", "name": "web_search", "blocked_domains": ["a"]}]},
            "tools.0.blocked_domains: is not supported",
        ),
        ({"tool_choice": {"type": "some"}}, "tool_choice.type: must be one of auto, any, tool, none"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens: Field required"),
        ({"thinking": {"type": "enabled", "budget_tokens": -1}}, "thinking.budget_tokens: must be at least 1024"),
        ({"thinking": {"type": "much"}}, "thinking.type: must be one of"),
        ({"output_config": {"effort": "much"}}, "output_config.effort: must be one of"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type: must be json_schema"),
        ({"container": "c"}, "container: is not supported for m"),
        ({"mcp_servers": [{}]}, "mcp_servers: is not supported for m"),
        ({"compaction": {"type": "enabled"}}, "compaction: is not supported for m"),
        ({"speed": "fast"}, "speed: must be standard for m"),
        ({"service_tier": "priority"}, "service_tier: must be auto or standard_only for m"),
    ],
)
def test_what_cannot_be_carried_is_refused_by_its_name(fields: dict[str, Any], problem: str) -> None:
    with pytest.raises(AichatError) as caught:
        asked(**fields)
    assert problem_of(caught.value).startswith(problem)


def test_the_first_version_takes_what_the_newest_refuses() -> None:
    options = asked(version=Version.FIRST, temperature=0.5, top_p=0.9).options
    assert (options.temperature, options.top_p) == (0.5, 0.9)
    # It is the default.
    assert asked(version=Version.FIRST, temperature=1).options.temperature is None
    assert asked(version=Version.FIRST, messages=[user(text("a", citations=[{"type": "x"}]))]).messages
    with pytest.raises(AichatError, match="top_k is not supported for m"):
        asked(version=Version.FIRST, top_k=1)


@pytest.mark.parametrize("headers", [{}, {"anthropic-version": "2023-01-01"}])
def test_a_request_names_its_version(headers: dict[str, str]) -> None:
    with pytest.raises(AichatError, match="anthropic-version"):
        version_of(headers)
