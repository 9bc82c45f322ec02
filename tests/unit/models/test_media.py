"""Promise 6 for images, documents and audio: what vendors document about their tokens, rounded up."""

from __future__ import annotations

import pytest
from aichat_server.content.parts import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Link,
    Part,
    StoredFile,
    TextPart,
    ToolResultPart,
)
from aichat_server.models.domain.media import MOST_PER_MESSAGE, most_media_tokens, rates_of
from hypothesis import given
from hypothesis import strategies as st

MODELS = [
    ("anthropic", "claude-opus-5-5"),
    ("anthropic", "claude-sonnet-4-5-20250929"),
    ("openai", "gpt-6-luna"),
    ("openai", "gpt-4o"),
    ("openai", "gpt-4o-mini"),
    ("openai", "gpt-5"),
    ("openai", "gpt-5.4-nano"),
    ("openai", "o3"),
    ("gemini", "gemini-4-argon"),
    ("gemini", "gemini-2.5-pro"),
    ("an-endpoint", "qwen-vl"),
]


def image(width: int, height: int) -> ImagePart:
    """Returns a stored image."""
    return ImagePart(StoredFile("0" * 64, "image/png", 1000, width, height))


def pdf(pages: int) -> DocumentPart:
    """Returns a stored PDF."""
    return DocumentPart(StoredFile("0" * 64, "application/pdf", 1000, pages=pages))


TEXT = DocumentPart(StoredFile("0" * 64, "text/plain", 1001))
SOUND = AudioPart(StoredFile("0" * 64, "audio/wav", 1000, seconds=60))


@pytest.mark.parametrize(
    ("provider", "model", "part", "documented"),
    [
        # Anthropic's examples: width x height / 750, and 28 x 28 pixels a token.
        ("anthropic", "claude-opus-5-5", image(1000, 1000), 1_334),
        ("anthropic", "claude-opus-5-5", image(2000, 1500), 4_000),
        ("anthropic", "claude-opus-5-5", image(8000, 8000), 4_784),
        ("anthropic", "claude-sonnet-4-5", image(8000, 8000), 1_600),
        ("anthropic", "claude-sonnet-4-5", pdf(3), 3 * (3_000 + 1_600)),
        # OpenAI's examples: 1024 x 1024 are four tiles, or 1024 patches.
        ("openai", "gpt-4o", image(1024, 1024), 765),
        ("openai", "gpt-4o-mini", image(1024, 1024), 25_501),
        ("openai", "gpt-6-luna", image(1024, 1024), 1_229),
        ("openai", "gpt-6-luna", image(1, 33), 3),
        ("openai", "gpt-6.1-sol", ImagePart(Link("https://example.com/a.png")), 12_000),
        # Google's examples: 258 for small images and pages, and for each crop of others; later models have one count.
        ("gemini", "gemini-2.5-pro", image(384, 384), 258),
        ("gemini", "gemini-2.5-pro", image(960, 540), 6 * 258),
        ("gemini", "gemini-2.5-pro", pdf(10), 2_580),
        ("gemini", "gemini-4-argon", image(960, 540), 1_120),
        ("gemini", "gemini-4-argon", SOUND, 1_920),
        ("gemini", "gemini-4-argon", TEXT, 1_001),
        ("gemini", "gemini-4-argon", TextPart("Hello"), 0),
    ],
)
def test_each_vendor_counts_as_it_documents(provider: str, model: str, part: Part, documented: int) -> None:
    media = 0 if isinstance(part, TextPart) else 1
    framing = rates_of("gemini", "gemini-4-argon").most([AudioPart(StoredFile("0" * 64, "audio/wav", 1))])
    assert rates_of(provider, model).most([part]) == documented + media * framing


def test_a_text_is_held_by_the_byte_and_estimated_by_four() -> None:
    rates = rates_of("openai", "gpt-6-luna")
    assert rates.most([TEXT]) - rates.estimate([TEXT]) == 1_001 - 251


sides = st.integers(1, 8_000)
media = st.one_of(
    st.builds(image, sides, sides),
    st.builds(pdf, st.integers(1, 600)),
    st.just(TEXT),
    st.just(SOUND),
    st.just(ImagePart(Link("https://example.com/a.png"))),
    st.just(DocumentPart(Link("https://example.com/a.pdf"))),
)


@given(st.lists(media, max_size=8))
def test_a_history_is_counted_as_the_dearest_vendor_counts_it_also_within_results(parts: list[Part]) -> None:
    most = most_media_tokens(parts)
    counts = [rates_of(provider, model).most(parts) for provider, model in MODELS]
    assert all(min(count, MOST_PER_MESSAGE) <= most for count in counts)
    inner = tuple(part for part in parts if not isinstance(part, AudioPart))
    assert most_media_tokens([ToolResultPart("call", inner)]) == most_media_tokens(inner)  # type: ignore[arg-type]
    assert all(rates_of(*name).estimate(parts) <= rates_of(*name).most(parts) for name in MODELS)
