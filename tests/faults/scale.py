"""The amount of load: little in `make test`, all of it in `make faults`."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """The amounts of one run."""

    server_kills: int
    streams: int
    """Held at once while servers and databases are killed."""
    postgres_stops: int
    redis_losses: int
    worker_kills: int
    double_sends: int
    """Turns, three in ten of them sent several times at once."""
    cut_turns: int
    """Of clients of the compatible APIs, three in ten of whose connections are cut off."""
    cancels: int
    cancels_at_once: int
    slow_deltas: int
    """Of the answer that is read at one byte a second; each has four kilobytes."""
    normal_turns: int
    """Beside that answer."""
    drained: int
    """Streams during a drain."""
    rolled_servers: int
    """Restarted in turn."""
    rolled_edges: int
    rolled_streams: int
    """Held at once in the meantime."""
    rolled_calls_per_second: int
    """Beside the streams."""
    broken_seconds: float
    """How long a link is broken."""
    silent_seconds: float
    """How long it is silent; in `make faults` longer than a lease, which is 30 s."""
    broken_streams: int
    """Held at once in the meantime."""
    bad_requests: int
    """Generated requests, besides those that are written down."""
    examples: int
    """Examples of the state machine."""
    steps: int
    """Steps in each example, at most."""


SHORT = Scale(
    server_kills=1,
    streams=16,
    postgres_stops=1,
    redis_losses=2,
    worker_kills=1,
    double_sends=60,
    cut_turns=40,
    cancels=60,
    cancels_at_once=10,
    slow_deltas=100,
    normal_turns=20,
    drained=20,
    rolled_servers=1,
    rolled_edges=1,
    rolled_streams=8,
    rolled_calls_per_second=10,
    broken_seconds=6,
    silent_seconds=6,
    broken_streams=6,
    bad_requests=100,
    examples=4,
    steps=12,
)
FULL = Scale(
    server_kills=20,
    streams=50,
    postgres_stops=10,
    redis_losses=10,
    worker_kills=100,
    double_sends=10_000,
    cut_turns=10_000,
    cancels=20_000,
    cancels_at_once=10,
    slow_deltas=480,
    normal_turns=200,
    drained=100,
    rolled_servers=3,
    rolled_edges=2,
    rolled_streams=30,
    rolled_calls_per_second=40,
    broken_seconds=8,
    silent_seconds=40,
    broken_streams=20,
    bad_requests=5_000,
    examples=40,
    steps=12,
)
IS_FULL = os.environ.get("AICHAT_FAULTS") == "full"
SCALE = FULL if IS_FULL else SHORT
