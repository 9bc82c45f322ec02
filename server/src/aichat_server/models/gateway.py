"""The model catalogue: context windows and prices from genai-prices, and a table for what those lack.

The server charges by the database's prices, which are updated from these.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from decimal import Decimal

from genai_prices.data import providers
from genai_prices.types import ModelInfo, StartDateConstraint, TieredPrices

from aichat_server.core.money import from_decimal
from aichat_server.models.domain.models import Model, ModelAbilities
from aichat_server.models.domain.pricing import BEGINNING, Price, PriceTier

# Our vendors by their names in genai-prices. The order matters: Google resells Claude with Anthropic's ids.
VENDORS = {"anthropic": "anthropic", "openai": "openai", "google": "gemini"}

MOST_PERCENT = {"anthropic": 110}
"""The most that vendors charge of their models' prices, as Usage.percent, if it is not 100."""

Dollars = Decimal | TieredPrices | None


@dataclass(frozen=True, slots=True)
class CompatibleEntry:
    """A model of an OpenAI-compatible endpoint, as its operator describes it."""

    endpoint: str
    model: str
    """The endpoint's own id."""
    context_window: int
    max_output_tokens: int
    input_usd_per_mtok: Decimal
    output_usd_per_mtok: Decimal
    reasoning: bool
    cached_input_usd_per_mtok: Decimal | None = None
    """None: the price of other input."""
    search_usd: Decimal = Decimal(0)
    """For one search."""


@dataclass(frozen=True, slots=True)
class Family:
    """What models with the same prefix of their ids have in common."""

    prefix: str
    max_output_tokens: int
    abilities: ModelAbilities


_CLASSIC = ModelAbilities()
# Claude's API accepts no sampling parameters since its version 2026-10-21, and no stop sequence that is only white
# space. Before 4.6, thinking was a budget of tokens.
_CLAUDE = ModelAbilities(temperature=False, blank_stop=False)
_THINKING_CLAUDE = ModelAbilities(reasoning=True, temperature=False, blank_stop=False)
# OpenAI's reasoning models refuse both in Chat Completions.
_REASONING_GPT = ModelAbilities(reasoning=True, temperature=False, stop=False)
# Gemini 4 ignores sampling parameters. Before Gemini 3, thinking was a budget of tokens.
_GEMINI_2_5 = ModelAbilities(thinks=True)
_GEMINI_3 = ModelAbilities(reasoning=True)
_GEMINI_4 = ModelAbilities(reasoning=True, temperature=False)

# From the vendors' model pages (November 2026); the longest matching prefix applies.
FAMILIES = (
    Family("claude-", 128_000, _THINKING_CLAUDE),
    Family("claude-sonnet-4-6", 64_000, _THINKING_CLAUDE),
    Family("claude-opus-4-5", 64_000, _CLAUDE),
    Family("claude-sonnet-4-5", 64_000, _CLAUDE),
    Family("claude-haiku-4-5", 64_000, _CLAUDE),
    Family("claude-opus-4-1", 32_000, _CLAUDE),
    Family("claude-3", 4_096, _CLAUDE),
    Family("gpt-5", 128_000, _REASONING_GPT),
    Family("gpt-6", 128_000, _REASONING_GPT),
    Family("o1", 100_000, _REASONING_GPT),
    Family("o3", 100_000, _REASONING_GPT),
    Family("o4", 100_000, _REASONING_GPT),
    Family("gpt-4.1", 32_768, _CLASSIC),
    Family("gpt-4o", 16_384, _CLASSIC),
    Family("gemini-4", 65_536, _GEMINI_4),
    Family("gemini-3", 65_536, _GEMINI_3),
    Family("gemini-2.5", 65_536, _GEMINI_2_5),
)
_OTHERS = Family("", 4_096, _CLASSIC)


def load_catalogue(
    model_ids: Iterable[str], compatible: Iterable[CompatibleEntry] = (), *, at: datetime | None = None
) -> dict[str, Model]:
    """Returns the models by id, with the prices of `at` (None: now).

    Raises ValueError, naming every id that genai-prices does not have as a model of our vendors with a price per token.
    """
    catalogue: dict[str, Model] = {}
    unknown = []
    for model_id in model_ids:
        model = _model(model_id, at or datetime.now(UTC))
        if model is None:
            unknown.append(model_id)
        else:
            catalogue[model_id] = model
    if unknown:
        raise ValueError(f"these models are in no vendor's price list: {', '.join(unknown)}")
    return catalogue | {model.id: model for model in map(_compatible_model, compatible)}


def load_prices(
    model_ids: Iterable[str], compatible: Iterable[CompatibleEntry] = ()
) -> dict[tuple[str, str], tuple[Price, ...]]:
    """Returns the prices of the known models, past and announced ones too, by vendor and model."""
    prices: dict[tuple[str, str], tuple[Price, ...]] = {
        (model.provider, model.id): (Price(BEGINNING, model.prices),) for model in map(_compatible_model, compatible)
    }
    for model_id in model_ids:
        if found := _find(model_id, datetime.now(UTC)):
            vendor, info = found
            prices[vendor, model_id] = tuple(
                Price(start, tiers) for start in _starts(info) if (tiers := _tiers(info, start))
            )
    return prices


def _starts(info: ModelInfo) -> list[datetime]:
    """Returns when each of the model's prices comes into force."""
    constraints = [price.constraint for price in info.prices] if isinstance(info.prices, list) else []
    days = {constraint.start_date for constraint in constraints if isinstance(constraint, StartDateConstraint)}
    return [BEGINNING, *(datetime.combine(day, time(), UTC) for day in sorted(days))]


def _find(model_id: str, at: datetime) -> tuple[str, ModelInfo] | None:
    for name, vendor in VENDORS.items():
        info = next(provider for provider in providers if provider.id == name).find_model(model_id)
        if info and _tiers(info, at):
            return vendor, info
    return None


def _model(model_id: str, at: datetime) -> Model | None:
    found = _find(model_id, at)
    if found is None:
        return None
    vendor, info = found
    family = max((f for f in FAMILIES if model_id.startswith(f.prefix)), key=lambda f: len(f.prefix), default=_OTHERS)
    return Model(
        id=model_id,
        provider=vendor,
        vendor_model=model_id,
        display_name=info.name or model_id,
        context_window=info.context_window or 0,
        max_output_tokens=family.max_output_tokens,
        prices=_tiers(info, at),
        most_percent=MOST_PERCENT.get(vendor, 100),
        abilities=family.abilities,
    )


def _tiers(info: ModelInfo, at: datetime) -> tuple[PriceTier, ...]:
    prices = info.get_prices(at)
    asked, answered = prices.input_mtok, prices.output_mtok
    if asked is None or answered is None:
        return ()
    read = asked if prices.cache_read_mtok is None else prices.cache_read_mtok
    written = asked if prices.cache_write_mtok is None else prices.cache_write_mtok
    written_1h = written if prices.cache_write_1h_mtok is None else prices.cache_write_1h_mtok
    searches = prices.web_searches_kcount or Decimal(0)
    given: list[Dollars] = [asked, read, written, written_1h, answered, searches]
    starts = {tier.start for price in given if isinstance(price, TieredPrices) for tier in price.tiers}
    return tuple(
        PriceTier(
            above=start,
            input=from_decimal(_price(asked, start)),
            cache_read=from_decimal(_price(read, start)),
            cache_write=from_decimal(_price(written, start)),
            cache_write_1h=from_decimal(_price(written_1h, start)),
            output=from_decimal(_price(answered, start)),
            web_search=from_decimal(_price(searches, start) / 1000),
        )
        for start in sorted({0, *starts})
    )


def _price(price: Decimal | TieredPrices, above: int) -> Decimal:
    if isinstance(price, Decimal):
        return price
    return next((tier.price for tier in reversed(price.tiers) if tier.start <= above), price.base)


def _compatible_model(entry: CompatibleEntry) -> Model:
    asked, answered = from_decimal(entry.input_usd_per_mtok), from_decimal(entry.output_usd_per_mtok)
    cached = entry.cached_input_usd_per_mtok
    read = asked if cached is None else from_decimal(cached)
    price = PriceTier(0, asked, read, asked, asked, answered, web_search=from_decimal(entry.search_usd))
    return Model(
        id=f"{entry.endpoint}/{entry.model}",
        provider=entry.endpoint,
        vendor_model=entry.model,
        display_name=entry.model,
        context_window=entry.context_window,
        max_output_tokens=entry.max_output_tokens,
        prices=(price,),
        abilities=ModelAbilities(reasoning=entry.reasoning),
    )
