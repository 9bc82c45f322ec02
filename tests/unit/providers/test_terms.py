"""Prices follow the vendor's terms: its region, what it waives, and what its endpoint charges for."""

from __future__ import annotations

from typing import Any

import pytest
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.money import NanoUsd
from aichat_server.models.domain.pricing import PriceTier, cost, hold_for
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.gateway.chat_completions_reader import ChatCompletionsReader
from aichat_server.providers.gateway.claude_reader import ClaudeReader

from tests.unit.providers.reading import REQUEST, chunk, claude, failure, final_usage, framed

PRICES = [NanoUsd(price) for price in (3_000_001, 300_000, 3_750_000, 6_000_000, 15_000_000, 10_000_000)]
TIERS = (PriceTier(0, *PRICES),)


@pytest.mark.parametrize(("region", "percent"), [("us", 110), ("global", 100), ("not_available", 100), (["us"], 100)])
def test_the_region_that_claude_states_is_priced(region: object, percent: int) -> None:
    used = final_usage(claude({"input_tokens": 1000, "inference_geo": region}, {"output_tokens": 10}))
    assert used == Usage(1000, output=10, percent=percent)
    assert cost(TIERS, used) == -(-(1000 * 3_000_001 + 10 * 15_000_000) * percent // 100_000_000)


def test_searches_cost_the_same_everywhere() -> None:
    assert cost(TIERS, Usage(web_searches=3, percent=110)) == cost(TIERS, Usage(web_searches=3)) == 30_000_000


def test_a_hold_is_enough_for_the_dearest_region() -> None:
    sizes: dict[str, Any] = {"input_bytes": 1000, "has_history": False, "max_output_tokens": 10, "context_window": 0}
    # The hold assumes the dearest kind of input.
    hold = hold_for(TIERS, **sizes, most_percent=110)
    assert hold.known >= cost(TIERS, Usage(cache_write_1h=1256, output=10, percent=110))
    assert hold.known > hold_for(TIERS, **sizes).known


def refusal(start: dict[str, Any], delta: dict[str, Any], text: str = "") -> tuple[AichatError | None, Usage]:
    """Returns the failure of a refusal by Claude, and its usage."""
    said = {"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}}
    end = {"type": "message_delta", "delta": {"stop_reason": "refusal"}, "usage": delta}
    return failure(ClaudeReader, {"type": "message_start", "message": {"usage": start}}, said, end)


def test_claudes_refusal_before_a_word_is_counted_and_not_charged() -> None:
    error, used = refusal({"input_tokens": 2000, "output_tokens": 1}, {"output_tokens": 0})
    assert error
    assert (error.reason, used) == (Reason.ANSWER_REFUSED, Usage(2000, percent=0))
    assert cost(TIERS, used) == 0


def test_claudes_refusal_in_the_middle_is_charged() -> None:
    for error, used in (
        refusal({"input_tokens": 2000, "output_tokens": 1}, {"output_tokens": 5}),
        refusal({"input_tokens": 2000, "output_tokens": 1}, {"output_tokens": 5}, "Well"),
    ):
        assert error
        assert used == Usage(2000, output=5)


@pytest.mark.parametrize(
    "told",
    [
        {"num_search_queries": 3},
        {"num_sources_used": 3},
        {"server_tool_use": {"web_search_requests": 3}},
        {"server_tool_use_details": {"web_search_requests": 3}},
    ],
)
def test_searches_are_counted_where_the_endpoint_charges_for_them(told: dict[str, Any]) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 20} | told
    for charged in (True, False):
        reader = ChatCompletionsReader("a-vendor", REQUEST, searches=charged)
        list(reader.read(framed(chunk({"content": "Hi"}, "stop"), chunk(usage=usage))))
        assert final_usage([*reader.finish()]) == Usage(10, output=20, web_searches=3 if charged else 0)
