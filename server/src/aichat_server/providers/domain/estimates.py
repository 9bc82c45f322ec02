"""How many tokens a prompt has at most: for vendors that cannot count, and to see cheaply that a prompt is short."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from string import ascii_letters

from aichat_server.content.parts import ToolCallPart
from aichat_server.models.domain.media import MediaRates
from aichat_server.models.domain.pricing import FRAMING_TOKENS
from aichat_server.providers.domain.requests import ChatOptions, PathMessage, added_tokens, texts_of

LETTERS_PER_TOKEN = 3
"""Fewer ASCII letters and spaces than a token of any natural language has: English has more than four."""
BYTES_PER_TOKEN = 2
"""The same for the bytes of other scripts, in UTF-8: a Chinese character has three, and one token at most."""
MESSAGE_TOKENS = 8
"""More than vendors add to a message."""

_WORDS = f"{ascii_letters} ".encode()
_OTHER_SCRIPTS = bytes(range(128, 256))


def most_text_tokens(text: str) -> int:
    """Returns more than any vendor counts for a text that is not random: each digit and sign counts as a token."""
    data = text.encode()
    signs = data.translate(None, _WORDS)
    others = 0 if text.isascii() else len(signs) - len(signs.translate(None, _OTHER_SCRIPTS))
    words = len(data) - len(signs)
    return -(-words // LETTERS_PER_TOKEN) - (-others // BYTES_PER_TOKEN) + len(signs) - others


def most_message_tokens(message: PathMessage, media: MediaRates) -> int:
    """Returns more than the vendor counts for a message. `media`: how it counts media."""
    return MESSAGE_TOKENS + sum(map(most_text_tokens, texts_of((message,)))) + media.most(message.parts)


def most_option_tokens(options: ChatOptions, messages: Iterable[PathMessage]) -> int:
    """Returns more than any vendor adds to `messages` for the options of a request."""
    calls = any(isinstance(part, ToolCallPart) for message in messages for part in message.parts)
    return FRAMING_TOKENS + sum(map(most_text_tokens, options.texts)) + added_tokens(options, follows=calls)


def most_tokens(options: ChatOptions, messages: Sequence[PathMessage], media: MediaRates) -> int:
    """Returns more than the vendor counts as the input of a request."""
    return most_option_tokens(options, messages) + sum(most_message_tokens(message, media) for message in messages)
