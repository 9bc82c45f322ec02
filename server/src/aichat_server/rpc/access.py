"""Who may call which RPC, as the contract says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aichat.v1 import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions


@dataclass(frozen=True, slots=True)
class MethodAccess:
    """What an RPC's options say about its callers."""

    reads_only: bool
    """True if the RPC is marked NO_SIDE_EFFECTS."""
    public: bool = False
    """True if the caller need not say who it is."""


def access_by_method(services: Iterable[ServiceDescriptor]) -> Mapping[str, MethodAccess]:
    """Every RPC of `services` by its path; ValueError names all that do not say who may call them."""
    methods = [method for service in services for method in service.methods]
    silent = [method.full_name for method in methods if not _access(method)]
    if silent:
        raise ValueError(f"these RPCs have no (aichat.v1.access) option: {', '.join(silent)}")
    return {
        f"/{method.containing_service.full_name}/{method.name}": MethodAccess(
            reads_only=method.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS,
            public=_access(method) == annotations_pb2.ACCESS_PUBLIC,
        )
        for method in methods
    }


def _access(method: MethodDescriptor) -> annotations_pb2.Access.ValueType:
    return method.GetOptions().Extensions[annotations_pb2.access]
