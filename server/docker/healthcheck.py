"""Exits 0 if every process of AICHAT_LISTEN says that it serves, as the container's health check."""
# ruff: noqa: INP001  a script, copied into the image by itself

from __future__ import annotations

import os
import sys

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

SECONDS = 3.0


def serves(port: str) -> bool:
    """Whether the process behind this port of the machine takes calls."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            answer = HealthStub(channel).Check(HealthCheckRequest(), timeout=SECONDS)
        except grpc.RpcError:
            return False
    return bool(answer.status == HealthCheckResponse.SERVING)


def main() -> int:
    """Asks them all."""
    addresses = os.environ.get("AICHAT_LISTEN", "127.0.0.1:50051").split(",")
    return 0 if all(serves(address.rpartition(":")[2].strip()) for address in addresses) else 1


if __name__ == "__main__":
    sys.exit(main())
