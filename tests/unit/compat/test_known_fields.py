"""What becomes of each field that the vendors' SDKs know, where the model's own vendor has another API.

A field is carried, changes nothing that anybody would miss, or is refused by its name. None is forgotten.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from aichat_server.compat.domain.anthropic.asking import asked_of
from aichat_server.compat.domain.anthropic.requests import MessageRequest
from aichat_server.compat.domain.anthropic.requests import read as read_message
from aichat_server.compat.domain.anthropic.versions import Version
from aichat_server.compat.domain.bodies import json_body
from aichat_server.compat.domain.openai import chat_options, responses_options
from aichat_server.compat.domain.openai.chat import ChatRequest
from aichat_server.compat.domain.openai.responses import ResponseRequest
from aichat_server.core.errors import AichatError
from aichat_server.models.domain.models import Model, ModelAbilities
from aichat_server.providers.domain.requests import ChatOptions
from anthropic.types import message_create_params as messages
from anthropic.types.beta import message_create_params as beta_messages
from openai.types.chat import completion_create_params as completions
from openai.types.responses import response_create_params as responses

MODEL = Model("m", "other", "m", "M", 100_000, 10_000, (), ModelAbilities(reasoning=True))


def by_chat(fields: Mapping[str, Any]) -> ChatOptions:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}
    return chat_options.options_told(json_body(json.dumps(body).encode()).read(ChatRequest), "Be kind.")


def by_responses(fields: Mapping[str, Any]) -> ChatOptions:
    request = json_body(json.dumps({"model": "m", "input": "Hi", **fields}).encode()).read(ResponseRequest)
    return responses_options.options_told(request, ())


def by_messages(fields: Mapping[str, Any]) -> ChatOptions:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 10, **fields}
    return asked_of(read_message(json_body(json.dumps(body).encode()), MessageRequest), MODEL, Version.FIRST).options


class Api(NamedTuple):
    """What becomes of the fields of one API. Values are such as ask for something."""

    read: Callable[[Mapping[str, Any]], ChatOptions]
    known: frozenset[str]
    tool: Mapping[str, Any]
    carried: Mapping[str, Any]
    """They become options."""
    elsewhere: frozenset[str]
    """They are no options: the tests of messages, streams and stored turns show what becomes of them."""
    harmless: Mapping[str, Any]
    refused: Mapping[str, Any]


FUNCTION = {"name": "f", "parameters": {"type": "object"}}
SCHEMA = {"name": "a", "schema": {"type": "object"}}

CHAT = Api(
    by_chat,
    frozenset(completions.CompletionCreateParamsStreaming.__annotations__),
    {"type": "function", "function": FUNCTION},
    carried={
        "max_completion_tokens": 5,
        "max_tokens": 5,
        "parallel_tool_calls": False,
        "reasoning_effort": "low",
        "response_format": {"type": "json_schema", "json_schema": SCHEMA},
        "seed": 1,
        "service_tier": "flex",
        "stop": "END",
        "temperature": 0.5,
        "tool_choice": "required",
        "tools": [],
        "top_p": 0.5,
        "verbosity": "low",
        "web_search_options": {},
    },
    elsewhere=frozenset({"messages", "model", "prompt_cache_key", "store", "stream", "stream_options"}),
    harmless={
        "metadata": {"a": "b"},
        "prompt_cache_options": {"mode": "explicit"},
        "prompt_cache_retention": "24h",
        "safety_identifier": "a",
        "user": "a",
    },
    refused={
        "audio": {"voice": "a", "format": "wav"},
        "frequency_penalty": 0.5,
        "function_call": "auto",
        "functions": [FUNCTION],
        "logit_bias": {"1": 1},
        "logprobs": True,
        "modalities": ["audio"],
        "moderation": {"model": "a"},
        "n": 2,
        "prediction": {"type": "content", "content": "a"},
        "presence_penalty": 0.5,
        "top_logprobs": 1,
    },
)
RESPONSES = Api(
    by_responses,
    frozenset(responses.ResponseCreateParamsStreaming.__annotations__),
    {"type": "function", **FUNCTION},
    carried={
        "instructions": "Be kind.",
        "max_output_tokens": 5,
        "parallel_tool_calls": False,
        "reasoning": {"effort": "low"},
        "service_tier": "flex",
        "temperature": 0.5,
        "text": {"verbosity": "high", "format": {"type": "json_schema", **SCHEMA}},
        "tool_choice": "required",
        "tools": [],
        "top_p": 0.5,
        "truncation": "auto",
    },
    elsewhere=frozenset(
        {"input", "model", "background", "previous_response_id", "prompt_cache_key", "store", "stream", "include"}
        # The most searches.
        | {"max_tool_calls"}
    ),
    harmless={
        "image": {"context_compression": "enabled"},
        "metadata": {"a": "b"},
        "prompt_cache_options": {"mode": "explicit"},
        "prompt_cache_retention": "24h",
        "safety_identifier": "a",
        "stream_options": {"include_obfuscation": False},
        "user": "a",
    },
    refused={
        "access_programs": {"cyber": "daybreak_blue"},
        "background_options": {"completion_window": "8h"},
        "context_management": [{"type": "compaction"}],
        "conversation": "conv_1",
        "moderation": {"model": "a"},
        "prompt": {"id": "a"},
        "top_logprobs": 1,
    },
)
MESSAGES = Api(
    by_messages,
    frozenset(messages.MessageCreateParamsStreaming.__annotations__)
    | frozenset(beta_messages.MessageCreateParamsStreaming.__annotations__)
    # Of version 2023-06-01.
    | {"temperature", "top_p", "top_k", "output_format"},
    {"name": "f", "input_schema": {"type": "object"}},
    carried={
        "max_tokens": 5,
        "output_config": {"effort": "low"},
        "output_format": {"type": "json_schema", "schema": {"type": "object"}},
        "stop_sequences": ["END"],
        "system": "Be kind.",
        "temperature": 0.5,
        "thinking": {"type": "between_tools"},
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "tools": [],
        "top_p": 0.5,
    },
    elsewhere=frozenset({"messages", "model", "stream"}),
    harmless={
        # Headers, which the SDK writes.
        "betas": ["a"],
        "user_profile_id": "a",
        "workspace_id": "a",
        "billing_policy": {"type": "billing_policy", "bill_to": "self"},
        "cache_control": {"type": "ephemeral"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "diagnostics": {"previous_message_id": "a"},
        "fallback_credit_token": "a",
        "metadata": {"user_id": "a"},
        "service_tier": "auto",
        "speed": "standard",
    },
    refused={
        "compaction": {"type": "summarize"},
        "container": "a",
        "fallbacks": "default",
        "inference_geo": "us",
        "mcp_servers": [{"type": "url", "url": "https://example.com", "name": "a"}],
        "thread": {"type": "create"},
        "top_k": 5,
    },
)
APIS = pytest.mark.parametrize("api", [CHAT, RESPONSES, MESSAGES], ids=["chat", "responses", "messages"])
INNER = [
    (RESPONSES, {"reasoning": {"mode": "pro"}}, "reasoning.mode"),
    (RESPONSES, {"text": {"verbosity": "endless"}}, "text.verbosity"),
    (CHAT, {"verbosity": "endless"}, "verbosity"),
    (MESSAGES, {"billing_policy": {"bill_to": "user_profile"}}, "billing_policy.bill_to"),
    (MESSAGES, {"output_config": {"task_budget": {"type": "tokens", "total": 1}}}, "output_config.task_budget"),
    (MESSAGES, {"service_tier": "priority"}, "service_tier"),
    (MESSAGES, {"speed": "fast"}, "speed"),
]


@APIS
def test_no_field_is_forgotten(api: Api) -> None:
    named = [*api.carried, *api.elsewhere, *api.harmless, *api.refused]
    assert len(named) == len(set(named))
    assert set(named) == api.known


@APIS
def test_what_is_carried_becomes_an_option(api: Api) -> None:
    # Without tools there is nothing to choose.
    tools = {"tools": [api.tool]}
    plain = api.read(tools)
    for name, value in api.carried.items():
        assert api.read({**tools, name: value}) != plain, name


@APIS
def test_what_is_harmless_changes_nothing(api: Api) -> None:
    assert api.read(api.harmless) == api.read({})


@APIS
def test_what_is_refused_is_named(api: Api) -> None:
    for name, value in api.refused.items():
        with pytest.raises(AichatError) as refused:
            api.read({name: value})
        assert refused.value.violations[0].field == name
        assert api.read({name: None}) == api.read({})


@pytest.mark.parametrize(("api", "fields", "field"), INNER)
def test_values_that_are_refused_are_named(api: Api, fields: Mapping[str, Any], field: str) -> None:
    with pytest.raises(AichatError) as refused:
        api.read(fields)
    assert refused.value.violations[0].field == field


@APIS
def test_defaults_ask_for_nothing(api: Api) -> None:
    """Some clients always send them, and some models take no other value."""
    assert api.read({"temperature": 1, "top_p": 1.0}) == api.read({})


def test_how_much_to_write_is_said_in_words() -> None:
    plain, short = by_chat({}), by_chat({"verbosity": "low"})
    assert by_chat({"verbosity": "medium"}) == plain
    assert short == replace(plain, system_prompt=f"{plain.system_prompt}\n\nKeep the text of your answers short.")
    # Codex sends it to each model that it knows.
    assert by_responses({"text": {"verbosity": "low"}}).system_prompt in short.system_prompt
