"""What a call of a compatible API asks, in the platform's own terms."""

from __future__ import annotations

from dataclasses import dataclass

from aichat_server.providers.domain.requests import ChatOptions, PathMessage
from aichat_server.providers.domain.verbatim import SentRequest


@dataclass(frozen=True, slots=True)
class Asked:
    """A model, and the conversation that it is shown: these APIs send all of it with each call."""

    model: str
    messages: tuple[PathMessage, ...]
    """The files in them may have their bytes (AskedFile)."""
    options: ChatOptions
    cache_key: str = ""
    """The same for calls that begin alike: the vendor finds what it has cached by it. Empty: none."""
    sent: SentRequest | None = None
    """What goes to the vendor as it was sent, if the vendor speaks this API: `messages` then has its media alone."""
