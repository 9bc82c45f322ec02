"""Recognizes lines of a conversation that are commands: they are not sent, and cost nothing."""

from __future__ import annotations

from enum import Enum, auto

HELP = """\
What you type goes to the model, except for these commands:
  /help   shows this text
  exit    ends the conversation, as Ctrl-D does; so do quit, /exit and /quit
Ctrl-C stops an answer."""


class Typed(Enum):
    """What a typed line is."""

    NOTHING = auto()
    MODEL = auto()
    END = auto()
    HELP = auto()
    UNKNOWN = auto()


def read(line: str) -> Typed:
    """Classifies a line. A slash and one word is a command, even if mistyped; a sentence is not."""
    word = line.strip().lower()
    if not word:
        return Typed.NOTHING
    if word in {"exit", "quit", "/exit", "/quit"}:
        return Typed.END
    if word in {"/help", "/?"}:
        return Typed.HELP
    return Typed.UNKNOWN if word.startswith("/") and word[1:].isalpha() else Typed.MODEL
