"""Ports of the loopback that nobody listens on."""

from __future__ import annotations

import random
import socket

HOST = "127.0.0.1"

# Below the range that the kernel hands to outgoing connections, which could take a port before its server does.
_CANDIDATES = range(20_000, 32_000)


def free_ports(count: int) -> list[int]:
    """So many different ports, free at the moment."""
    probes: list[socket.socket] = []
    try:
        for port in random.sample(_CANDIDATES, len(_CANDIDATES)):
            probe = socket.socket()
            probes.append(probe)
            try:
                probe.bind((HOST, port))
            except OSError:
                probes.pop().close()
            if len(probes) == count:
                return [probe.getsockname()[1] for probe in probes]
        raise OSError(f"no {count} ports are free")
    finally:
        for probe in probes:
            probe.close()
