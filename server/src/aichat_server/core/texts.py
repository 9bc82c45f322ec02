"""What text can be shown, stored and sent to any vendor."""

from __future__ import annotations


def is_blank(text: str) -> bool:
    """No text, or white space alone, Unicode's included: vendors refuse it as a message, and nobody sees it."""
    return not text or text.isspace()


def storable(text: str) -> str:
    """`text` as UTF-8, Postgres and protobuf can hold it: no NUL, and U+FFFD for half a character.

    Two halves that follow each other are joined to the character that they are.
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
