"""Usage and its cost, as Chat Completions tells them."""

from __future__ import annotations

from typing import Any

import msgspec

from aichat_server.core.money import NanoUsd, to_decimal
from aichat_server.models.domain.usage import Usage


def usage_json(usage: Usage, cost: NanoUsd) -> dict[str, Any]:
    """Returns the usage, with what was charged in US dollars."""
    asked, written = usage.total_input, usage.output
    return {
        "prompt_tokens": asked,
        "completion_tokens": written,
        "total_tokens": asked + written,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write + usage.cache_write_1h,
            "audio_tokens": 0,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning, "audio_tokens": 0},
        "cost": cost_json(cost),
    }


def cost_json(cost: NanoUsd) -> msgspec.Raw:
    """Returns US dollars as a JSON number, exactly."""
    return msgspec.Raw(format(to_decimal(cost), "f").encode())
