"""The models that chats can be held with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from aichat_server.models.domain.pricing import BEGINNING, PriceTier


@dataclass(frozen=True, slots=True)
class ModelAbilities:
    """What a model takes."""

    reasoning: bool = False
    """Reasons before it answers, and takes a reasoning effort."""
    thinks: bool = False
    """Reasons before it answers, though it takes no effort."""
    temperature: bool = True
    stop: bool = True
    blank_stop: bool = True
    """Takes a stop sequence of white space alone, too."""


@dataclass(frozen=True, slots=True)
class Model:
    """One entry of the catalogue."""

    id: str
    """The id that users name."""
    provider: str
    """The vendor that runs it, a name that the provider factory knows."""
    vendor_model: str
    """The id that the vendor knows it by."""
    display_name: str
    context_window: int
    """The most tokens of input and output together; 0 where it is not known."""
    max_output_tokens: int
    """The most tokens of one answer."""
    prices: tuple[PriceTier, ...]
    """Ascending by threshold, the first at 0."""
    abilities: ModelAbilities
    price_version: datetime = BEGINNING
    """Which price that is: the moment from which it is in force."""
    most_percent: int = 100
    """The most that its vendor may charge of the tokens' prices, as Usage.percent has it."""
