"""Reads the contract's descriptors for the edge: the RPCs, their paths, and the fields of their requests."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.descriptor import (
    Descriptor,
    EnumDescriptor,
    FieldDescriptor,
    MethodDescriptor,
    ServiceDescriptor,
)
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

_RAW = "google.api.HttpBody"
# JSON writes these messages in a form of their own, not by their fields.
_WELL_KNOWN = "google.protobuf."
_SERVER_SENT_EVENT = "server_sent_event"

Fields = Mapping[str, Mapping[str, Any]]
"""What a JSON object may contain, by each accepted name: at most `most` elements, the `fields` of each, and whether the
name is an `alias` of the contract's own.
"""


@dataclass(frozen=True, slots=True)
class Rpc:
    """One RPC."""

    service: str
    name: str
    verb: str
    """The HTTP method."""
    templates: tuple[str, ...]
    """The HTTP paths, such as /v1/generations/{generation_id}:resume."""
    max_request_bytes: int
    public: bool
    streams: bool
    takes_pieces: bool
    """Whether callers stream its requests."""
    sends_events: bool
    """Whether its stream is sent as server-sent events."""
    raw: bool
    """Whether it accepts an HTTP body of any type, unchanged."""
    fields: Fields | None
    """What its JSON body may contain; None if it has no body."""
    body: str
    """The field of its request that is the HTTP body; "*": all that are not in the path, empty: it has no body."""
    response_body: str
    """The field of its response that is the HTTP body; empty: all of it."""
    foreign_api: str
    """The other company's API whose form it has, such as "openai"; empty if it has the contract's own."""

    @property
    def path(self) -> str:
        """The gRPC path."""
        return f"/{self.service}/{self.name}"

    @property
    def patterns(self) -> Iterator[str]:
        """The HTTP paths as regular expressions."""
        return map(pattern, self.templates)


def pattern(template: str) -> str:
    """Returns an HTTP path of the contract as a regular expression."""
    pieces = re.split(r"(\{\w+(?:=\*\*)?\})", template)
    return "".join(_pattern_of(piece) for piece in pieces)


def _pattern_of(piece: str) -> str:
    if not piece.startswith("{"):
        return re.escape(piece)
    return ".+" if piece.endswith("=**}") else "[^/:]+"


class Contract:
    """The RPCs of a descriptor set."""

    def __init__(self, descriptors: Path) -> None:
        self._pool = DescriptorPool()
        files = FileDescriptorSet.FromString(descriptors.read_bytes()).file
        for file in files:
            self._pool.Add(file)
        names = [f"{file.package}.{service.name}" for file in files for service in file.service]
        self.rpcs = [rpc for name in names for rpc in self._rpcs(name)]

    def method(self, rpc: Rpc) -> MethodDescriptor:
        """Returns the descriptor of an RPC."""
        return self._pool.FindServiceByName(rpc.service).methods_by_name[rpc.name]

    def enum(self, name: str) -> EnumDescriptor:
        """Returns the descriptor of an enum."""
        return self._pool.FindEnumTypeByName(name)

    def _rpcs(self, service: str) -> Iterator[Rpc]:
        for method in self._pool.FindServiceByName(service).methods:
            rule = self.option(method, "google.api.http")
            verb = rule.WhichOneof("pattern")
            if verb is None:
                continue
            body = method.input_type.fields_by_name[rule.body].message_type if rule.body not in ("", "*") else None
            raw = self._is_raw(method.input_type, rule.body)
            yield Rpc(
                service=service,
                name=method.name,
                verb=verb.upper(),
                templates=(getattr(rule, verb), *(getattr(more, verb) for more in rule.additional_bindings)),
                max_request_bytes=self.option(method, "aichat.v1.max_request_bytes"),
                public=self.option(method, "aichat.v1.access") == self._enum("aichat.v1.ACCESS_PUBLIC"),
                streams=method.server_streaming,
                takes_pieces=method.client_streaming,
                sends_events=rule.response_body == _SERVER_SENT_EVENT,
                raw=raw,
                fields=self._fields(body or method.input_type) if rule.body and not raw else None,
                body=rule.body,
                response_body=rule.response_body,
                foreign_api=self._foreign_api(method),
            )

    def _foreign_api(self, method: MethodDescriptor) -> str:
        number = self.option(method.containing_service, "aichat.v1.foreign_api")
        name = self._pool.FindEnumTypeByName("aichat.v1.ForeignApi").values_by_number[number].name
        return name.removeprefix("FOREIGN_API_").lower() if number else ""

    def _is_raw(self, message: Descriptor, field: str) -> bool:
        """Whether the field is an HTTP body of any type."""
        inner = message.fields_by_name[field].message_type if field not in ("", "*", _SERVER_SENT_EVENT) else None
        return inner is not None and inner.full_name == _RAW

    def _fields(self, message: Descriptor) -> Fields:
        found: dict[str, dict[str, Any]] = {}
        for field in message.fields:
            held: dict[str, Any] = {}
            if field.is_repeated:
                held["most"] = self.option(field, "buf.validate.field").repeated.max_items
            if field.message_type is not None and not field.message_type.full_name.startswith(_WELL_KNOWN):
                held["fields"] = self._fields(field.message_type)
            found[field.json_name] = {**held, "alias": True}
            found[field.name] = held
        return found

    def option(self, described: MethodDescriptor | FieldDescriptor | ServiceDescriptor, name: str) -> Any:
        """Returns an option, read with this pool's own types: Python's default types do not know our options."""
        kind = GetMessageClass(self._pool.FindMessageTypeByName(described.GetOptions().DESCRIPTOR.full_name))
        options = kind.FromString(described.GetOptions().SerializeToString())
        return options.Extensions[self._pool.FindExtensionByName(name)]  # type: ignore[index]

    def _enum(self, name: str) -> int:
        prefix = name.rpartition(".")[0]
        values = self._pool.FindEnumTypeByName(f"{prefix}.Access").values_by_name
        return int(values[name.rpartition(".")[2]].number)
