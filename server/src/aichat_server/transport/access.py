"""The contract's options of each RPC: who may call it, and how large its request may be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from aichat.v1 import annotations_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message_factory import GetMessageClass

from aichat_server.transport.counting import MessageShape, shape_of
from aichat_server.transport.options import MAX_REQUEST_BYTES


class CountedCalls(IntEnum):
    """Which calls of an RPC count against rate limits."""

    EVERY = annotations_pb2.COUNTED_CALLS_UNSPECIFIED
    WITH_ANSWER = annotations_pb2.COUNTED_CALLS_WITH_ANSWER
    """The use case counts the call together with the answer that it begins."""
    UNSIGNED = annotations_pb2.COUNTED_CALLS_UNSIGNED


class ForeignApi(IntEnum):
    """The APIs of other companies whose form services have."""

    OPENAI = annotations_pb2.FOREIGN_API_OPENAI
    ANTHROPIC = annotations_pb2.FOREIGN_API_ANTHROPIC


@dataclass(frozen=True, slots=True)
class MethodAccess:
    """An RPC's options about its callers and its requests."""

    reads_only: bool
    """Whether the RPC is marked NO_SIDE_EFFECTS."""
    public: bool = False
    """Whether the RPC needs no credentials."""
    max_request_bytes: int = MAX_REQUEST_BYTES
    counted: CountedCalls = CountedCalls.EVERY
    request: MessageShape = field(default_factory=dict)
    """The most elements of each field of its request."""
    foreign_api: ForeignApi | None = None
    """The API whose form it has; None if it has the contract's own."""
    response: type[Any] | None = None
    """The type of its responses."""


def access_by_method(services: Iterable[ServiceDescriptor]) -> Mapping[str, MethodAccess]:
    """Returns every RPC of `services` by its path; raises ValueError, naming all with missing options."""
    methods = [method for service in services for method in service.methods]
    for option, said in (("access", _access), ("max_request_bytes", _max_request_bytes)):
        silent = [method.full_name for method in methods if not said(method)]
        if silent:
            raise ValueError(f"these RPCs have no (aichat.v1.{option}) option: {', '.join(silent)}")
    return {
        f"/{method.containing_service.full_name}/{method.name}": MethodAccess(
            reads_only=method.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS,
            public=_access(method) == annotations_pb2.ACCESS_PUBLIC,
            max_request_bytes=_max_request_bytes(method),
            counted=CountedCalls(method.GetOptions().Extensions[annotations_pb2.counted_calls]),
            request=shape_of(method.input_type, body_is_file=_foreign_api(method.containing_service) is not None),
            foreign_api=_foreign_api(method.containing_service),
            response=GetMessageClass(method.output_type),
        )
        for method in methods
    }


def _access(method: MethodDescriptor) -> annotations_pb2.Access.ValueType:
    return method.GetOptions().Extensions[annotations_pb2.access]


def _max_request_bytes(method: MethodDescriptor) -> int:
    return method.GetOptions().Extensions[annotations_pb2.max_request_bytes]


def _foreign_api(service: ServiceDescriptor) -> ForeignApi | None:
    number = service.GetOptions().Extensions[annotations_pb2.foreign_api]
    return ForeignApi(number) if number else None
