"""The interface of each vendor's stand-in: how to read a request, and the bytes of a reply."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web

from .asked import Asked
from .reply import Reply


@dataclass(frozen=True, slots=True)
class Frames:
    """The bytes of a reply: `opening`, then `deltas` one by one, then `closing`."""

    opening: bytes
    deltas: tuple[bytes, ...]
    """Of text, then of tool calls' arguments, each with what stands around it."""
    closing: bytes
    error: bytes
    """An error event that replaces the rest."""
    usage: Mapping[str, Any]
    """The usage billed for the whole reply, in the vendor's form; `closing` has it if it has any."""


class Vendor(Protocol):
    """One of a vendor's protocols."""

    name: str
    """The vendor's name in the catalogue."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Where it streams answers, as aiohttp's routes."""

    @property
    def counting_paths(self) -> tuple[str, ...]:
        """Where it counts tokens, for the same body."""

    def key(self, request: web.Request) -> str:
        """Returns the request's API key; empty without one."""

    def asked(self, request: web.Request, body: Mapping[str, Any]) -> Asked:
        """Returns what the body asks for.

        Raises KeyError, TypeError or ValueError if the vendor would refuse it, with the vendor's words if they matter.
        """

    def frames(self, reply: Reply) -> Frames:
        """Returns the reply in this vendor's form."""

    def counted(self, asked: Asked) -> object:
        """Returns the number of tokens in this vendor's form."""

    def failure(self, status: int, message: str, retry_after: float | None) -> web.Response:
        """Returns an HTTP error in this vendor's form."""


def encoded(value: object) -> bytes:
    """Encodes compact JSON: UTF-8, or escaped if the text has no UTF-8 form (a lone surrogate)."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        return json.dumps(value, separators=(",", ":")).encode()


def error_response(status: int, body: object, retry_after: float | None = None) -> web.Response:
    """Returns an error response; `retry_after`, if given, becomes the header."""
    headers = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
    return web.Response(status=status, body=encoded(body), headers=headers, content_type="application/json")
