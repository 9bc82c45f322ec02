"""How the providers read an answer, and write a request."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aichat_server.core.errors import Reason
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import Stop, StopReason, TextDelta, UsageReport
from aichat_server.providers.domain.requests import ReasoningEffort
from aichat_server.providers.gateway.base import BaseAIProvider
from aichat_server.providers.gateway.factory import AIProviderFactory
from aichat_server.providers.gateway.prompt import NO_ANSWER

from tests.fixtures.vendors import MODELS, Vendors, answer, asking, scripted

USAGES: dict[str, dict[str, Any]] = {
    "anthropic": {
        "input_tokens": 10,
        "cache_read_input_tokens": 20,
        "cache_creation_input_tokens": 30,
        "output_tokens": 40,
        "output_tokens_details": {"thinking_tokens": 5},
    },
    "openai": {
        "input_tokens": 60,
        "output_tokens": 40,
        "input_tokens_details": {"cached_tokens": 20, "cache_write_tokens": 30},
        "output_tokens_details": {"reasoning_tokens": 5},
    },
    "gemini": {
        "promptTokenCount": 25,
        "toolUsePromptTokenCount": 5,
        "cachedContentTokenCount": 20,
        "candidatesTokenCount": 35,
        "thoughtsTokenCount": 5,
    },
}


async def test_an_answer_arrives_delta_by_delta_and_ends_with_usage_and_stop(
    provider: BaseAIProvider, vendor: str
) -> None:
    deltas = ["Grüezi, ", "world: ", "🎈", "\n\n- data: x\n"]
    got = await answer(provider, asking(vendor, scripted(deltas=deltas, interval_ms=5)))
    assert got.error is None
    assert [event.text for event in got.events if isinstance(event, TextDelta)] == deltas
    last_but_one, last = got.events[-2:]
    assert isinstance(last_but_one, UsageReport)
    assert not last_but_one.usage.estimated
    assert last == Stop(StopReason.END_TURN)


async def test_an_unscripted_question_gets_the_standins_own_answer(provider: BaseAIProvider, vendor: str) -> None:
    got = await answer(provider, asking(vendor, "Who are you?"))
    assert "stand-in" in got.text
    assert MODELS[vendor] in got.text


async def test_reasoning_is_separate_from_the_answer(provider: BaseAIProvider, vendor: str) -> None:
    got = await answer(provider, asking(vendor, scripted(reasoning=["Let me ", "think."], deltas=["Done."])))
    assert (got.reasoning, got.text) == ("Let me think.", "Done.")


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (["a\0b", "\0", "c"], "abc"),
        (["half \ud83d", " rest"], "half \ufffd rest"),
        (["whole \ud83d\ude00"], "whole 😀"),
    ],
)
async def test_text_is_made_storable(provider: BaseAIProvider, vendor: str, sent: list[str], shown: str) -> None:
    got = await answer(provider, asking(vendor, scripted(deltas=sent)))
    assert got.text == shown
    assert all(event.text for event in got.events if isinstance(event, TextDelta))


async def test_a_character_may_arrive_in_two_pieces(provider: BaseAIProvider, vendor: str) -> None:
    got = await answer(provider, asking(vendor, scripted(deltas=["né", "e ü"], split_utf8=True)))
    assert got.text == "née ü"


async def test_usage_is_brought_to_disjoint_buckets(provider: BaseAIProvider, vendor: str) -> None:
    got = await answer(provider, asking(vendor, scripted(usage=USAGES[vendor])))
    report = got.events[-2]
    assert isinstance(report, UsageReport)
    written = 0 if vendor == "gemini" else 30
    assert report.usage == Usage(input=10, cache_read=20, cache_write=written, output=40, reasoning=5)
    assert report.raw.items() >= USAGES[vendor].items()


async def test_usage_that_the_vendor_leaves_out_is_estimated(provider: BaseAIProvider, vendor: str) -> None:
    question = scripted(deltas=["12345678", "é"], no_usage=True)
    got = await answer(provider, asking(vendor, question, system_prompt="1234"))
    report = got.events[-2]
    assert isinstance(report, UsageReport)
    assert report.usage.estimated
    assert report.usage.output == 3
    if vendor != "anthropic":
        assert report.usage.input == 1 + -(-len(question) // 4)


async def test_a_limit_ends_the_answer(provider: BaseAIProvider, vendor: str) -> None:
    got = await answer(provider, asking(vendor, scripted(words=500), max_output_tokens=20))
    assert got.events[-1] == Stop(StopReason.MAX_TOKENS)
    assert got.text


async def test_a_limit_reached_while_reasoning_is_not_an_empty_answer(provider: BaseAIProvider, vendor: str) -> None:
    got = await answer(provider, asking(vendor, scripted(reasoning=["Hm. " * 10], stop="max_tokens", empty=True)))
    assert got.error is None
    assert got.events[-1] == Stop(StopReason.MAX_TOKENS)


# OpenAI's own API takes no stop sequences, but compatible endpoints do.
STOPPING = {"anthropic": StopReason.STOP_SEQUENCE, "other": StopReason.END_TURN, "gemini": StopReason.END_TURN}


@pytest.mark.parametrize("name", STOPPING)
async def test_a_stop_sequence_ends_the_answer(factory: AIProviderFactory, name: str) -> None:
    question, vendor = scripted(deltas=["one two ", "three"]), "openai" if name == "other" else name
    got = await answer(factory.get(name), asking(vendor, question, stop=("two",)))
    assert (got.text, got.events[-1]) == ("one ", Stop(STOPPING[name]))
    # At the first word, it is not an empty answer.
    got = await answer(factory.get(name), asking(vendor, question, stop=("one",)))
    assert (got.error, got.text, got.events[-1]) == (None, "", Stop(STOPPING[name]))


async def test_white_space_is_not_an_answer(provider: BaseAIProvider, vendor: str) -> None:
    got = await answer(provider, asking(vendor, scripted(deltas=["\n", "\u2003"])))
    assert got.error
    assert got.error.reason is Reason.PROVIDER_EMPTY_ANSWER


async def test_a_history_that_no_vendor_would_take_is_brought_to_one_that_all_take(
    provider: BaseAIProvider, vendor: str, vendors: Vendors
) -> None:
    turns = ("Hi", "\n\n", "I said hi", "", scripted(deltas=["Oh."]))
    await answer(provider, asking(vendor, *turns, system_prompt=" \n"))
    body = vendors.log()[0]["body"]
    if vendor == "gemini":
        shown = [message["parts"][0]["text"] for message in body["contents"]]
    elif vendor == "anthropic":
        shown = [block["text"] for message in body["messages"] for block in message["content"]]
    else:
        shown = [item["content"][0]["text"] for item in body["input"]]
    assert shown == ["Hi", NO_ANSWER, "I said hi", NO_ANSWER, turns[-1]]
    assert not {"system", "systemInstruction", "instructions"} & set(body)


async def test_many_answers_stream_side_by_side(provider: BaseAIProvider, vendor: str) -> None:
    streams = [answer(provider, asking(vendor, scripted(deltas=[f"{n} "] * 20, interval_ms=10))) for n in range(100)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(stream) for stream in streams]
    assert [task.result().text for task in tasks] == [f"{n} " * 20 for n in range(100)]


TURNS = ("Hi", "Hello", "#script {}")
OPTIONS: dict[str, Any] = {
    "system_prompt": "Be brief.",
    "stop": ("END",),
    "reasoning_effort": ReasoningEffort.HIGH,
    "max_output_tokens": 77,
}
CACHED = {"type": "ephemeral"}
SPOKEN = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello"},
    {"role": "user", "content": "#script {}"},
]


async def test_every_option_reaches_anthropic(factory: AIProviderFactory, vendors: Vendors) -> None:
    vendors.clear_log()
    await answer(factory.get("anthropic"), asking("anthropic", *TURNS, **OPTIONS))
    assert vendors.log()[0]["body"] == {
        "model": "claude-opus-5-5",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": CACHED}]},
            {"role": "assistant", "content": [{"type": "text", "text": "Hello"}]},
            {"role": "user", "content": [{"type": "text", "text": "#script {}", "cache_control": CACHED}]},
        ],
        "system": [{"type": "text", "text": "Be brief.", "cache_control": CACHED}],
        "stop_sequences": ["END"],
        "max_tokens": 77,
        "thinking": {
            "type": "adaptive",
            "display": "summarized",
            "block_binding": {"prefix_mismatch_behavior": "drop_block"},
        },
        "output_config": {"effort": "high"},
        "stream": True,
        "service_tier": "standard_only",
    }


async def test_every_option_reaches_openai(factory: AIProviderFactory, vendors: Vendors) -> None:
    vendors.clear_log()
    options = OPTIONS | {"stop": ()}
    await answer(factory.get("openai"), asking("openai", *TURNS, reasons=True, **options))
    said = [("user", "input_text"), ("assistant", "output_text"), ("user", "input_text")]
    more: dict[str, dict[str, Any]] = {"assistant": {"annotations": []}, "user": {}}
    assert vendors.log()[0]["body"] == {
        "model": "gpt-6-luna",
        "instructions": "Be brief.",
        "input": [
            {**({"type": "message"} if role == "assistant" else {}), "role": role, "content": [content]}
            for text, (role, kind) in zip(TURNS, said, strict=True)
            for content in [{"type": kind, "text": text, **more[role]}]
        ],
        "max_output_tokens": 77,
        "reasoning": {"effort": "high", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "stream": True,
        "store": False,
        "service_tier": "default",
    }


async def test_every_option_reaches_gemini(factory: AIProviderFactory, vendors: Vendors) -> None:
    vendors.clear_log()
    await answer(factory.get("gemini"), asking("gemini", *TURNS, temperature=0.5, **OPTIONS))
    assert vendors.log()[0]["body"] == {
        "systemInstruction": {"parts": [{"text": "Be brief."}], "role": "user"},
        "contents": [
            {"parts": [{"text": "Hi"}], "role": "user"},
            {"parts": [{"text": "Hello"}], "role": "model"},
            {"parts": [{"text": "#script {}"}], "role": "user"},
        ],
        "generationConfig": {
            "temperature": 0.5,
            "stopSequences": ["END"],
            "maxOutputTokens": 77,
            "thinkingConfig": {"include_thoughts": True, "thinking_level": "HIGH"},
        },
    }


@pytest.mark.parametrize(
    ("vendor", "model", "key", "expected"),
    [
        ("anthropic", "claude-opus-5-5", "output_config", {"effort": "low"}),
        ("anthropic", "claude-sonnet-5-5", "thinking", {"type": "between_tools"}),
        ("anthropic", "claude-haiku-5-5", "thinking", {"type": "disabled"}),
        ("openai", "gpt-6-luna", "reasoning", {"effort": "none"}),
        ("openai", "gpt-6.1-sol", "reasoning", {"effort": "low"}),
    ],
)
async def test_as_little_reasoning_as_the_model_allows(
    factory: AIProviderFactory, vendors: Vendors, vendor: str, model: str, key: str, expected: object
) -> None:
    vendors.clear_log()
    await answer(factory.get(vendor), asking(vendor, "#script {}", model=model, reasoning_effort=ReasoningEffort.NONE))
    assert vendors.log()[0]["body"][key] == expected


async def test_a_compatible_endpoint_gets_the_older_field_names(factory: AIProviderFactory, vendors: Vendors) -> None:
    vendors.clear_log()
    got = await answer(factory.get("other"), asking("openai", scripted(reasoning=["Hm."], no_usage=True)))
    assert (got.text, got.reasoning, got.error) == ("Hello", "Hm.", None)
    body = vendors.log()[0]["body"]
    assert body["max_tokens"] == 1000
    assert not {"max_completion_tokens", "service_tier"} & set(body)
