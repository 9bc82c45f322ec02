"""The models that members can use: to chat, and to turn texts into vectors."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from aichat_server.content.parts import PartKind
from aichat_server.models.domain.pricing import BEGINNING, Price, PriceTier


class ServiceTier(StrEnum):
    """A vendor's class of service."""

    STANDARD = "standard"
    FLEX = "flex"
    PRIORITY = "priority"


@dataclass(frozen=True, slots=True)
class ModelAbilities:
    """A model's abilities."""

    reasoning: bool = False
    """Reasons before it answers, and accepts a reasoning effort."""
    thinks: bool = False
    """Reasons before it answers, but accepts no effort."""
    temperature: bool = True
    stop: bool = True
    blank_stop: bool = True
    """Accepts a stop sequence that is only white space."""
    reads: frozenset[PartKind] = frozenset({PartKind.TEXT})
    """The kinds of parts that it reads."""
    gifs: bool = True
    """Of the images it reads, GIF is one kind."""
    urls: bool = False
    """Reads images and documents from a URL."""
    tools: bool = False
    parallel_tool_calls: bool = False
    """Can be told to call one tool at a time."""
    response_format: bool = False
    caching: bool = False
    web_search: bool = False
    search_domains: bool = False
    """Its search can be limited to domains."""
    searches: bool = False
    """Searches the web unasked, as its vendor sees fit."""
    search_limit: bool = True
    """Its vendor can be told how often it may search at most."""
    mixes: bool = True
    """Accepts tools together with a search or a response format."""
    top_p: bool = False
    seed: bool = False
    exact_token_count: bool = False
    service_tiers: tuple[tuple[ServiceTier, int], ...] = ()
    """The classes besides the standard one, and their prices in percent of the standard prices for tokens."""


@dataclass(frozen=True, slots=True)
class EmbeddingAbilities:
    """What an embedding model accepts, and what it returns."""

    dimensions: int = 0
    """The length of its vectors, unless a call asks for another; 0 if unknown."""
    custom_dimensions: bool = False
    """Whether a call may ask for another length."""
    tokens: bool = False
    """Whether it takes inputs as tokens."""
    tasks: bool = False
    """Whether it takes a task."""
    max_input_tokens: int = 0
    """The most tokens of one input; 0 if unknown."""
    batch: int = 2048
    """The most inputs of one call of its vendor."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model in the catalogue."""

    id: str
    """The id in requests."""
    provider: str
    """The vendor that runs it, by its name in the provider factory."""
    vendor_model: str
    """The vendor's own id of it."""
    display_name: str
    context_window: int
    """The most tokens of input and output together; 0 if unknown."""
    max_output_tokens: int
    """The most tokens of one answer."""
    prices: tuple[PriceTier, ...]
    """Ascending by threshold, the first at 0."""
    abilities: ModelAbilities
    price_version: datetime = BEGINNING
    """The version of the price, named by the moment from which it is in force."""
    most_percent: int = 100
    """The most that its vendor may charge of the tokens' prices, in the unit of Usage.percent."""
    announced: tuple[Price, ...] = ()
    """Prices that are not in force yet, the next one first."""
    retires_at: datetime | None = None
    """When its vendor stops to serve it; None if it has announced no date."""
    embedding: EmbeddingAbilities | None = None
    """None: it is no embedding model, and chats."""
