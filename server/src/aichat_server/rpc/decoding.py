"""Turns request bytes into messages, so that bad bytes are refused with a reason of the contract, not by gRPC."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from aichat_server.domain.errors import AichatError, Reason
from aichat_server.rpc.limits import MAX_REQUEST_BYTES


@dataclass(frozen=True, slots=True)
class Refused:
    """Stands in for a request that is none; the interceptor raises the error in its turn."""

    error: AichatError


def refusing_decoder(decode: Callable[[bytes], object]) -> Callable[[bytes], object]:
    """`decode`, but with Refused in place of an exception: gRPC answers those with INTERNAL."""

    def decode_or_refuse(raw: bytes) -> object:
        if len(raw) > MAX_REQUEST_BYTES:
            return Refused(_too_large(len(raw)))
        try:
            return decode(raw)
        except DecodeError as cause:
            return Refused(_malformed(cause))

    return decode_or_refuse


def _too_large(size: int) -> AichatError:
    message = f"the request has {size} bytes, {MAX_REQUEST_BYTES} are allowed; send less"
    return AichatError(Reason.REQUEST_TOO_LARGE, message, metadata={"limit_bytes": str(MAX_REQUEST_BYTES)})


def _malformed(cause: DecodeError) -> AichatError:
    error = AichatError(
        Reason.REQUEST_MALFORMED, "the request is no valid message of its type; send text as UTF-8, and whole messages"
    )
    error.__cause__ = cause
    return error
