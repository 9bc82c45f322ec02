"""Vectors in protobuf. Packed numbers are on the wire what our vectors are, so none is looked at."""

from __future__ import annotations

from collections.abc import Iterable

from aichat.v1.embeddings_pb2 import CreateEmbeddingsResponse

# Field 1 in both messages, with a length: CreateEmbeddingsResponse.embeddings, and Embedding.values.
_TAG = b"\x0a"


def response_with(vectors: Iterable[bytes]) -> CreateEmbeddingsResponse:
    """Returns a response that holds the vectors, and nothing else yet."""
    pieces = list[bytes]()
    for vector in vectors:
        head = _TAG + _varint(len(vector))
        pieces += (_TAG, _varint(len(head) + len(vector)), head, vector)
    return CreateEmbeddingsResponse.FromString(b"".join(pieces))


def _varint(number: int) -> bytes:
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)
