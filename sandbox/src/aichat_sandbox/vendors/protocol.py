"""What each vendor's stand-in gives the server: how to read a request, and the bytes of a reply."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web

from .script import Asked, Script, limited, tokens


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply, before it is put into a vendor's words."""

    asked: Asked
    script: Script
    deltas: tuple[str, ...]
    stop: str
    """end_turn, max_tokens, stop_sequence or refusal."""
    stop_sequence: str | None
    input_tokens: int
    reasoning_tokens: int
    output_tokens: int
    """Reasoning included."""

    @classmethod
    def to(cls, asked: Asked, script: Script) -> Reply:
        """What `script` replies to `asked`, within its limits."""
        deltas, stop, stop_sequence = limited(asked, script)
        reasoning = tokens(script.reasoning)
        output = reasoning + tokens(deltas)
        return cls(asked, script, deltas, stop, stop_sequence, tokens(asked.texts), reasoning, output)


@dataclass(frozen=True, slots=True)
class Frames:
    """A reply's bytes: `opening`, then `deltas` one by one, then `closing`."""

    opening: bytes
    deltas: tuple[bytes, ...]
    closing: bytes
    error: bytes
    """An error event, to send instead of what is left."""
    usage: Mapping[str, Any]
    """What is billed for the whole reply, in the vendor's words; said in `closing`, if that says any."""


class Vendor(Protocol):
    """One vendor's protocol."""

    name: str

    def key(self, request: web.Request) -> str:
        """The API key that came with the request; empty if none did."""

    def asked(self, request: web.Request, body: Mapping[str, Any]) -> Asked:
        """What the body asks for; KeyError, TypeError or ValueError if it is no request of this vendor."""

    def frames(self, reply: Reply) -> Frames:
        """The reply in this vendor's words."""

    def failure(self, status: int, message: str, retry_after: float | None) -> web.Response:
        """An HTTP error in this vendor's shape."""


def encoded(value: object) -> bytes:
    """Compact JSON: UTF-8, or escaped where the text has no UTF-8 (a lone surrogate)."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def error_response(status: int, body: object, retry_after: float | None = None) -> web.Response:
    """An error response; `retry_after` becomes the header, where given."""
    headers = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
    return web.Response(status=status, body=encoded(body), headers=headers, content_type="application/json")
