"""What is typed into a conversation and is meant for the command itself: it is not sent, and costs nothing."""

from __future__ import annotations

from enum import Enum, auto

HELP = """\
What you type goes to the model, and these do not:
  /help   shows this
  exit    ends the conversation, as Ctrl-D does; so do quit, /exit and /quit
Ctrl-C stops an answer."""


class Typed(Enum):
    """Whom a line is meant for."""

    NOTHING = auto()
    MODEL = auto()
    END = auto()
    HELP = auto()
    UNKNOWN = auto()


def read(line: str) -> Typed:
    """Tells whom a line is meant for. A slash and one word is a command, if a mistyped one; a sentence is none."""
    word = line.strip().lower()
    if not word:
        return Typed.NOTHING
    if word in {"exit", "quit", "/exit", "/quit"}:
        return Typed.END
    if word in {"/help", "/?"}:
        return Typed.HELP
    return Typed.UNKNOWN if word.startswith("/") and word[1:].isalpha() else Typed.MODEL
