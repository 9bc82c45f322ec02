"""Reads the bodies of HTTP errors into a form that their SDKs accept, whatever was sent.

Bodies may be truncated, endless, compressed without request, in any encoding, web pages, or empty: none of that may
hide the status.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Mapping
from contextlib import suppress

import aiohttp

MOST_BYTES = 64 * 1024
# The status has arrived: nobody waits longer for its explanation.
_LONGEST_SECONDS = 5.0
# Accepts both gzip's and zlib's frame.
_ANY_FRAME = zlib.MAX_WBITS | 32


async def read_error_body(response: aiohttp.ClientResponse) -> bytes:
    """Returns the response's body, as far as it arrives."""
    content = bytearray()
    with suppress(aiohttp.ClientError, OSError):
        async with asyncio.timeout(_LONGEST_SECONDS):
            while len(content) < MOST_BYTES and (chunk := await response.content.read(MOST_BYTES - len(content))):
                content += chunk
    return bytes(content)


def parse_error_body(content: bytes, headers: Mapping[str, str]) -> dict[str, object]:
    """Returns the JSON object in `content`; of a list the first element, and plain text as `message`."""
    text = _plain(content).decode(errors="replace").removeprefix("\ufeff").strip()
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        # A web page is for visitors of the vendor's site, not for our users.
        told = text if headers.get("content-type", "").startswith("text/plain") else None
    if isinstance(told, list) and told:
        told = told[0]
    if isinstance(told, str):
        return {"message": told}
    return told if isinstance(told, dict) else {}


def _plain(content: bytes) -> bytes:
    """Returns the decompressed content, whatever its header says; a part of it if it is large."""
    if not content.startswith((b"\x1f\x8b", b"\x78")):
        return content
    try:
        return zlib.decompressobj(_ANY_FRAME).decompress(content, MOST_BYTES)
    except zlib.error:
        return content
