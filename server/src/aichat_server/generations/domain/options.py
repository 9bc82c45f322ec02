"""The options of generations, as they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import msgspec

from aichat_server.models.domain.usage import STANDARD_PERCENT
from aichat_server.providers.domain.requests import ChatOptions

_PERCENT = "tier_percent"


def stored_options(options: ChatOptions, *, cancel_on_disconnect: bool) -> Mapping[str, object]:
    """Returns the options that differ from their defaults, as they are stored."""
    stored = {name: value for name, value in asdict(options).items() if value not in (None, (), "")}
    return {**stored, "cancel_on_disconnect": True} if cancel_on_disconnect else stored


def with_percent(stored: Mapping[str, object], percent: int) -> Mapping[str, object]:
    """Returns stored options with what their class of service costs, in percent of the model's prices for tokens."""
    return stored if percent == STANDARD_PERCENT else {**stored, _PERCENT: percent}


def percent_of(stored: Mapping[str, object]) -> int:
    """Returns what the class of service costs that a stored generation asked for, as Usage.percent."""
    percent = stored.get(_PERCENT)
    return percent if isinstance(percent, int) else STANDARD_PERCENT


def read_options(stored: Mapping[str, object]) -> ChatOptions:
    """Returns a stored generation's options; of those that cannot be read, the system prompt alone."""
    try:
        return msgspec.convert(stored, ChatOptions)
    except msgspec.ValidationError:
        return ChatOptions(system_prompt=str(stored.get("system_prompt", "")))
