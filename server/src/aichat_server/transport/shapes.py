"""The four shapes of RPCs, unary or streaming on either side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, cast

import grpc

from aichat_server.transport.call import Context

Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"
Behaviour = Callable[[Any, Context], Any]


def behaviour_of(handler: Handler) -> Behaviour:
    """Returns the servicer's method of a handler."""
    shaped = {
        (False, False): handler.unary_unary,
        (False, True): handler.unary_stream,
        (True, False): handler.stream_unary,
        (True, True): handler.stream_stream,
    }
    # The stubs only have the handlers of threaded servers.
    behaviour = cast("Behaviour | None", shaped[handler.request_streaming, handler.response_streaming])
    if behaviour is None:
        raise ValueError("the handler has no method for its own shape")
    return behaviour


def decoder_of(handler: Handler) -> Callable[[bytes], object]:
    """Returns the decoder of a request's bytes."""
    decode = handler.request_deserializer
    if decode is None:
        raise ValueError("the handler cannot decode requests")
    return decode


def with_behaviour(handler: Handler, behaviour: Behaviour, *, reads: bool) -> Handler:
    """Returns `handler` with another method, which gets requests as bytes.

    `reads`: it reads its requests from the context itself, even if there is only one. On the wire that is the same.
    """
    make = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[reads, handler.response_streaming]
    return make(behaviour, request_deserializer=None, response_serializer=handler.response_serializer)
