"""What vendors say beside an HTTP status that is no success, in a form that their SDKs can read whatever was sent.

Bodies come cut off, endless, compressed unasked, in any encoding, as pages or as nothing: none of that may hide the
status.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Mapping
from contextlib import suppress

import aiohttp

MOST_BYTES = 64 * 1024
# The status has come: for its explanation nobody waits longer.
_LONGEST_SECONDS = 5.0
# Takes gzip's and zlib's frame alike.
_ANY_FRAME = zlib.MAX_WBITS | 32


async def read_error_body(response: aiohttp.ClientResponse) -> dict[str, object]:
    """The JSON object that the response holds, as far as it comes and can be read; empty where it is none."""
    content = bytearray()
    with suppress(aiohttp.ClientError, OSError):
        async with asyncio.timeout(_LONGEST_SECONDS):
            while len(content) < MOST_BYTES and (chunk := await response.content.read(MOST_BYTES - len(content))):
                content += chunk
    return parse_error_body(bytes(content), response.headers)


def parse_error_body(content: bytes, headers: Mapping[str, str]) -> dict[str, object]:
    """The JSON object in `content`; of a list the first element, and of plain text a `message`."""
    text = _plain(content).decode(errors="replace").removeprefix("\ufeff").strip()
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        # A page is for people who look at the vendor's site, and not for those who chat here.
        told = text if headers.get("content-type", "").startswith("text/plain") else None
    if isinstance(told, list) and told:
        told = told[0]
    if isinstance(told, str):
        return {"message": told}
    return told if isinstance(told, dict) else {}


def _plain(content: bytes) -> bytes:
    """The content as it was before it was compressed, whatever its header says; a part of it where it is large."""
    if not content.startswith((b"\x1f\x8b", b"\x78")):
        return content
    try:
        return zlib.decompressobj(_ANY_FRAME).decompress(content, MOST_BYTES)
    except zlib.error:
        return content
