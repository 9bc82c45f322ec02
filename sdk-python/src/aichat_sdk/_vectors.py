"""The response of CreateEmbeddings, read ten times faster than number by number.

Packed numbers are bytes on the wire: these messages have the fields of the contract's, but leave the numbers packed.
"""

from __future__ import annotations

import sys
from array import array
from dataclasses import dataclass

import betterproto2

from aichat_sdk._proto.aichat.v1 import Usage
from aichat_sdk._proto.google.type import Money


@dataclass(eq=False, repr=False)
class PackedEmbedding(betterproto2.Message):
    """An Embedding."""

    values: bytes = betterproto2.field(1, betterproto2.TYPE_BYTES)

    def numbers(self) -> list[float]:
        """Returns the vector."""
        numbers = array("f", self.values)
        if sys.byteorder == "big":
            numbers.byteswap()
        return numbers.tolist()


@dataclass(eq=False, repr=False)
class PackedEmbeddings(betterproto2.Message):
    """A CreateEmbeddingsResponse."""

    embeddings: list[PackedEmbedding] = betterproto2.field(1, betterproto2.TYPE_MESSAGE, repeated=True)  # noqa: RUF009
    model: str = betterproto2.field(2, betterproto2.TYPE_STRING)
    usage: Usage | None = betterproto2.field(3, betterproto2.TYPE_MESSAGE, optional=True)  # noqa: RUF009
    cost: Money | None = betterproto2.field(4, betterproto2.TYPE_MESSAGE, optional=True)  # noqa: RUF009
    generation_id: str = betterproto2.field(5, betterproto2.TYPE_STRING)
