"""The media in a request that goes to its vendor as it was sent: what they cost is not by their bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from aichat_server.core.errors import invalid_request

MOST_OBJECTS = 500_000
"""The most opening braces of a body."""
_DEEPEST = 8

_NULL = msgspec.Raw(b"null")
_Raw = msgspec.Raw


class Media(NamedTuple):
    """An image, a document or sound."""

    kind: str
    """"image", "document" or "audio"."""
    field: str
    """Where the request has it."""
    base64: str = ""
    """Its bytes; empty if it has a URL."""


class _Node(msgspec.Struct):
    """Any object within the messages, as far as media are concerned."""

    type: Any = None
    content: _Raw = _NULL
    source: _Raw = _NULL
    output: _Raw = _NULL
    image_url: _Raw = _NULL
    file: _Raw = _NULL
    input_audio: _Raw = _NULL
    data: Any = None
    url: Any = None
    file_data: Any = None
    file_url: Any = None
    file_id: Any = None


_KINDS = {
    "image": "image", "image_url": "image", "input_image": "image", "computer_screenshot": "image",
    "document": "document", "file": "document", "input_file": "document", "input_audio": "audio",
}  # fmt: skip
_MADE = ("code_execution_output", "bash_code_execution_output")
"""They name files that a program of the vendor's has made. It made them, and no model reads them for that."""
_INNER = ("content", "source", "output", "image_url", "file", "input_audio")
_BYTES, _LINKS = ("data", "file_data"), ("url", "file_url")
_NODES = msgspec.json.Decoder(list[_Node])
_NODE = msgspec.json.Decoder(_Node)


def media_of(raw: _Raw | None, field: str) -> list[Media]:
    """Returns the media of a field with messages. Raises REQUEST_INVALID for what names a file at the vendor."""
    if raw is None:
        return []
    if memoryview(raw).tobytes().count(b"{") > MOST_OBJECTS:
        raise invalid_request(field, f"must have at most {MOST_OBJECTS} objects")
    return list(_within(raw, field, "", _DEEPEST))


def _within(raw: _Raw, field: str, kind: str, depth: int) -> Iterator[Media]:
    """`kind`: that of the object around."""
    first = bytes(memoryview(raw)[:1])
    if first not in (b"[", b"{") or depth == 0:
        return
    try:
        nodes = _NODES.decode(raw) if first == b"[" else [_NODE.decode(raw)]
    except msgspec.ValidationError:
        # A list of something else, which has no media.
        return
    for n, node in enumerate(nodes):
        yield from _of(node, f"{field}[{n}]" if first == b"[" else field, kind, depth)


def _of(node: _Node, field: str, around: str, depth: int) -> Iterator[Media]:
    kind = _KINDS.get(node.type, around) if isinstance(node.type, str) else around
    if (node.file_id and node.type not in _MADE) or node.type in ("item_reference", "container_upload"):
        raise invalid_request(field, "must have its content: what is stored at the vendor is not the caller's")
    if kind:
        yield from _own(node, field, kind)
    for name in _INNER:
        # The content of a result, and of a document, is again a list of blocks, or text.
        inner = "" if name in ("content", "output") and node.type != "computer_call_output" else kind
        yield from _within(getattr(node, name), f"{field}.{name}", inner, depth - 1)


def _own(node: _Node, field: str, kind: str) -> Iterator[Media]:
    """Yields the media that the object itself has."""
    for name in _BYTES:
        if isinstance(data := getattr(node, name), str) and node.type != "text":
            yield Media(kind, f"{field}.{name}", data.partition(",")[2] if data.startswith("data:") else data)
    links = {name: getattr(node, name) for name in _LINKS}
    if bytes(memoryview(node.image_url)[:1]) == b'"':
        links["image_url"] = msgspec.json.decode(node.image_url)
    for name, url in links.items():
        if isinstance(url, str):
            # One that begins with "data:" has the bytes.
            yield Media(kind, f"{field}.{name}", url.partition(",")[2] if url.startswith("data:") else "")
