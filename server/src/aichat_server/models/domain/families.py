"""What the vendors' models can do, by their model pages and SDKs (November 2026)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType

from aichat_server.content.parts import PartKind
from aichat_server.models.domain.models import ModelAbilities, ServiceTier


@dataclass(frozen=True, slots=True)
class Family:
    """What models with the same prefix of their ids have in common."""

    prefix: str
    max_output_tokens: int
    abilities: ModelAbilities


_SEES = frozenset({PartKind.TEXT, PartKind.IMAGE})
_READS = _SEES | {PartKind.DOCUMENT}
_HEARS = _READS | {PartKind.AUDIO}

# Claude accepts no stop sequence that is only white space, and since 4.7 no sampling parameters. Before 4.6, thinking
# was a budget of tokens.
_CLAUDE = ModelAbilities(
    temperature=False,
    blank_stop=False,
    reads=_READS,
    urls=True,
    tools=True,
    parallel_tool_calls=True,
    response_format=True,
    caching=True,
    web_search=True,
    search_domains=True,
    exact_token_count=True,
)
_THINKING_CLAUDE = replace(_CLAUDE, reasoning=True)
_CLAUDE_4_6 = replace(_THINKING_CLAUDE, temperature=True, top_p=True)
_CLAUDE_4_5 = replace(_CLAUDE_4_6, reasoning=False)
# It keeps to no schema, and reads no PDF.
_OLD_CLAUDE = replace(_CLAUDE_4_5, reads=_SEES, response_format=False)

# The Responses API takes no stop sequences and no seed.
_GPT = ModelAbilities(
    stop=False,
    reads=_READS,
    urls=True,
    tools=True,
    parallel_tool_calls=True,
    response_format=True,
    caching=True,
    web_search=True,
    search_domains=True,
    top_p=True,
    exact_token_count=True,
)
# OpenAI's reasoning models refuse sampling parameters.
_REASONING_GPT = replace(_GPT, reasoning=True, temperature=False, top_p=False)
_TEXT_GPT = ModelAbilities(stop=False, top_p=True, exact_token_count=True)

# Gemini's search takes no domains and no number of searches.
_GEMINI_3 = ModelAbilities(
    reasoning=True,
    reads=_HEARS,
    gifs=False,
    urls=True,
    tools=True,
    parallel_tool_calls=True,
    response_format=True,
    caching=True,
    web_search=True,
    search_limit=False,
    top_p=True,
    seed=True,
    exact_token_count=True,
)
# Before Gemini 3, thinking was a budget of tokens, and tools excluded a search and a schema.
_GEMINI_2_5 = replace(_GEMINI_3, reasoning=False, thinks=True, mixes=False)
# It ignores sampling parameters.
_GEMINI_4 = replace(_GEMINI_3, temperature=False, top_p=False, seed=False)
# From Google's price list, read on 2026-11-26, where one percentage applies to all of a model's prices.
_GEMINI_TIERS = ((ServiceTier.FLEX, 50), (ServiceTier.PRIORITY, 180))

FAMILIES = (
    Family("claude-", 128_000, _THINKING_CLAUDE),
    Family("claude-opus-4-6", 128_000, _CLAUDE_4_6),
    Family("claude-sonnet-4-6", 64_000, _CLAUDE_4_6),
    Family("claude-opus-4-5", 64_000, _CLAUDE_4_5),
    Family("claude-sonnet-4-5", 64_000, _CLAUDE_4_5),
    Family("claude-haiku-4-5", 64_000, _CLAUDE_4_5),
    Family("claude-opus-4-1", 32_000, _CLAUDE_4_5),
    Family("claude-3", 4_096, _OLD_CLAUDE),
    Family("gpt-", 4_096, _TEXT_GPT),
    Family("gpt-5", 128_000, _REASONING_GPT),
    Family("gpt-6", 128_000, _REASONING_GPT),
    Family("o1", 100_000, replace(_REASONING_GPT, web_search=False)),
    Family("o3", 100_000, _REASONING_GPT),
    Family("o3-mini", 100_000, replace(_REASONING_GPT, reads=_TEXT_GPT.reads, urls=False, web_search=False)),
    Family("o4", 100_000, _REASONING_GPT),
    Family("gpt-4.1", 32_768, _GPT),
    Family("gpt-4o", 16_384, _GPT),
    Family("gpt-4o-2024-05-13", 4_096, replace(_GPT, response_format=False)),
    Family("gemini-4", 65_536, replace(_GEMINI_4, service_tiers=_GEMINI_TIERS)),
    Family("gemini-3", 65_536, _GEMINI_3),
    Family("gemini-3.7-flash", 65_536, replace(_GEMINI_3, service_tiers=_GEMINI_TIERS)),
    Family("gemini-3.8-flash", 65_536, replace(_GEMINI_3, service_tiers=_GEMINI_TIERS)),
    Family("gemini-2.5", 65_536, _GEMINI_2_5),
)
"""The longest matching prefix applies."""

_OTHERS = Family("", 4_096, ModelAbilities())


def family_of(model: str) -> Family:
    """Returns the family of a model, by the vendor's own id; of an unknown one, what all can do."""
    return max((f for f in FAMILIES if model.startswith(f.prefix)), key=lambda f: len(f.prefix), default=_OTHERS)


def _on(year: int, month: int, day: int, *models: str) -> Mapping[str, datetime]:
    return dict.fromkeys(models, datetime(year, month, day, tzinfo=UTC))


# From the vendors' pages of deprecations, read on 2026-11-26.
_RETIREMENTS: Mapping[str, datetime] = MappingProxyType(
    {
        **_on(2026, 12, 1, "gemini-2.5-pro", "gemini-2.5-flash"),
        **_on(2026, 12, 11, "gpt-5", "gpt-5-mini", "gpt-5-nano", "gpt-5-pro", "o3", "o3-pro"),
        **_on(2027, 1, 14, "gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini"),
        **_on(2027, 4, 1, "gpt-5.1", "gpt-5.3-codex", "gpt-5.4-nano"),
        **_on(2027, 5, 7, "gemini-3.1-flash-lite"),
    }
)
_SNAPSHOT = "-20"
"""How the ids of dated versions go on."""


def retires_at(model: str) -> datetime | None:
    """Returns when its vendor stops to serve a model, by the vendor's own id; None if it has announced no date."""
    return _RETIREMENTS.get(model.partition(_SNAPSHOT)[0])
