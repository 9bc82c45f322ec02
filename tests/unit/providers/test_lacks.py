"""What models cannot do is found before anybody is asked: each option, and each kind of part."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from aichat_server.content.parts import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Link,
    Part,
    PartKind,
    StoredFile,
    TextPart,
    ToolResultPart,
)
from aichat_server.core.errors import Reason
from aichat_server.models.domain.models import Model, ModelAbilities, ServiceTier
from aichat_server.providers.domain.lacks import lack_of, needs_of, refusal
from aichat_server.providers.domain.requests import ChatOptions, ReasoningEffort, ResponseFormat, Tool, WebSearch

FILE = StoredFile("0" * 64, "image/png", 1, 1, 1)
LINK = Link("https://example.com/a")
ABLE = ModelAbilities(
    reasoning=True,
    reads=frozenset(PartKind),
    urls=True,
    tools=True,
    parallel_tool_calls=True,
    response_format=True,
    web_search=True,
    search_domains=True,
    top_p=True,
    seed=True,
    service_tiers=((ServiceTier.FLEX, 50),),
)
TOOLS = (Tool("f"),)


def model(abilities: ModelAbilities) -> Model:
    """Returns a model with these abilities."""
    return Model("m", "v", "m", "M", 1000, 100, (), abilities)


@pytest.mark.parametrize(
    ("options", "lacking", "name"),
    [
        (ChatOptions(temperature=0), replace(ABLE, temperature=False), "temperature"),
        (ChatOptions(stop=("a",)), replace(ABLE, stop=False), "stop"),
        (ChatOptions(stop=("a", "\n")), replace(ABLE, blank_stop=False), "stop"),
        (ChatOptions(top_p=0.5), replace(ABLE, top_p=False), "top_p"),
        (ChatOptions(seed=0), replace(ABLE, seed=False), "seed"),
        (ChatOptions(reasoning_effort=ReasoningEffort.NONE), replace(ABLE, reasoning=False), "reasoning_effort"),
        (ChatOptions(tools=TOOLS), replace(ABLE, tools=False), "tools"),
        (ChatOptions(parallel_tool_calls=False), replace(ABLE, parallel_tool_calls=False), "parallel_tool_calls"),
        (ChatOptions(response_format=ResponseFormat("{}")), replace(ABLE, response_format=False), "response_format"),
        (ChatOptions(web_search=WebSearch()), replace(ABLE, web_search=False), "web_search"),
        (
            ChatOptions(web_search=WebSearch(1, ("example.com",))),
            replace(ABLE, search_domains=False),
            "web_search.allowed_domains",
        ),
        (ChatOptions(web_search=WebSearch(), tools=TOOLS), replace(ABLE, mixes=False), "web_search"),
        (ChatOptions(response_format=ResponseFormat("{}"), tools=TOOLS), replace(ABLE, mixes=False), "response_format"),
        (ChatOptions(service_tier=ServiceTier.FLEX), replace(ABLE, service_tiers=()), "service_tier"),
        (ChatOptions(max_output_tokens=101), None, "max_output_tokens"),
    ],
)
def test_an_option_that_a_model_cannot_follow_is_found(
    options: ChatOptions, lacking: ModelAbilities | None, name: str
) -> None:
    lack = lack_of(model(lacking or ABLE), needs_of(options, ()))
    assert lack is not None
    assert (lack.reason, lack.name) == (Reason.OPTION_UNSUPPORTED, name)
    if lacking is not None:
        assert lack_of(model(ABLE), needs_of(options, ())) is None


def test_what_is_the_default_needs_no_ability() -> None:
    options = ChatOptions(
        parallel_tool_calls=True, service_tier=ServiceTier.STANDARD, max_output_tokens=100, cache=True
    )
    assert lack_of(model(ModelAbilities()), needs_of(options, (TextPart("Hi"), ToolResultPart("call")))) is None


@pytest.mark.parametrize(
    ("part", "lacking", "name"),
    [
        (ImagePart(FILE), replace(ABLE, reads=frozenset(PartKind) - {PartKind.IMAGE}), "image"),
        (DocumentPart(FILE), replace(ABLE, reads=frozenset(PartKind) - {PartKind.DOCUMENT}), "document"),
        (AudioPart(FILE), replace(ABLE, reads=frozenset(PartKind) - {PartKind.AUDIO}), "audio"),
        (ImagePart(msgspec.structs.replace(FILE, media_type="image/gif")), replace(ABLE, gifs=False), "gif"),
        (ImagePart(LINK), replace(ABLE, urls=False), "url"),
        (DocumentPart(LINK), replace(ABLE, urls=False), "url"),
        (ToolResultPart("c", (ImagePart(FILE),)), replace(ABLE, reads=frozenset({PartKind.TEXT})), "image"),
    ],
)
def test_a_part_that_a_model_cannot_read_is_found(part: Part, lacking: ModelAbilities, name: str) -> None:
    lack = lack_of(model(lacking), needs_of(ChatOptions(), (TextPart("Hi"), part)))
    assert lack is not None
    assert (lack.reason, lack.name) == (Reason.PART_UNSUPPORTED, name)
    assert lack_of(model(ABLE), needs_of(ChatOptions(), (part,))) is None
    error = refusal(model(lacking), lack, ["a", "b"])
    assert error.metadata == {"model": "m", "part": name, "models": "a,b"}
    assert "a,b" in error.message
