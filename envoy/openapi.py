"""Writes the contract's HTTP form as an OpenAPI document, and as a page: `python envoy/openapi.py IMAGE FOLDER`.

IMAGE is a set of descriptors with the comments of the contract.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from openapi_comments import comments_of
from openapi_errors import ERROR_SCHEMAS, error_response
from openapi_foreign import foreign_answers, foreign_body, foreign_headers
from openapi_page import page
from openapi_schemas import Schema, Schemas, events, is_raw
from rpcs import Contract, Rpc

_INTRODUCTION = """\
Every RPC of the contract `aichat.v1` in its JSON form. Fields have the names of the contract, enums are names, and
64-bit integers are strings. Lists are read page by page: pass `next_page_token` as `page_token`. A stream is sent as
server-sent events: the data of each is one JSON object, its `id` is that object's `sequence`, and a failure after the
first event is an event named `error`, whose data is a `google.rpc.Status`. The paths below `/openai` and `/anthropic`
take and return what the APIs of these companies do; their own documents describe it.
"""
_ANY = {"schema": {"type": "string", "format": "binary"}}
# Generators of clients know the first of these only.
_BINARY: Schema = {"application/octet-stream": _ANY, "*/*": _ANY}
_EXAMPLES: Mapping[str, Schema] = MappingProxyType(
    {
        "StreamChat": {"model": "gpt-6-luna", "parts": [{"text": {"text": "Hello"}}]},
        "CountTokens": {"model": "gpt-6-luna", "parts": [{"text": {"text": "Hello"}}]},
        "CreateEmbeddings": {"model": "text-embedding-3-small", "texts": ["Hello"]},
    }
)


class Document:
    """Builds the document."""

    def __init__(self, image: Path) -> None:
        self._contract = Contract(image)
        self._comments = comments_of(FileDescriptorSet.FromString(image.read_bytes()))
        self._schemas = Schemas(self._comments, self._contract.option)

    def build(self) -> dict[str, Any]:
        """Returns the document."""
        paths: dict[str, dict[str, Any]] = {}
        for rpc in self._contract.rpcs:
            for number, template in enumerate(rpc.templates):
                verbs = paths.setdefault(template.replace("=**}", "}"), {})
                verbs[rpc.verb.lower()] = self._operation(rpc, template, number)
        self._schemas.enum(self._contract.enum("aichat.v1.ErrorReason"))
        services = dict.fromkeys(rpc.service for rpc in self._contract.rpcs)
        schemas = {**self._schemas.components, **ERROR_SCHEMAS}
        return {
            "openapi": "3.1.0",
            "info": {"title": "AI Chat Platform", "version": "v1", "description": _INTRODUCTION},
            "servers": [{"url": "/"}],
            "security": [{"bearer": []}, {"api_key": []}],
            "tags": [{"name": _short(name), "description": self._comments.get(name, "")} for name in services],
            "paths": dict(sorted(paths.items())),
            "components": {
                "schemas": dict(sorted(schemas.items())),
                "securitySchemes": {
                    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key or a session token."},
                    "api_key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                },
            },
        }

    def _operation(self, rpc: Rpc, template: str, number: int) -> dict[str, Any]:
        method = self._contract.method(rpc)
        text = self._comments.get(method.full_name, "")
        operation: dict[str, Any] = {
            "operationId": f"{_operation_id(rpc)}{f'_{number + 1}' if number else ''}",
            "tags": [_short(rpc.service)],
            "summary": re.split(r"(?<=\.)\s", text, maxsplit=1)[0].rstrip("."),
            "description": text,
            "parameters": list(self._parameters(rpc, method, template)),
        }
        if body := self._body(rpc, method, template):
            operation["requestBody"] = body
        operation["responses"] = {**self._answers(rpc, method), "default": error_response(rpc.foreign_api)}
        if rpc.public:
            operation["security"] = []
        return operation

    def _parameters(self, rpc: Rpc, method: MethodDescriptor, template: str) -> Iterator[dict[str, Any]]:
        named = _named(template)
        for field in method.input_type.fields:
            if field.name in named:
                yield {"name": field.name, "in": "path", "required": True, **self._described(field)}
            elif rpc.body not in ("*", field.name):
                required = self._contract.option(field, "buf.validate.field").required
                yield {"name": field.name, "in": "query", "required": required, **self._described(field)}
        if rpc.foreign_api:
            yield from foreign_headers(rpc)

    def _described(self, field: FieldDescriptor) -> dict[str, Any]:
        schema = self._schemas.field(field)
        return {"description": schema.pop("description", ""), "schema": schema}

    def _body(self, rpc: Rpc, method: MethodDescriptor, template: str) -> dict[str, Any] | None:
        if not rpc.body:
            return None
        if rpc.foreign_api:
            return foreign_body(rpc)
        if rpc.raw:
            return {"content": _BINARY, "required": True}
        if rpc.body != "*":
            field = method.input_type.fields_by_name[rpc.body]
            return {"content": {"application/json": {"schema": self._schemas.field(field)}}, "required": True}
        named = _named(template)
        kind = method.input_type
        schema = self._schemas.object(kind, named) if named else self._schemas.message(kind)
        example = {"example": _EXAMPLES[rpc.name]} if rpc.name in _EXAMPLES else {}
        return {"content": {"application/json": {"schema": schema, **example}}, "required": True}

    def _answers(self, rpc: Rpc, method: MethodDescriptor) -> dict[str, Any]:
        if rpc.foreign_api:
            return foreign_answers(rpc)
        field = method.output_type.fields_by_name.get(rpc.response_body)
        if rpc.sends_events:
            event = self._schemas.message(method.output_type)
            sent = {**events(event, {"$ref": "#/components/schemas/Status"}), "x-event-schema": event}
            return {
                "200": {"description": "The events.", "content": {"text/event-stream": {"schema": sent}}},
                "204": {"description": "There are no events after the one that was named."},
            }
        if field is not None and is_raw(field):
            return {"200": {"description": self._comments.get(field.full_name, ""), "content": _BINARY}}
        text = self._comments.get(method.output_type.full_name, "")
        answer = self._schemas.message(method.output_type)
        content = {"application/json": {"schema": answer}}
        links = dict(self._links(method)) if rpc.verb == "POST" else {}
        return {
            "200": {"description": text or "The answer.", "content": content, **({"links": links} if links else {})}
        }

    def _links(self, method: MethodDescriptor) -> Iterator[tuple[str, Schema]]:
        """Yields the calls whose paths take an id that this call's answer has."""
        for outer in method.output_type.fields:
            for inner in outer.message_type.fields if outer.message_type is not None else ():
                value = f"$response.body#/{outer.name}/{inner.name}"
                for rpc in self._contract.rpcs:
                    if inner.name.endswith("_id") and inner.name in _named(rpc.templates[0]):
                        yield rpc.name, {"operationId": _operation_id(rpc), "parameters": {inner.name: value}}


def main() -> int:
    """Writes `openapi.json` and `reference.html`."""
    image, folder = map(Path, sys.argv[1:])
    document = Document(image).build()
    folder.mkdir(exist_ok=True)
    (folder / "openapi.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    (folder / "reference.html").write_text(page(document))
    return 0


def _named(template: str) -> frozenset[str]:
    return frozenset(re.findall(r"\{(\w+)", template))


def _operation_id(rpc: Rpc) -> str:
    return f"{_short(rpc.service)}_{rpc.name}"


def _short(name: str) -> str:
    return name.rpartition(".")[2]


if __name__ == "__main__":
    sys.exit(main())
