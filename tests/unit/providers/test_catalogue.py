"""The catalogue made from genai-prices and the operator's settings."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from aichat_server.content.parts import PartKind
from aichat_server.core.money import from_decimal
from aichat_server.models.domain.models import ModelAbilities
from aichat_server.models.domain.pricing import BEGINNING, Price, PriceTier
from aichat_server.models.gateway import CompatibleEntry, load_catalogue, load_prices
from aichat_server.settings import DEFAULT_MODELS


def tier(above: int, *dollars: str) -> PriceTier:
    """Returns a tier of prices: input, cache read, cache write for minutes and for an hour, output, a web search."""
    return PriceTier(above, *(from_decimal(Decimal(price)) for price in dollars))


def test_every_default_model_is_complete() -> None:
    catalogue = load_catalogue(DEFAULT_MODELS)
    assert list(catalogue) == list(DEFAULT_MODELS)
    assert {model.provider for model in catalogue.values()} == {"anthropic", "openai", "gemini"}
    for model_id, model in catalogue.items():
        assert model.id == model.vendor_model == model_id
        if model.embedding is not None:
            assert model.embedding.dimensions >= 1536
            assert [(price.above, price.output) for price in model.prices] == [(0, 0)]
            assert model.prices[0].input > 0
            continue
        assert model.abilities.reasoning
        assert model.context_window > model.max_output_tokens > 60_000
        assert model.prices[0].above == 0
        assert all(price.output > price.input > price.cache_read > 0 for price in model.prices)


def test_long_prompts_have_prices_of_their_own() -> None:
    model = load_catalogue(["claude-haiku-5-5"])["claude-haiku-5-5"]
    assert model.prices == (
        tier(0, "0.1", "0.01", "0.125", "0.2", "0.5", "0.01"),
        tier(100_000, "0.5", "0.05", "0.625", "1", "2.5", "0.01"),
    )


def test_what_claude_writes_to_its_cache_costs_what_anthropic_says() -> None:
    tiers = [
        price
        for model in load_catalogue(DEFAULT_MODELS).values()
        if model.provider == "anthropic"
        for price in model.prices
    ]
    assert tiers
    for price in tiers:
        assert (4 * price.cache_write, price.cache_write_1h) == (5 * price.input, 2 * price.input)
        assert price.web_search == 10_000_000


@pytest.mark.parametrize(
    ("day", "dollars"), [(datetime(2026, 11, 30, tzinfo=UTC), 2), (datetime(2026, 12, 1, tzinfo=UTC), 4)]
)
def test_prices_are_those_of_the_day(day: datetime, dollars: int) -> None:
    price = load_catalogue(["gemini-4-argon"], at=day)["gemini-4-argon"].prices[0]
    assert price.input == dollars * 10**9
    assert price.cache_write == price.cache_write_1h == price.input


def test_claude_is_anthropics_even_where_others_resell_it() -> None:
    model = load_catalogue(["claude-sonnet-5-5"])["claude-sonnet-5-5"]
    assert (model.provider, model.display_name) == ("anthropic", "Claude Sonnet 5.5")


# What ListModels tells about a model, in the order of the contract; what is missing is refused.
FAMILIES = {
    "claude-opus-5-5": "reasoning stop images documents tools parallel format caching search domains count urls",
    "claude-haiku-4-5": "temperature stop images documents tools parallel format caching search domains top_p count "
    "urls",
    "gpt-6-luna": "reasoning images documents tools parallel format caching search domains count urls flex50 "
    "priority200",
    "gpt-4o": "temperature images documents tools parallel format caching search domains top_p count urls priority170",
    # One percentage would not tell the price of its cached input.
    "gpt-4o-mini": "temperature images documents tools parallel format caching search domains top_p count urls",
    "o3-mini": "reasoning tools parallel format caching count",
    "gemini-4-argon": "reasoning stop images documents audio tools parallel format caching search count urls flex50 "
    "priority180",
    "gemini-3.8-flash": "reasoning temperature stop images documents audio tools parallel format caching search top_p "
    "seed count urls flex50 priority180",
    # A token of sound has a price of its own.
    "gemini-2.5-flash": "thinks temperature stop images documents tools parallel format caching search top_p seed "
    "count urls",
}


@pytest.mark.parametrize(("model_id", "told"), FAMILIES.items())
def test_families_differ_in_what_they_can(model_id: str, told: str) -> None:
    can = load_catalogue([model_id])[model_id].abilities
    flags = {
        "reasoning": can.reasoning,
        "thinks": can.thinks,
        "temperature": can.temperature,
        "stop": can.stop,
        "images": PartKind.IMAGE in can.reads,
        "documents": PartKind.DOCUMENT in can.reads,
        "audio": PartKind.AUDIO in can.reads,
        "tools": can.tools,
        "parallel": can.parallel_tool_calls,
        "format": can.response_format,
        "caching": can.caching,
        "search": can.web_search,
        "domains": can.search_domains,
        "top_p": can.top_p,
        "seed": can.seed,
        "count": can.exact_token_count,
        "urls": can.urls,
    }
    tiers = [f"{tier}{percent}" for tier, percent in can.service_tiers]
    assert [name for name, has in flags.items() if has] + tiers == told.split()


def test_the_end_of_a_model_is_known_where_its_vendor_has_announced_it() -> None:
    found = load_catalogue(["gpt-4o", "gemini-2.5-pro", "gpt-6-luna"])
    assert found["gpt-4o"].retires_at == datetime(2027, 1, 14, tzinfo=UTC)
    assert found["gemini-2.5-pro"].retires_at == datetime(2026, 12, 1, tzinfo=UTC)
    assert found["gpt-6-luna"].retires_at is None


def test_all_unknown_models_are_named_at_once() -> None:
    with pytest.raises(ValueError, match="gpt-99, claude-zero"):
        load_catalogue(["gpt-99", "gpt-6-luna", "claude-zero"])


def test_a_compatible_endpoints_model_is_named_after_it() -> None:
    entry = CompatibleEntry("groq", "openai/gpt-oss", 131_072, 8192, Decimal("0.15"), Decimal("0.75"), reasoning=True)
    model = load_catalogue([], [entry])["groq/openai/gpt-oss"]
    assert (model.provider, model.vendor_model) == ("groq", "openai/gpt-oss")
    assert model.prices == (tier(0, "0.15", "0.15", "0.15", "0.15", "0.75", "0"),)
    assert model.abilities == ModelAbilities(reasoning=True, top_p=True, seed=True, search_limit=False)


def test_a_compatible_endpoints_model_can_what_its_operator_says() -> None:
    entry = CompatibleEntry(
        "groq", "m", 0, 8192, Decimal(1), Decimal(2), reasoning=False, tools=True, images=True, response_format=True
    )
    can = load_catalogue([], [entry])["groq/m"].abilities
    assert can.tools
    assert can.parallel_tool_calls
    assert can.response_format
    assert can.urls
    assert can.reads == {PartKind.TEXT, PartKind.IMAGE}
    # Chat Completions have no URLs of documents.
    more = replace(entry, documents=True, audio=True)
    can = load_catalogue([], [more])["groq/m"].abilities
    assert not can.urls
    assert can.reads == set(PartKind)


def test_a_compatible_endpoint_may_have_prices_for_cached_input_and_searches() -> None:
    entry = CompatibleEntry(
        "sonar",
        "m",
        0,
        8192,
        Decimal("0.15"),
        Decimal("0.75"),
        reasoning=False,
        cached_input_usd_per_mtok=Decimal("0.02"),
        search_usd=Decimal("0.005"),
    )
    model = load_catalogue([], [entry])["sonar/m"]
    assert model.prices == (tier(0, "0.15", "0.02", "0.15", "0.15", "0.75", "0.005"),)
    assert model.abilities.caching
    assert model.abilities.searches


def test_what_only_anthropic_charges_more_for_is_held_for_its_models_alone() -> None:
    found = {model.provider: model.most_percent for model in load_catalogue(DEFAULT_MODELS).values()}
    assert found == {"anthropic": 110, "openai": 100, "gemini": 100}


def test_announced_prices_are_known_ahead() -> None:
    entry = CompatibleEntry("groq", "m", 0, 8192, Decimal(1), Decimal(2), reasoning=False)
    prices = load_prices(["gemini-4-argon", "gpt-99"], [entry])
    assert set(prices) == {("gemini", "gemini-4-argon"), ("groq", "groq/m")}
    first, second = prices["gemini", "gemini-4-argon"]
    assert (first.version, second.version) == (BEGINNING, datetime(2026, 12, 1, tzinfo=UTC))
    assert (first.tiers[0].input, second.tiers[0].input) == (2 * 10**9, 4 * 10**9)
    assert prices["groq", "groq/m"] == (Price(BEGINNING, (tier(0, "1", "1", "1", "1", "2", "0"),)),)
