"""Promise 6 for requests of every kind: within what its vendor documents, no turn costs more than its hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

from aichat_server.content.parts import DocumentPart, ImagePart, Link, Part, Role, StoredFile, TextPart, ToolResultPart
from aichat_server.generations.domain.options import percent_of, read_options, stored_options, with_percent
from aichat_server.generations.domain.sinks import Question
from aichat_server.generations.service.requests import GenerationRequest
from aichat_server.identity.domain.principals import Principal
from aichat_server.models.domain.media import rates_of
from aichat_server.models.domain.models import Model, ServiceTier
from aichat_server.models.domain.pricing import FRAMING_TOKENS, cost
from aichat_server.models.domain.usage import INPUT_KINDS, Usage
from aichat_server.models.gateway import load_catalogue
from aichat_server.plans.domain import Plan
from aichat_server.providers.domain.requests import (
    ChatOptions,
    PathMessage,
    ResponseFormat,
    Tool,
    ToolChoice,
    ToolChoiceMode,
    WebSearch,
    added_tokens,
    estimated_tokens,
    texts_of,
)
from aichat_server.providers.service.models import most_searches, output_limit, tier_percent
from aichat_server.settings import DEFAULT_MODELS
from hypothesis import given
from hypothesis import strategies as st

MODELS = [model for model in load_catalogue(DEFAULT_MODELS).values() if model.embedding is None]
PRINCIPAL = Principal(uuid4(), uuid4(), plan=Plan.TEAM)
IMAGE = ImagePart(StoredFile("0" * 64, "image/png", 1000, 1920, 1080))
PDF = DocumentPart(StoredFile("0" * 64, "application/pdf", 100_000, pages=30), title="Paper")
NOTES = DocumentPart(StoredFile("0" * 64, "text/plain", 300_000))
LINKED = DocumentPart(Link("https://example.com/a.pdf"))
RESULT = ToolResultPart("call_1", (TextPart("12 °C"), IMAGE))

parts = st.lists(st.sampled_from([TextPart("Grüße"), IMAGE, PDF, NOTES, LINKED, RESULT]), min_size=1, max_size=6)
options = st.builds(
    ChatOptions,
    max_output_tokens=st.one_of(st.none(), st.integers(1, 60_000)),
    system_prompt=st.sampled_from(["", "Be brief."]),
    tools=st.lists(st.just(Tool("look_up", "Looks up.", '{"type": "object"}')), max_size=3).map(tuple),
    response_format=st.one_of(st.none(), st.just(ResponseFormat('{"type": "object"}'))),
    web_search=st.one_of(st.none(), st.builds(WebSearch, st.integers(1, 20))),
    service_tier=st.one_of(st.none(), st.sampled_from(ServiceTier)),
)


def asking(model: Model, chosen: ChatOptions, said: list[Part], *, follows: bool) -> GenerationRequest:
    """Returns a request that is never launched, so that nobody is asked."""
    question: Question = None  # type: ignore[assignment]
    return GenerationRequest(PRINCIPAL, [model], question, (PathMessage(Role.USER, tuple(said)),), follows, chosen)


@given(
    st.sampled_from(MODELS),
    options,
    parts,
    st.booleans(),
    st.lists(st.floats(0, 1), min_size=len(INPUT_KINDS), max_size=len(INPUT_KINDS)),
)
def test_no_turn_costs_more_than_its_hold_within_its_vendors_arithmetic(
    model: Model, chosen: ChatOptions, said: list[Part], follows: bool, shares: list[float]
) -> None:
    request = asking(model, chosen, said, follows=follows)
    most = sum(len(text.encode()) for text in (*chosen.texts, *texts_of(request.asked))) + FRAMING_TOKENS
    most += rates_of(model.provider, model.vendor_model).most(said) + added_tokens(chosen, follows=follows)
    # What is longer than the context is refused by the vendor; what searches find may fill it.
    most = model.context_window if chosen.web_search else min(most, model.context_window)
    kinds: dict[str, Any] = {
        kind.name: int(most * share / max(sum(shares), 1)) for kind, share in zip(INPUT_KINDS, shares, strict=True)
    }
    answered = Usage(
        output=output_limit(model, chosen),
        web_searches=most_searches(model, chosen),
        percent=model.most_percent * tier_percent(model, chosen) // 100,
    )
    hold = request.beginning().hold
    assert hold.most is not None
    assert cost(model.prices, replace(answered, **kinds)) <= min(hold.known, hold.most)


@given(options, parts)
def test_what_is_estimated_is_never_more_than_what_is_held(chosen: ChatOptions, said: list[Part]) -> None:
    for model in MODELS:
        rates = rates_of(model.provider, model.vendor_model)
        request = asking(model, chosen, said, follows=False)
        estimated = Usage(input=estimated_tokens(chosen, request.asked, rates))
        assert (
            cost(model.prices[:1], replace(estimated, percent=tier_percent(model, chosen)))
            <= request.beginning().hold.known
        )


def test_rate_limits_count_what_is_shown_up_to_the_context() -> None:
    (model,) = [model for model in MODELS if model.id == "claude-opus-5-5"]
    messages: list[list[Part]] = [[TextPart("Hi")], [TextPart("Hi"), IMAGE], [TextPart("Hi"), LINKED]]
    brief = ChatOptions(max_output_tokens=100)
    text, shown, linked = [asking(model, brief, said, follows=False).most_tokens() for said in messages]
    assert text == 101
    assert shown - text == rates_of(model.provider, model.id).estimate([IMAGE])
    assert linked == model.context_window + 100


def test_stored_options_are_read_as_they_were_and_with_their_price() -> None:
    chosen = ChatOptions(
        max_output_tokens=10,
        temperature=1.0,
        stop=("END",),
        tools=(Tool("f", parameters="{}"),),
        tool_choice=ToolChoice(ToolChoiceMode.ONE, "f"),
        web_search=WebSearch(2, ("example.com",)),
        service_tier=ServiceTier.PRIORITY,
        cache=False,
    )
    stored = with_percent(stored_options(chosen, cancel_on_disconnect=True), 200)
    assert (read_options(stored), percent_of(stored)) == (chosen, 200)
    assert read_options({"system_prompt": "Hi", "stop": 5}) == ChatOptions(system_prompt="Hi")
    assert percent_of(with_percent({}, 100)) == 100
