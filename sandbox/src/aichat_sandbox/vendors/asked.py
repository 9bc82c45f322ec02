"""A request to a stand-in, in terms that all vendors share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

MARK = "#script "


@dataclass(frozen=True, slots=True)
class Offered:
    """A tool that the model may call."""

    name: str
    schema: Any = None
    """The JSON Schema of its arguments."""
    namespace: str | None = None
    """What groups it with others; its calls name it, too."""
    takes_text: bool = False
    """Whether its input is a text instead of arguments."""


@dataclass(frozen=True, slots=True)
class Said:
    """One message of the user's: the texts, and the texts of tool results."""

    texts: tuple[str, ...] = ()
    results: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """A request."""

    model: str
    texts: tuple[str, ...]
    """All texts of the input that are counted."""
    question: str
    """The last user text, see `last_question`."""
    rounds: int = 0
    """How many messages of tool results followed it."""
    results: tuple[str, ...] = ()
    """The texts of the results in the last of them."""
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    wants_usage: bool = True
    wants_reasoning: bool = False
    tools: tuple[Offered, ...] = ()
    """The tools that may be called: none if the request says so, and one if it says which."""
    must_call: bool = False
    schema: Any = None
    """The JSON Schema of the answer; None for text."""
    images: int = 0
    documents: int = 0
    media_tokens: int = 0
    """The tokens of the images and documents."""
    cache_read: int = 0
    """How many of the input's tokens were read from a cache."""
    cache_write: int = 0
    """How many of the input's tokens were written to one."""
    tier: str = ""
    """The class of service that is asked for, in the vendor's own word; empty: the standard one."""
    bound_to: str = ""
    """What the vendor's marks on its answer depend on."""

    @property
    def tokens(self) -> int:
        """The tokens of the whole input."""
        return tokens(self.texts) + self.media_tokens


def last_question(said: Iterable[Said]) -> tuple[str, int, tuple[str, ...]]:
    """Returns the last text of the user's, the number of messages of tool results behind it, and the last results.

    In a message of several texts it is a script, if there is one. Texts beside results are no question without one.
    """
    question, rounds = "", 0
    results: tuple[str, ...] = ()
    for message in said:
        scripts = [text for text in message.texts if text.startswith(MARK)]
        if scripts or (message.texts and not message.results):
            question, rounds, results = (scripts or message.texts)[-1], 0, ()
        elif message.results:
            rounds, results = rounds + 1, message.results
    return question, rounds, results


def tokens(texts: Sequence[str]) -> int:
    """Estimates a vendor's token count: four characters a token, at least one for each text."""
    return sum(-(-len(text) // 4) for text in texts)
