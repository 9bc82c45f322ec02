"""Which text can be shown, stored and sent to any vendor."""

from __future__ import annotations


def is_blank(text: str) -> bool:
    """Whether the text is empty or only white space, Unicode's included: vendors refuse it as a message."""
    return not text or text.isspace()


def storable(text: str) -> str:
    """Returns `text` as UTF-8, Postgres and protobuf can store it: no NUL, and U+FFFD for a lone surrogate.

    Two surrogates that form a pair are joined to their character.
    """
    if "\0" in text:
        text = text.replace("\0", "")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
