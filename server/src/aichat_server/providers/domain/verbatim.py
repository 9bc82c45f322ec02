"""Requests in a vendor's own protocol. They go to it as they were sent, and the answer comes back as it was sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from aichat_server.core.errors import AichatError, Reason
from aichat_server.models.domain.usage import BYTES_PER_TOKEN


class VendorApi(StrEnum):
    """The APIs that both vendors and this platform speak."""

    MESSAGES = "messages"
    """Anthropic's."""
    RESPONSES = "responses"
    """OpenAI's."""
    CHAT_COMPLETIONS = "chat_completions"
    """OpenAI's, and that of compatible endpoints."""


@dataclass(frozen=True, slots=True)
class SentRequest:
    """A request as its caller sent it."""

    api: VendorApi
    model: str
    """The model's id in the caller's words, which the answer repeats."""
    fields: Mapping[str, msgspec.Raw]
    """The body. What is not known of it goes to the vendor like the rest."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Those that are for the vendor, by lower-case names."""
    text_bytes: int = 0
    """More bytes than all texts of the body have, in UTF-8: images and other media do not count."""
    streams: bool = False
    """Whether the caller wants a stream. The vendor always streams."""
    wants_usage: bool = True
    """Whether a stream of Chat Completions is to end with its usage."""

    @property
    def estimated_tokens(self) -> int:
        """About how many tokens the vendor counts for the texts."""
        return -(-self.text_bytes // BYTES_PER_TOKEN)


class VendorRefusalError(AichatError):
    """The vendor refused the caller's request, and said why."""

    def __init__(self, status: int, body: bytes) -> None:
        """`status`: of its HTTP response; `body`: JSON."""
        super().__init__(Reason.PROVIDER_REQUEST_REJECTED, "the vendor refused the request")
        self.status = status
        self.body = body
