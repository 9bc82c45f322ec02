"""Refuses calls that the contract does not have."""

from __future__ import annotations

from typing import Any

import grpc

from aichat_server.core.errors import AichatError, Reason
from aichat_server.transport.call import Context
from aichat_server.transport.errors import DETAILS_KEY, to_status
from aichat_server.transport.shapes import Handler


def unknown_rpc() -> Handler:
    """Refuses a call of any shape as gRPC does, with UNIMPLEMENTED, and with a reason as the contract does."""
    # Nothing is decoded: with streaming in both directions, requests need not even be read.
    return grpc.stream_stream_rpc_method_handler(_refuse)


async def _refuse(_requests: Any, context: Context) -> None:
    error = AichatError(Reason.ROUTE_UNKNOWN, "the method does not exist; compare its name with the contract's")
    status = to_status(error)
    status.code = grpc.StatusCode.UNIMPLEMENTED.value[0]
    details = (DETAILS_KEY, status.SerializeToString())
    await context.abort(grpc.StatusCode.UNIMPLEMENTED, error.message, (details,))
