"""How many tokens images, documents and audio have, by what each vendor documents (read in November 2026).

The counts are rounded up: a vendor counts at most as many. What is read from a URL counts as the largest that its
vendor accepts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from aichat_server.content.parts import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Link,
    Part,
    StoredFile,
    ToolResultPart,
)
from aichat_server.models.domain.usage import BYTES_PER_TOKEN

MOST_PER_MESSAGE = 2_000_000
"""More tokens than any vendor's context has."""

_FRAMING = 16
"""More tokens than any vendor adds to a part: its name and its borders."""
_PAGE_TEXT = 3_000
"""The text of a page of a PDF: Anthropic documents 1,500 to 3,000 tokens."""
_AUDIO = 32
"""For a second: Gemini's. OpenAI documents ten."""

# Up to Gemini 2.5: the tokens of a crop of an image, and the longest side of an image that is not cut.
_CROP, _WHOLE = 258, 384

ImageRule: TypeAlias = Callable[[int, int], int]
"""Returns the tokens of an image with this width and height in pixels."""


@dataclass(frozen=True, slots=True)
class MediaRates:
    """How a model's vendor counts media, at most."""

    image: ImageRule
    most_image: int
    """The tokens of the largest image."""
    page: int
    """The tokens of a page of a PDF."""
    most_pages: int
    """The most pages that a document from a URL may have."""

    def most(self, parts: Iterable[Part]) -> int:
        """Returns the most tokens that the vendor counts for the media of `parts`; 0 for parts that are none."""
        return sum(self._tokens(part, bytes_per_token=1) for part in parts)

    def estimate(self, parts: Iterable[Part]) -> int:
        """Returns about how many tokens the vendor counts for the media of `parts`."""
        return sum(self._tokens(part, bytes_per_token=BYTES_PER_TOKEN) for part in parts)

    def _tokens(self, part: Part, bytes_per_token: int) -> int:
        match part:
            case ImagePart(source):
                return _FRAMING + self._image(source)
            case DocumentPart(source):
                return _FRAMING + self._document(source, bytes_per_token)
            case AudioPart(source):
                return _FRAMING + _AUDIO * source.seconds
            case ToolResultPart(parts=inner):
                return sum(self._tokens(one, bytes_per_token) for one in inner)
            case _:
                return 0

    def _image(self, source: StoredFile | Link) -> int:
        if isinstance(source, Link) or not source.width or not source.height:
            return self.most_image
        return min(self.image(source.width, source.height), self.most_image)

    def _document(self, source: StoredFile | Link, bytes_per_token: int) -> int:
        if isinstance(source, Link):
            return self.most_pages * self.page
        return source.pages * self.page if source.pages else -(-source.size // bytes_per_token)


def _squares(width: int, height: int, *, side: int, permille: int = 1000, base: int = 0) -> int:
    """The image is cut into squares, the last ones incomplete."""
    columns, rows = -(-width // side), -(-height // side)
    return base + -(-columns * rows * permille // 1000)


def _claude(width: int, height: int) -> int:
    """Anthropic names both rules: a token for 28 x 28 pixels, and for 750 pixels."""
    return max(_squares(width, height, side=28), -(-width * height // 750))


def _crops(width: int, height: int) -> int:
    """Up to Gemini 2.5: an image of at most 384 x 384 is whole; others are cut into squares of 256 to 768 pixels."""
    if max(width, height) <= _WHOLE:
        return _CROP
    side = min(768, max(256, min(width, height) * 2 // 3))
    return _CROP * _squares(width, height, side=side)


def _fixed(_width: int, _height: int, *, tokens: int) -> int:
    return tokens


def _patched(permille: int, most: int) -> MediaRates:
    """OpenAI's patches of 32 x 32 pixels, at most `most` of them; a page is shown as an image of high detail."""
    page = -(-min(most, 2_500) * permille // 1000)
    rule = partial(_squares, side=32, permille=permille)
    return MediaRates(rule, -(-most * permille // 1000), _PAGE_TEXT + page, 1_000)


def _tiled(base: int, tile: int) -> MediaRates:
    """OpenAI's tiles of 512 x 512 pixels, in an image of at most 768 x 2048."""
    most = base + 8 * tile
    return MediaRates(partial(_squares, side=512, permille=1000 * tile, base=base), most, _PAGE_TEXT + most, 1_000)


def _gemini(rule: ImageRule, most: int, page: int) -> MediaRates:
    return MediaRates(rule, most, page, 1_000)


def _most_image(width: int, height: int, *, of: tuple[MediaRates, ...]) -> int:
    return max(min(rates.image(width, height), rates.most_image) for rates in of)


def _most_of(*of: MediaRates) -> MediaRates:
    return MediaRates(
        partial(_most_image, of=of),
        max(rates.most_image for rates in of),
        max(rates.page for rates in of),
        max(rates.most_pages for rates in of),
    )


_SMALL_CLAUDE = MediaRates(_claude, 1_600, _PAGE_TEXT + 1_600, 600)
_LARGE_CLAUDE = MediaRates(_claude, 4_784, _PAGE_TEXT + 4_784, 600)
_OLD_GEMINI = _gemini(_crops, _CROP * 11 * 11, _CROP)
# OpenAI's first reasoning models cut into tiles, and their small ones into patches.
_OLD_GPT = _most_of(_tiled(75, 150), _patched(2460, 1_536))
# The longest matching prefix of the vendor's id applies.
_RATES: dict[str, dict[str, MediaRates]] = {
    "anthropic": {
        "": _LARGE_CLAUDE,
        "claude-3": _SMALL_CLAUDE,
        **{f"claude-{name}-4-{n}": _SMALL_CLAUDE for name in ("opus", "sonnet", "haiku") for n in (0, 1, 2, 5, 6)},
    },
    "openai": {
        "": _patched(1200, 10_000),
        "gpt-4": _tiled(85, 170),
        "gpt-4o-mini": _tiled(2_833, 5_667),
        "gpt-4.1-mini": _patched(1620, 1_536),
        "gpt-4.1-nano": _patched(2460, 1_536),
        "gpt-5": _OLD_GPT,
        "gpt-5.": _patched(1200, 10_000),
        "gpt-5.1": _OLD_GPT,
        "gpt-5.2": _OLD_GPT,
        "gpt-5.4-mini": _patched(1620, 10_000),
        "gpt-5.4-nano": _patched(2460, 10_000),
        "o": _OLD_GPT,
    },
    "gemini": {
        "": _gemini(partial(_fixed, tokens=1_120), 1_120, 1_120),
        "gemini-1": _OLD_GEMINI,
        "gemini-2": _OLD_GEMINI,
    },
}
# An endpoint that is not known may run any model: Qwen's count as Claude's do, up to 16,384 tokens.
_ANY = _most_of(*_RATES["anthropic"].values(), _RATES["openai"][""], _tiled(85, 170), MediaRates(_claude, 16_384, 0, 0))
MOST_RATES = _most_of(_ANY, *dict.fromkeys(rates for models in _RATES.values() for rates in models.values()))
"""The most that any vendor counts."""


def rates_of(provider: str, model: str) -> MediaRates:
    """Returns how the vendor counts media for a model.

    `model`: the vendor's own id.
    """
    models = _RATES.get(provider)
    if models is None:
        return _ANY
    return models[max((prefix for prefix in models if model.startswith(prefix)), key=len)]


def most_media_tokens(parts: Iterable[Part]) -> int:
    """Returns the most tokens that any vendor counts for the media of a message's `parts`."""
    return min(MOST_RATES.most(parts), MOST_PER_MESSAGE)
