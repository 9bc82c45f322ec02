"""Missing or partial counts give an estimate that is marked: never a free answer, and never an impossible count."""

from __future__ import annotations

from typing import Any

import pytest
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.gateway.chat_completions_reader import ChatCompletionsReader
from aichat_server.providers.gateway.figures import MOST_TOKENS, to_count
from aichat_server.providers.gateway.gemini_reader import GeminiReader
from hypothesis import example, given
from hypothesis import strategies as st

from tests.unit.providers.reading import REQUEST, candidate, chunk, claude, failure, final_usage, framed, read

TEXT = "x" * 400
GUESS = Usage(input=3, output=100, estimated=True)
NO_COUNTS = [-1, 2**63, 2**64 - 1, 1e30, 20.5, "many", "-7", True, [], {"a": 1}, MOST_TOKENS + 1]


def completion(usage: object, *, first: object = None) -> Usage:
    """Returns the usage for the report at the end of a completion of 400 characters."""
    events = read(
        ChatCompletionsReader, chunk({"content": TEXT}, usage=first), chunk({}, "stop"), chunk(usage=usage), b"[DONE]"
    )
    return final_usage(events)


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {},
        [],
        "12",
        {"prompt_tokens": None, "completion_tokens": None},
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        {"input_tokens": 10, "output_tokens": 100},
    ],
)
def test_a_completion_that_nobody_counted_is_an_estimate(usage: object) -> None:
    assert completion(usage) == GUESS


@pytest.mark.parametrize("wrong", NO_COUNTS)
def test_an_invalid_count_is_ignored_and_the_rest_is_an_estimate(wrong: object) -> None:
    whole = {"prompt_tokens": 50, "completion_tokens": 120, "prompt_tokens_details": {"cached_tokens": 20}}
    assert completion(whole | {"completion_tokens": wrong}) == Usage(30, 20, output=100, estimated=True)
    assert completion(whole | {"prompt_tokens": wrong}) == Usage(3, output=120, estimated=True)
    assert completion(whole | {"prompt_tokens_details": {"cached_tokens": wrong}}) == Usage(
        50, output=120, estimated=True
    )


@pytest.mark.parametrize(("told", "meant"), [(12.0, 12), ("12", 12), (MOST_TOKENS, MOST_TOKENS), (0, 0)])
def test_whole_numbers_may_be_written_otherwise(told: object, meant: int) -> None:
    assert to_count(told, MOST_TOKENS) == meant


@pytest.mark.parametrize(
    ("told", "used"),
    [
        # xAI: the total shows that reasoning is not part of the completion.
        ({"prompt_tokens": 12, "completion_tokens": 1, "total_tokens": 303, "reasoning": 290}, Usage(12, output=291)),
        ({"prompt_tokens": 12, "completion_tokens": 300, "total_tokens": 312, "reasoning": 290}, Usage(12, output=300)),
        # More reasoning than the completion can hold, and no total to decide.
        ({"prompt_tokens": 12, "completion_tokens": 30, "reasoning": 290}, Usage(12, output=320, estimated=True)),
        # Gemini's OpenAI-compatible endpoint counts thoughts only in the total.
        ({"prompt_tokens": 12, "completion_tokens": 101, "total_tokens": 403}, Usage(12, output=391, estimated=True)),
        ({"prompt_tokens": 11, "total_tokens": 211}, Usage(11, output=200, estimated=True)),
        # A total that nothing explains is ignored.
        ({"prompt_tokens": 12, "completion_tokens": 101, "total_tokens": 90_000}, Usage(12, output=101)),
    ],
)
def test_all_that_a_completion_is_charged_for_is_counted(told: dict[str, Any], used: Usage) -> None:
    reasoning = told.pop("reasoning", 0)
    got = completion(told | {"completion_tokens_details": {"reasoning_tokens": reasoning}})
    assert got == Usage(used.input, output=used.output, reasoning=reasoning, estimated=used.estimated)


@pytest.mark.parametrize(
    "cached",
    [{"prompt_cache_hit_tokens": 900}, {"cached_tokens": 900}, {"prompt_tokens_details": {"cached_tokens": 900}}],
)
def test_cached_input_is_read_by_each_of_its_names(cached: dict[str, Any]) -> None:
    counts = {"prompt_tokens": 1000, "completion_tokens": 40}
    assert completion(counts | cached) == Usage(100, 900, output=40)


def test_more_cached_input_than_there_is_input_is_an_estimate() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 40, "prompt_tokens_details": {"cached_tokens": 90}}
    assert completion(usage) == Usage(0, 10, output=100, estimated=True)


def test_usage_may_come_before_the_finish_reason() -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 40}
    told = [chunk({"content": TEXT}), chunk({}, usage=usage), chunk({}, "stop"), b"[DONE]"]
    assert final_usage(read(ChatCompletionsReader, *told)) == Usage(100, output=40)
    told[1], told[0] = told[0], told[1]
    assert final_usage(read(ChatCompletionsReader, *told)) == Usage(100, output=100, estimated=True)


@pytest.mark.parametrize("zeroes", [{"prompt_tokens": 0, "completion_tokens": 0}, {"prompt_tokens": None}, {}, None])
def test_zeroes_at_the_end_undo_nothing(zeroes: object) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 40}
    assert completion(zeroes, first=usage) == Usage(100, output=40)


def test_usage_in_the_chunk_of_an_error_counts() -> None:
    usage = {"prompt_tokens": 43, "completion_tokens": 10}
    broken = chunk({"content": ""}, "error", usage=usage, error={"code": 502, "message": "Upstream failed"})
    error, used = failure(ChatCompletionsReader, chunk({"content": TEXT}), broken)
    assert error
    assert used == Usage(43, output=10)
    counted = {"promptTokenCount": 43, "candidatesTokenCount": 10}
    broken = {"error": {"code": 503, "status": "UNAVAILABLE"}, "usageMetadata": counted}
    error, used = failure(GeminiReader, candidate({"text": TEXT}), broken)
    assert error
    assert used == Usage(43, output=10)


def test_an_error_that_counts_nothing_has_used_nothing() -> None:
    reader = ChatCompletionsReader("a-vendor", REQUEST)
    list(reader.read(framed(chunk(error={"code": 502}, usage={"prompt_tokens": 0, "completion_tokens": 0}))))
    assert not reader.used


@pytest.mark.parametrize("wrong", [0, None, *NO_COUNTS])
def test_zeroes_at_the_end_do_not_undo_claudes_first_report(wrong: object) -> None:
    used = final_usage(claude({"input_tokens": 1500, "output_tokens": 1}, {"input_tokens": wrong, "output_tokens": 5}))
    assert (used.input, used.output) == (1500, 5)
    assert used.estimated == (wrong in NO_COUNTS and wrong not in (0, None))


@pytest.mark.parametrize("delta", [{}, None, {"output_tokens": 0}, {"output_tokens": None}, {"output_tokens": -5}])
def test_claudes_first_guess_is_not_its_output(delta: object) -> None:
    used = final_usage(claude({"input_tokens": 1500, "output_tokens": 1}, delta, text=TEXT))
    assert used == Usage(1500, output=100, estimated=True)


def test_claudes_cache_writes_may_be_reported_only_by_parts() -> None:
    parts = {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 30}
    used = final_usage(claude({"input_tokens": 5, "cache_creation": parts}, {"output_tokens": 7}))
    assert used == Usage(5, cache_write=20, cache_write_1h=30, output=7)


def test_geminis_last_figures_are_the_whole_unless_they_are_nothing() -> None:
    early = {"promptTokenCount": 9, "candidatesTokenCount": 21, "thoughtsTokenCount": 35}
    late = {"promptTokenCount": 87, "thoughtsTokenCount": 78, "totalTokenCount": 165}

    def used(last: object) -> Usage:
        first = candidate({"text": "Hi"}, usageMetadata=early)
        return final_usage(read(GeminiReader, first, candidate(finish="STOP", usageMetadata=last)))

    assert used(late) == Usage(87, output=78, reasoning=78)
    for nothing in ({}, None, {"promptTokenCount": 0, "candidatesTokenCount": 0}):
        assert used(nothing) == Usage(9, output=56, reasoning=35)


def test_what_gemini_counts_in_its_total_alone_is_counted() -> None:
    last = candidate({"text": TEXT}, finish="STOP", usageMetadata={"promptTokenCount": 11, "totalTokenCount": 211})
    assert final_usage(read(GeminiReader, last)) == Usage(11, output=200, estimated=True)


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-5, 2**70), st.floats(), st.text(max_size=3))
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner))


def usages(*names: str) -> st.SearchStrategy[object]:
    """Generates usage objects that may have these names, with any values."""
    inside = st.dictionaries(st.sampled_from(names), JSON)
    return st.one_of(JSON, st.dictionaries(st.sampled_from(names), st.one_of(JSON, st.integers(0, 500), inside)))


ANTHROPIC = ("input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_creation", "server_tool_use")
OPENAI = ("prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "cached_tokens")
GEMINI = ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount")


def check(used: Usage) -> None:
    """All counts are possible, and an answer without a mark has cost tokens."""
    counts = [used.input, used.cache_read, used.cache_write, used.cache_write_1h, used.output, used.web_searches]
    assert all(0 <= count <= 4 * MOST_TOKENS for count in counts)
    assert used.output > 0
    assert used.estimated or used.total_input > 0


@given(usages(*ANTHROPIC), usages(*ANTHROPIC))
def test_claude_may_say_anything(start: object, delta: object) -> None:
    check(final_usage(claude(start, delta, text=TEXT)))


@given(usages(*OPENAI), usages(*OPENAI))
def test_a_completion_may_say_anything(first: object, last: object) -> None:
    check(completion(last, first=first))


@given(usages(*GEMINI), usages(*GEMINI))
@example({"promptTokenCount": 0, "candidatesTokenCount": 1}, {"promptTokenCount": 1})
def test_gemini_may_say_anything(first: object, last: object) -> None:
    events = read(
        GeminiReader, candidate({"text": TEXT}, usageMetadata=first), candidate(finish="STOP", usageMetadata=last)
    )
    used = final_usage(events)
    # Google omits a count of 0, and has been seen to omit the prompt's.
    check(used if used.total_input else Usage(1, output=used.output, estimated=used.estimated))
