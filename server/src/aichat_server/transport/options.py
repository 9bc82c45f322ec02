"""The server's limits, and how it keeps connections."""

from __future__ import annotations

MAX_REQUEST_BYTES = 4 * 1024 * 1024
"""Of most RPCs."""
MAX_FILE_REQUEST_BYTES = 32 * 1024 * 1024
"""Of RPCs whose requests may hold files."""
MAX_RESPONSE_BYTES = 20 * 1024 * 1024
"""Of all RPCs: the vectors of the most embeddings, and more."""
MAX_METADATA_BYTES = 16 * 1024

_HARD_METADATA_BYTES = 64 * 1024

SERVER_OPTIONS: tuple[tuple[str, int], ...] = (
    # Larger requests get a typed error; these limits of gRPC's are higher and protect the memory.
    ("grpc.max_receive_message_length", MAX_FILE_REQUEST_BYTES + 2 * MAX_REQUEST_BYTES),
    ("grpc.max_send_message_length", MAX_RESPONSE_BYTES),
    ("grpc.max_metadata_size", _HARD_METADATA_BYTES),
    ("grpc.absolute_max_metadata_size", _HARD_METADATA_BYTES),
    ("grpc.max_concurrent_streams", 1024),
    # Edges and SDKs ping every few seconds to detect dead connections soon. A client that pings more often is cut off.
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # A vanished peer is detected within 90 s. gRPC 1.85 only uses `ping_timeout_ms`, and a slow reader
    # receives a ping only after it has read what was sent before.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 60_000),
    ("grpc.http2.ping_timeout_ms", 60_000),
    ("grpc.http2.max_pings_without_data", 0),
    # Two processes on one port would split its calls at random; a taken port must be an error.
    ("grpc.so_reuseport", 0),
)
