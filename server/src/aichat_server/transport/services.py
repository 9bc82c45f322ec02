"""Reads a server's services from its servicers: nobody keeps a list of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, cast

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor


class Servicer(Protocol):
    """Serves one service of the contract."""

    def add_to(self, server: grpc.Server | grpc.aio.Server) -> None:
        """The generated function that adds the service to a server."""
        ...


def services_of(servicers: Iterable[Servicer]) -> tuple[ServiceDescriptor, ...]:
    """Returns the descriptor of each servicer's service."""
    names = _Names()
    for servicer in servicers:
        servicer.add_to(cast("grpc.aio.Server", names))
    pool = descriptor_pool.Default()
    return tuple(pool.FindServiceByName(name) for name in names.added)


class _Names:
    """Replaces a server, and records the names of the services that are added to it."""

    def __init__(self) -> None:
        self.added: list[str] = []

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        """Ignores them: the same methods follow with the service's name."""

    def add_registered_method_handlers(self, service: str, handlers: Any) -> None:  # noqa: ARG002 — the name is enough
        """Records the name."""
        self.added.append(service)
