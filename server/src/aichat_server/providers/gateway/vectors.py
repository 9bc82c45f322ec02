"""Vectors as vendors send them: base64 of little-endian float32, or JSON numbers."""

from __future__ import annotations

import binascii
import sys
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from aichat_server.core.errors import AichatError, Reason
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.embeddings import NUMBER_BYTES, EmbeddingAnswer, EmbeddingRequest, estimated_tokens
from aichat_server.providers.gateway import failures
from aichat_server.providers.gateway.figures import MOST_TOKENS, to_count

LONGEST_ANSWER_BYTES = 128 * 1024 * 1024
"""Four million numbers, the most that is ever asked for, as text with much white space."""

Told = TypeVar("Told")
Vector = str | list[float]


def read(
    content: bytes, form: type[Told], vectors: Callable[[Told], Sequence[Vector]], request: EmbeddingRequest, name: str
) -> tuple[Told, tuple[bytes, ...]]:
    """Returns what a vendor's JSON says, and its vectors: as many as the inputs, and all of one length.

    Raises PROVIDER_STREAM_BROKEN if it says anything else. `vectors`: returns those of a `form`.
    """
    try:
        told = msgspec.json.decode(content, type=form)
        found = tuple(map(_packed, vectors(told)))
    except (msgspec.MsgspecError, binascii.Error, UnicodeError, OverflowError, ValueError) as error:
        raise _unreadable(request, name) from error
    lengths = {len(vector) for vector in found}
    if len(found) != len(request.inputs) or len(lengths) != 1 or not lengths.pop():
        raise _unreadable(request, name)
    return told, found


def answer(
    vectors: tuple[bytes, ...], request: EmbeddingRequest, raw: Mapping[str, Any], *names: str
) -> EmbeddingAnswer:
    """Returns an answer whose input tokens `raw` counts under the first of `names` that it has.

    They are estimated if it counts none.
    """
    counts = (to_count(raw.get(name), MOST_TOKENS) for name in names)
    count = next((count for count in counts if count is not None), None)
    if count is None:
        return EmbeddingAnswer(vectors, Usage(input=estimated_tokens(request.inputs), estimated=True), raw)
    return EmbeddingAnswer(vectors, Usage(input=count), raw)


def _packed(vector: Vector) -> bytes:
    if isinstance(vector, str):
        packed = binascii.a2b_base64(vector, strict_mode=True)
        if len(packed) % NUMBER_BYTES:
            raise ValueError("the vector ends within a number")
        return packed
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def _unreadable(request: EmbeddingRequest, name: str) -> AichatError:
    return failures.failure(Reason.PROVIDER_STREAM_BROKEN, name, request.model)
