"""Finds free ports on the loopback interface."""

from __future__ import annotations

import random
import socket
from collections.abc import Generator
from contextlib import contextmanager

HOST = "127.0.0.1"
EDGE_PORT = 8080

# Below the range of outgoing connections, which could take a port before its server does.
_CANDIDATES = range(20_000, 32_000)


class PortTakenError(Exception):
    """Another process listens on the address that the platform was given."""


@contextmanager
def edge_address(given: str | None) -> Generator[str, None, None]:
    """Yields the edge's address and reserves it: the given one, or port 8080, or the next free port.

    Raises PortTakenError if the given address is taken.
    """
    if given is None:
        with _first_free(EDGE_PORT) as reserved:
            yield f"{HOST}:{reserved.getsockname()[1]}"
        return
    host, _, port = given.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        # Validating the edge's settings will report the malformed address.
        yield given
        return
    try:
        reserved = _reserve(host.strip("[]"), int(port))
    except OSError as error:
        raise PortTakenError(f"AICHAT_EDGE_LISTEN={given}: {error.strerror}") from error
    with reserved:
        yield given


def _first_free(port: int) -> socket.socket:
    while True:
        try:
            return _reserve(HOST, port)
        except OSError:
            if port == 65535:
                raise
            port += 1


def _reserve(host: str, port: int) -> socket.socket:
    """Returns a bound socket that keeps other processes from the port, except those that share it, as Envoy does."""
    reserved = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        # Closed connections on the port do not prevent binding it.
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind((host, port))
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except OSError:
        reserved.close()
        raise
    return reserved


def free_ports(count: int) -> list[int]:
    """Returns `count` different ports that are free at the moment."""
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
