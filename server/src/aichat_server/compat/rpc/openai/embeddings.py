"""Embeddings of texts."""

from __future__ import annotations

import binascii
import sys
from array import array
from collections.abc import AsyncGenerator, Iterator

import msgspec
from google.api.httpbody_pb2 import HttpBody

from aichat_server.compat.domain.openai.embeddings import NAMES, Encoding, asked, read
from aichat_server.compat.domain.openai.forms import told_as
from aichat_server.compat.domain.readers import Reader, Slot
from aichat_server.compat.domain.terms import caller_id
from aichat_server.compat.rpc.headers import Headers, terms_of
from aichat_server.compat.rpc.openai.usage import cost_json
from aichat_server.compat.rpc.pieces import body_of
from aichat_server.compat.service.embedding_readers import EmbeddingReaders
from aichat_server.core.errors import AichatError
from aichat_server.embeddings.domain.embeddings import Embedded
from aichat_server.identity.service.caller import current_principal
from aichat_server.transport.foreign import JSON, current_reply

_ROUTE = "embeddings"
_PIECE_BYTES = 256 * 1024

_encode = msgspec.json.Encoder().encode


class Embeddings:
    """Creates embeddings."""

    def __init__(self, readers: EmbeddingReaders) -> None:
        self._readers = readers

    async def create(self, body: HttpBody, headers: Headers) -> AsyncGenerator[HttpBody, None]:
        """Yields the response. A call with an Idempotency-Key may be repeated."""
        principal, terms, sent = current_principal(), terms_of(headers), body_of(body)
        request = read(sent)
        digest = terms.digest(sent.digest(_ROUTE))
        claim = terms.claim(principal, _ROUTE, digest)
        slot = Slot(principal.org_id, digest + caller_id(principal).bytes)
        is_alone = claim is not None or not terms.reattaches
        reader = Reader(principal, None if is_alone else slot, retries=terms.retries)
        try:
            async with self._readers.vectors(reader, asked(request, claim)) as embedded:
                current_reply().headers["x-aichat-generation-id"] = str(embedded.generation_id)
                for piece in _pieces(embedded, request.encoding_format):
                    yield piece
        except AichatError as error:
            raise told_as(error, NAMES) from error


def _pieces(embedded: Embedded, encoding: Encoding) -> Iterator[HttpBody]:
    """Yields the response in pieces, since all of it may be larger than a message."""
    written = _base64 if encoding == "base64" else _numbers
    piece = bytearray(b'{"object":"list","data":[')
    for index, vector in enumerate(embedded.vectors):
        piece += (b"," if index else b"") + _encode(
            {"object": "embedding", "index": index, "embedding": written(vector)}
        )
        if len(piece) >= _PIECE_BYTES:
            yield HttpBody(content_type=JSON, data=bytes(piece))
            piece.clear()
    tokens = embedded.usage.total_input
    usage = {"prompt_tokens": tokens, "total_tokens": tokens, "cost": cost_json(embedded.cost)}
    piece += b"]," + _encode({"model": embedded.model, "usage": usage})[1:]
    yield HttpBody(content_type=JSON, data=bytes(piece))


def _base64(vector: bytes) -> msgspec.Raw:
    return msgspec.Raw(b'"' + binascii.b2a_base64(vector, newline=False) + b'"')


def _numbers(vector: bytes) -> list[float]:
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()
