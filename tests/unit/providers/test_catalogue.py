"""The catalogue made from genai-prices and the operator's settings."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
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


@pytest.mark.parametrize(
    ("model_id", "abilities"),
    [
        ("claude-opus-5-5", ModelAbilities(reasoning=True, temperature=False, stop=True, blank_stop=False)),
        ("claude-haiku-4-5", ModelAbilities(reasoning=False, temperature=False, stop=True, blank_stop=False)),
        ("gpt-6-luna", ModelAbilities(reasoning=True, temperature=False, stop=False)),
        ("gpt-4o", ModelAbilities(reasoning=False, temperature=True, stop=True)),
        ("gemini-4-argon", ModelAbilities(reasoning=True, temperature=False, stop=True)),
        ("gemini-3.8-flash", ModelAbilities(reasoning=True, temperature=True, stop=True)),
    ],
)
def test_families_differ_in_what_they_take(model_id: str, abilities: ModelAbilities) -> None:
    assert load_catalogue([model_id])[model_id].abilities == abilities


def test_all_unknown_models_are_named_at_once() -> None:
    with pytest.raises(ValueError, match="gpt-99, claude-zero"):
        load_catalogue(["gpt-99", "gpt-6-luna", "claude-zero"])


def test_a_compatible_endpoints_model_is_named_after_it() -> None:
    entry = CompatibleEntry("groq", "openai/gpt-oss", 131_072, 8192, Decimal("0.15"), Decimal("0.75"), reasoning=True)
    model = load_catalogue([], [entry])["groq/openai/gpt-oss"]
    assert (model.provider, model.vendor_model) == ("groq", "openai/gpt-oss")
    assert model.prices == (tier(0, "0.15", "0.15", "0.15", "0.15", "0.75", "0"),)
    assert model.abilities.reasoning


def test_a_compatible_endpoint_may_have_prices_for_cached_input_and_searches() -> None:
    more = {"cached_input_usd_per_mtok": Decimal("0.02"), "search_usd": Decimal("0.005")}
    entry = CompatibleEntry("sonar", "m", 0, 8192, Decimal("0.15"), Decimal("0.75"), reasoning=False, **more)
    assert load_catalogue([], [entry])["sonar/m"].prices == (tier(0, "0.15", "0.02", "0.15", "0.15", "0.75", "0.005"),)


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
