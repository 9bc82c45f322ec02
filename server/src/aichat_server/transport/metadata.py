"""Refuses calls whose headers are too large."""

from __future__ import annotations

from aichat_server.core.errors import AichatError, Reason
from aichat_server.transport.call import Call
from aichat_server.transport.options import MAX_METADATA_BYTES

# What HTTP/2 adds to a header's name and value (RFC 9113, section 6.5.2).
_OVERHEAD = 32


async def check_metadata_size(call: Call) -> None:
    """Raises METADATA_TOO_LARGE as a typed error: gRPC's own, higher limit drops the call silently."""
    size = sum(len(name) + len(value) + _OVERHEAD for name, value in call.metadata)
    if size > MAX_METADATA_BYTES:
        message = (
            f"the request's headers have {size} bytes, {MAX_METADATA_BYTES} are allowed; send fewer or shorter ones"
        )
        metadata = {"limit_bytes": str(MAX_METADATA_BYTES)}
        raise AichatError(Reason.METADATA_TOO_LARGE, message, metadata=metadata)
