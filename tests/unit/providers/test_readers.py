"""The meaning of each vendor's events, with payloads from the vendors' documentation and traffic."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aichat_server.content.parts import Signature
from aichat_server.core.errors import AichatError, Reason
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import ReasoningDelta, Signed, Stop, StopReason, TextDelta, UsageReport
from aichat_server.providers.gateway.chat_completions_reader import ChatCompletionsReader
from aichat_server.providers.gateway.claude_reader import ClaudeReader
from aichat_server.providers.gateway.gemini_reader import GeminiReader
from aichat_server.providers.gateway.sse import BrokenStreamError

from tests.unit.providers.reading import REQUEST, Make, candidate, chunk, claude, final_usage, read


def test_claudes_figures_are_cumulative_and_replace_each_other() -> None:
    start = {
        "input_tokens": 2679, "cache_creation_input_tokens": 100, "cache_read_input_tokens": 50, "output_tokens": 3,
        "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 0},
    }  # fmt: skip
    later = {"input_tokens": 10682, "cache_read_input_tokens": None, "output_tokens": 510}
    events = claude(start, {"output_tokens": 20}, later)
    assert final_usage(events) == Usage(input=10682, cache_read=50, cache_write=100, output=510)
    first = events[0]
    assert isinstance(first, UsageReport)
    assert first.usage == Usage(input=2679, cache_read=50, cache_write=100, output=3, estimated=True)


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("end_turn", StopReason.END_TURN),
        ("max_tokens", StopReason.MAX_TOKENS),
        ("model_context_window_exceeded", StopReason.MAX_TOKENS),
        ("stop_sequence", StopReason.STOP_SEQUENCE),
        ("pause_turn", StopReason.OTHER),
        ("tool_use", StopReason.TOOL_USE),
        ("something new", StopReason.OTHER),
    ],
)
def test_claudes_stop_reasons(told: str, meant: StopReason) -> None:
    assert claude({"input_tokens": 1}, {"output_tokens": 1}, stop_reason=told)[-1] == Stop(meant)


def test_openais_details_are_parts_of_its_totals() -> None:
    usage = {
        "prompt_tokens": 2006, "completion_tokens": 300, "total_tokens": 2306,
        "prompt_tokens_details": {"cached_tokens": 1920, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 256, "accepted_prediction_tokens": 0},
    }  # fmt: skip
    events = read(ChatCompletionsReader, chunk({"content": "Hi"}), chunk({}, "stop"), chunk(usage=usage))
    assert final_usage(events) == Usage(input=86, cache_read=1920, output=300, reasoning=256)


def test_openais_details_may_be_missing_or_null() -> None:
    usage = {"prompt_tokens": 5, "completion_tokens": 7, "prompt_tokens_details": None}
    events = read(ChatCompletionsReader, chunk({"content": "Hi"}, "stop", usage=usage))
    assert final_usage(events) == Usage(input=5, output=7)


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_compatible_endpoints_show_reasoning_by_either_name(name: str) -> None:
    events = read(ChatCompletionsReader, chunk({name: "Hm."}), chunk({"content": "Hi", name: None}, "stop"))
    assert events[:3] == [ReasoningDelta("Hm."), Signed(Signature("a-vendor", "", name)), TextDelta("Hi")]


def test_what_an_endpoint_counts_before_the_end_is_not_the_whole() -> None:
    reader = ChatCompletionsReader("a-vendor", REQUEST)
    counting = [{"prompt_tokens": 5, "completion_tokens": number} for number in (1, 2)]
    for usage in counting:
        reader.event(json.dumps(chunk({"content": "12345678"}, usage=usage)).encode())
    assert reader.report() == UsageReport(Usage(input=5, output=4, estimated=True), counting[1])
    for last in (chunk({}, "stop"), chunk({}, usage={"prompt_tokens": 5, "completion_tokens": 3})):
        reader.event(json.dumps(last).encode())
    assert reader.report().usage == Usage(input=5, output=3)


def test_a_blocked_prompt_has_been_counted() -> None:
    reader = GeminiReader("a-vendor", REQUEST)
    blocked = {"promptFeedback": {"blockReason": "OTHER"}, "usageMetadata": {"promptTokenCount": 7}}
    reader.event(json.dumps(blocked).encode())
    assert reader.report().usage == Usage(input=7)


def test_a_completion_may_end_without_done_and_usage() -> None:
    events = read(ChatCompletionsReader, chunk({"content": "Hi"}), chunk({}, "stop"))
    assert final_usage(events) == Usage(input=3, output=1, estimated=True)


@pytest.mark.parametrize("last", [chunk({}, "content_filter"), chunk({"refusal": "I cannot."}, "stop")])
def test_openais_refusals(last: dict[str, Any]) -> None:
    with pytest.raises(AichatError) as caught:
        read(ChatCompletionsReader, chunk({"content": ""}), last)
    assert caught.value.reason is Reason.ANSWER_REFUSED


def test_geminis_last_figures_count_and_thoughts_stand_beside_the_answer() -> None:
    early = {"promptTokenCount": 12, "totalTokenCount": 40, "thoughtsTokenCount": 28}
    last = {
        "promptTokenCount": 5012, "cachedContentTokenCount": 5000, "toolUsePromptTokenCount": 8,
        "candidatesTokenCount": 20, "thoughtsTokenCount": 30, "totalTokenCount": 5070,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 5012}],
    }  # fmt: skip
    events = read(
        GeminiReader,
        candidate({"text": "Hm.", "thought": True}, {"text": "Hi "}, usageMetadata=early),
        candidate({"text": "there"}, usageMetadata=early),
        candidate({"text": ""}, finish="STOP", usageMetadata=last),
    )
    assert events[1:4] == [ReasoningDelta("Hm."), TextDelta("Hi "), TextDelta("there")]
    assert final_usage(events) == Usage(input=20, cache_read=5000, output=50, reasoning=30)


@pytest.mark.parametrize(
    "last", [candidate(finish="SAFETY"), candidate(finish="RECITATION"), {"promptFeedback": {"blockReason": "OTHER"}}]
)
def test_geminis_refusals(last: dict[str, Any]) -> None:
    with pytest.raises(AichatError) as caught:
        read(GeminiReader, last)
    assert caught.value.reason is Reason.ANSWER_REFUSED


@pytest.mark.parametrize("make", [ClaudeReader, ChatCompletionsReader, GeminiReader])
@pytest.mark.parametrize(
    "data", [b"data: {\n\n", b"data: []\n\n", b"data: \xff\n\n", b"data: " + b"[" * 9999 + b"\n\n"]
)
def test_what_cannot_be_read_is_a_broken_stream(make: Make, data: bytes) -> None:
    with pytest.raises(BrokenStreamError):
        list(make("a-vendor", REQUEST).read(data))


@pytest.mark.parametrize("make", [ClaudeReader, ChatCompletionsReader, GeminiReader])
def test_an_end_before_the_answers_end_is_a_broken_stream(make: Make) -> None:
    with pytest.raises(BrokenStreamError):
        list(make("a-vendor", REQUEST).finish())
