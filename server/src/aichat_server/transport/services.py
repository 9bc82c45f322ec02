"""Which services a server has, read from its servicers: no list of them is kept by hand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol, cast

import grpc
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import ServiceDescriptor


class Servicer(Protocol):
    """What serves one service of the contract."""

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
    """Takes the place of a server, and keeps the names of the services that are added to it."""

    def __init__(self) -> None:
        self.added: list[str] = []

    def add_generic_rpc_handlers(self, handlers: Any) -> None:
        """Takes no notice: the same methods come with the service's name below."""

    def add_registered_method_handlers(self, service: str, handlers: Any) -> None:  # noqa: ARG002 — the name is enough
        """Keeps the name."""
        self.added.append(service)
