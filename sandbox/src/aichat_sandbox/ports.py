"""Ports of the loopback that nobody listens on."""

from __future__ import annotations

import random
import socket
from collections.abc import Generator
from contextlib import contextmanager

HOST = "127.0.0.1"
EDGE_PORT = 8080

# Below the range that the kernel hands to outgoing connections, which could take a port before its server does.
_CANDIDATES = range(20_000, 32_000)


class PortTakenError(Exception):
    """Somebody else listens where the platform was told to."""


@contextmanager
def edge_address(given: str | None) -> Generator[str, None, None]:
    """Where the edge is to listen, kept from other runs meanwhile: the address that was given, or else port 8080 or the
    next one that is free; PortTakenError if the one that was given is not.
    """
    if given is None:
        with _first_free(EDGE_PORT) as reserved:
            yield f"{HOST}:{reserved.getsockname()[1]}"
        return
    host, _, port = given.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        # The edge's own settings say what is wrong with it.
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
    """A socket that nobody connects to and that keeps others from the port, but for who shares it, as Envoy does."""
    reserved = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        # What earlier connections leave behind for a while is in nobody's way.
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind((host, port))
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except OSError:
        reserved.close()
        raise
    return reserved


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
