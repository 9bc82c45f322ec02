"""The reported reason of an answer's end is the real one: only what is known to be complete counts as complete."""

from __future__ import annotations

from typing import Any

import pytest
from aichat_server.content.parts import ProviderItem, Signature
from aichat_server.core.errors import AichatError, Reason
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import ItemFound, ReasoningDelta, Signed, Stop, StopReason, TextDelta
from aichat_server.providers.gateway.chat_completions_reader import ChatCompletionsReader
from aichat_server.providers.gateway.gemini_reader import GeminiReader
from aichat_server.providers.gateway.sse import BrokenStreamError

from tests.unit.providers.reading import REQUEST, candidate, chunk, claude, failure, final_usage, read

COUNTS = {"prompt_tokens": 10, "completion_tokens": 20}
GEMINI_COUNTS = {"promptTokenCount": 10, "candidatesTokenCount": 20}


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("stop", StopReason.END_TURN),
        ("eos_token", StopReason.END_TURN),
        ("length", StopReason.MAX_TOKENS),
        ("model_length", StopReason.MAX_TOKENS),
        ("stop_sequence", StopReason.STOP_SEQUENCE),
        ("tool_calls", StopReason.OTHER),
        ("something new", StopReason.OTHER),
    ],
)
def test_reasons_of_completions(told: str, meant: StopReason) -> None:
    assert read(ChatCompletionsReader, chunk({"content": "Hi"}), chunk({}, told), chunk(usage=COUNTS))[-1] == Stop(
        meant
    )


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("error", Reason.PROVIDER_STREAM_BROKEN),
        ("abort", Reason.PROVIDER_STREAM_BROKEN),
        ("insufficient_system_resource", Reason.PROVIDER_OVERLOADED),
        ("content_filter", Reason.ANSWER_REFUSED),
    ],
)
def test_completions_that_say_that_they_are_not_whole_fail_with_what_they_used(told: str, reason: Reason) -> None:
    error, used = failure(
        ChatCompletionsReader, chunk({"content": "Hi"}), chunk({}, told), chunk(usage=COUNTS), b"[DONE]"
    )
    assert error
    assert (error.reason, used) == (reason, Usage(10, output=20))


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("STOP", StopReason.END_TURN),
        ("MAX_TOKENS", StopReason.MAX_TOKENS),
        ("CONTINUATION", StopReason.MAX_TOKENS),
        ("OTHER", StopReason.OTHER),
        ("SOMETHING_NEW", StopReason.OTHER),
    ],
)
def test_geminis_reasons(told: str, meant: StopReason) -> None:
    assert read(GeminiReader, candidate({"text": "Hi"}, finish=told))[-1] == Stop(meant)


@pytest.mark.parametrize("told", ["MALFORMED_RESPONSE", "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"])
def test_an_answer_that_gemini_calls_malformed_is_incomplete(told: str) -> None:
    error, used = failure(GeminiReader, candidate({"text": "Hi"}, finish=told, usageMetadata=GEMINI_COUNTS))
    assert error
    assert (error.reason, used) == (Reason.PROVIDER_STREAM_BROKEN, Usage(10, output=20))


@pytest.mark.parametrize("reason", ["", None])
def test_an_empty_reason_in_each_chunk_is_none(reason: str | None) -> None:
    with pytest.raises(BrokenStreamError):
        read(ChatCompletionsReader, chunk({"content": "Half"}, reason), chunk({"content": " of"}, reason))
    with pytest.raises(BrokenStreamError):
        claude({"input_tokens": 5}, {"output_tokens": 5}, stop_reason=reason or "")
    with pytest.raises(BrokenStreamError):
        read(GeminiReader, candidate({"text": "Half"}, finish="FINISH_REASON_UNSPECIFIED"))


def test_done_with_usage_and_no_reason_ends_an_answer() -> None:
    events = read(ChatCompletionsReader, chunk({"content": "Hi"}), chunk(usage=COUNTS), b" [DONE] ", b"{", b"[DONE]")
    assert events[-1] == Stop(StopReason.END_TURN)
    assert final_usage(events) == Usage(10, output=20)


def test_done_without_a_word_ends_nothing() -> None:
    with pytest.raises(BrokenStreamError):
        read(ChatCompletionsReader, chunk({"reasoning": "Hm"}), b"[DONE]")


def test_a_completion_that_is_cut_before_its_reason_is_broken_and_was_counted() -> None:
    reader = ChatCompletionsReader("a-vendor", REQUEST)
    reader.event(b'{"choices":[{"delta":{"content":"Hi"}}],"usage":{"prompt_tokens":10,"completion_tokens":1}}')
    assert reader.report().usage == Usage(10, output=1, estimated=True)
    with pytest.raises(BrokenStreamError):
        list(reader.finish())
    assert reader.report().usage == Usage(10, output=1)


def blocks(*content: Any) -> dict[str, Any]:
    """Returns a chunk whose content is a list, like Mistral's."""
    return chunk({"content": [*content]})


def test_content_may_be_a_list_of_blocks() -> None:
    thinking = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}, {"type": "reference"}, "?"]}
    told = [blocks(thinking), blocks({"type": "thinking", "thinking": "."}), blocks({"type": "text", "text": "Fo"})]
    odd = blocks(
        None, 7, "x", {}, {"type": ["text"]}, {"type": "text", "text": None}, {"type": "reference", "ids": [1]}
    )
    events = read(ChatCompletionsReader, *told, odd, chunk({"content": "ur"}, "stop", usage=COUNTS))
    signed = Signed(Signature("a-vendor", "", "thinking"))
    found = ItemFound(ProviderItem("a-vendor", "reference", '{"type":"reference","ids":[1]}'))
    assert events[:6] == [
        ReasoningDelta("Hm"), ReasoningDelta("."), signed, TextDelta("Fo"), found, TextDelta("ur"),
    ]  # fmt: skip


@pytest.mark.parametrize("content", [None, 7, {}, {"type": "text"}, [[]]])
def test_content_without_a_word_is_none(content: object) -> None:
    with pytest.raises(AichatError) as caught:
        read(ChatCompletionsReader, chunk({"content": content}, "stop"))
    assert caught.value.reason is Reason.PROVIDER_EMPTY_ANSWER


def test_parts_of_gemini_may_hold_no_text() -> None:
    parts: list[dict[str, Any]] = [{"text": None}, {"inlineData": {}}, {"text": "Hi", "thought": None}]
    assert read(GeminiReader, candidate(*parts, finish="STOP"))[0] == TextDelta("Hi")
