"""The model catalogue: context windows and prices from genai-prices, and the families for what those lack.

The server charges by the database's prices, which are updated from these.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from decimal import Decimal

from genai_prices.data import providers
from genai_prices.types import ModelInfo, StartDateConstraint, TieredPrices

from aichat_server.content.parts import PartKind
from aichat_server.core.money import from_decimal
from aichat_server.models.domain.embeddings import EMBEDDING_MODELS
from aichat_server.models.domain.families import family_of, retires_at
from aichat_server.models.domain.models import EmbeddingAbilities, Model, ModelAbilities, ServiceTier
from aichat_server.models.domain.pricing import BEGINNING, Price, PriceTier
from aichat_server.models.domain.usage import STANDARD_PERCENT

# Our vendors by their names in genai-prices. The order matters: Google resells Claude with Anthropic's ids.
VENDORS = {"anthropic": "anthropic", "openai": "openai", "google": "gemini"}

MOST_PERCENT = {"anthropic": 110}
"""The most that vendors charge of their models' prices, as Usage.percent, if it is not 100."""

Dollars = Decimal | TieredPrices | None
# The prices of a model for tokens, by genai-prices.
_PER_TOKEN = ("input_mtok", "cache_read_mtok", "cache_write_mtok", "cache_write_1h_mtok", "output_mtok")


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
    tools: bool = False
    images: bool = False
    documents: bool = False
    audio: bool = False
    response_format: bool = False
    embedding: EmbeddingAbilities | None = None
    """None: it is no embedding model."""


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
    family = family_of(model_id)
    return Model(
        id=model_id,
        provider=vendor,
        vendor_model=model_id,
        display_name=info.name or model_id,
        context_window=info.context_window or 0,
        max_output_tokens=family.max_output_tokens,
        prices=_tiers(info, at),
        most_percent=MOST_PERCENT.get(vendor, STANDARD_PERCENT),
        abilities=_abilities(family.abilities, info, at),
        retires_at=retires_at(model_id),
        embedding=EMBEDDING_MODELS.get(model_id),
    )


def _abilities(abilities: ModelAbilities, info: ModelInfo, at: datetime) -> ModelAbilities:
    """Returns a model's abilities, without those for whose use no price is known."""
    # A token of sound may have a price of its own, which usage does not know.
    hears = getattr(info.get_prices(at), "input_audio_mtok", None) is None
    # What a search finds may fill the context, and is held.
    searches = abilities.web_search and bool(info.get_prices(at).web_searches_kcount and info.context_window)
    return replace(
        abilities,
        reads=abilities.reads if hears else abilities.reads - {PartKind.AUDIO},
        web_search=searches,
        search_domains=searches and abilities.search_domains,
        service_tiers=abilities.service_tiers or tuple(_service_tiers(info, at)),
    )


def _service_tiers(info: ModelInfo, at: datetime) -> Iterable[tuple[ServiceTier, int]]:
    """Yields the classes of service that have one percentage for all of the model's prices."""
    standard = info.get_prices(at)
    for tier in (ServiceTier.FLEX, ServiceTier.PRIORITY):
        if not any(variant.when == {"service_tier": tier.value} for variant in info.price_variants or ()):
            continue
        prices = info.get_prices(at, {"service_tier": tier.value})
        kinds = [(getattr(standard, name, None), getattr(prices, name, None)) for name in _PER_TOKEN]
        percents = {100 * price / base for kind in kinds for base, price in _pairs(*kind) if base}
        if len(percents) == 1 and (percent := percents.pop()) == int(percent):
            yield tier, int(percent)


def _pairs(standard: Dollars, price: Dollars) -> Iterable[tuple[Decimal, Decimal]]:
    """Yields a price of the standard class and of another, for each length of the context."""
    if standard is not None and price is not None:
        starts = {tier.start for one in (standard, price) if isinstance(one, TieredPrices) for tier in one.tiers}
        for start in {0, *starts}:
            yield _price(standard, start), _price(price, start)


def _tiers(info: ModelInfo, at: datetime) -> tuple[PriceTier, ...]:
    prices = info.get_prices(at)
    asked, answered = prices.input_mtok, prices.output_mtok
    if info.id in EMBEDDING_MODELS:
        # They write no tokens.
        answered = Decimal(0)
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
        abilities=_compatible_abilities(entry),
        embedding=entry.embedding,
    )


def _compatible_abilities(entry: CompatibleEntry) -> ModelAbilities:
    read = {PartKind.IMAGE: entry.images, PartKind.DOCUMENT: entry.documents, PartKind.AUDIO: entry.audio}
    return ModelAbilities(
        reasoning=entry.reasoning,
        reads=frozenset({PartKind.TEXT, *(kind for kind, reads in read.items() if reads)}),
        # Chat Completions have URLs of images, and none of documents.
        urls=entry.images and not entry.documents,
        tools=entry.tools,
        parallel_tool_calls=entry.tools,
        response_format=entry.response_format,
        caching=entry.cached_input_usd_per_mtok is not None,
        searches=entry.search_usd > 0,
        search_limit=False,
        top_p=True,
        seed=True,
    )
