"""Each RPC of the contract has a servicer method, an HTTP mapping and an access option."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import aichat_server
import pytest
from aichat.v1 import annotations_pb2, chat_pb2
from aichat_server.transport.access import access_by_method
from aichat_server.transport.counting import MessageShape, shape_of
from aichat_server.transport.options import MAX_FILE_REQUEST_BYTES, MAX_REQUEST_BYTES
from google.api import annotations_pb2 as http_annotations
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

from tests.fixtures.contract import is_foreign, methods, services


def servers() -> Iterator[type]:
    """Every class of the server that serves a service, or some of its RPCs."""
    for found in pkgutil.walk_packages(aichat_server.__path__, f"{aichat_server.__name__}."):
        if ".rpc" in found.name:
            yield from filter(inspect.isclass, vars(importlib.import_module(found.name)).values())


SERVERS = list(servers())


def implementations(method: MethodDescriptor) -> set[object]:
    """What implements an RPC."""
    base = f"{method.containing_service.name}Servicer"
    classes = [one for one in SERVERS if base in [parent.__name__ for parent in one.__bases__]]
    return {vars(one)[method.name] for one in classes if method.name in vars(one)}


# Requests of these may hold files.
WITH_FILES = ("StreamChat", "CountTokens", "UploadFile")
# The bodies of these hold whole conversations, or many texts.
WITH_BODIES = (
    "CreateChatCompletion",
    "CreateResponse",
    "CreateOpenAIEmbeddings",
    "CreateEmbeddings",
    "CreateMessage",
    "CountMessageTokens",
)
LARGE = (*WITH_FILES, *WITH_BODIES)
METHODS = list(methods().values())

each_method = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)


@each_method
def test_it_has_a_servicer_method_of_its_shape(method: MethodDescriptor) -> None:
    [implementation] = implementations(method)
    assert inspect.isasyncgenfunction(implementation) == method.server_streaming
    assert inspect.iscoroutinefunction(implementation) != method.server_streaming


@each_method
def test_it_has_an_http_mapping_under_a_version(method: MethodDescriptor) -> None:
    rule = method.GetOptions().Extensions[http_annotations.http]
    verb = rule.WhichOneof("pattern")
    assert verb is not None
    roots = ("/openai/v1/", "/anthropic/v1/") if is_foreign(method) else ("/v1/",)
    assert getattr(rule, verb).startswith(roots)
    assert all(getattr(more, verb).startswith("/v1/") for more in rule.additional_bindings)
    reads = method.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS
    assert (verb == "get") == reads


@each_method
def test_it_says_who_may_call_it(method: MethodDescriptor) -> None:
    assert f"/{method.containing_service.full_name}/{method.name}" in access_by_method(services())


@each_method
def test_it_says_how_large_its_request_may_be(method: MethodDescriptor) -> None:
    most = method.GetOptions().Extensions[annotations_pb2.max_request_bytes]
    assert 0 < most <= (MAX_FILE_REQUEST_BYTES if method.name in LARGE else MAX_REQUEST_BYTES)
    # Each RPC that needs no credentials, or accepts large requests, is listed here, so that none becomes so by
    # accident.
    assert most <= 65536 or method.name in ("StripeWebhook", *LARGE)


@each_method
def test_lists_in_its_request_have_a_limit(method: MethodDescriptor) -> None:
    def unlimited(shape: MessageShape, path: str) -> Iterator[str]:
        for field in shape.values():
            if field.most == 0:
                yield f"{path}.{field.name}"
            if field.message is not None:
                yield from unlimited(field.message, f"{path}.{field.name}")

    # Fields of imported messages are refused unless they are empty.
    foreign = ("event.extensions", "form.extensions", "content.extensions", "body.extensions")
    found = [path.removeprefix(".") for path in unlimited(shape_of(method.input_type), "")]
    assert [path for path in found if path not in foreign and not path.startswith(foreign)] == []


@each_method
def test_its_messages_are_its_own(method: MethodDescriptor) -> None:
    assert method.input_type.name == f"{method.name}Request"
    assert method.output_type.name == f"{method.name}Response"


def test_a_resumed_stream_has_the_events_of_the_first() -> None:
    """Clients may read both streams as one."""
    first, resumed = chat_pb2.StreamChatResponse.DESCRIPTOR, chat_pb2.ResumeChatResponse.DESCRIPTOR
    described = [
        [(field.number, field.name, field.type, field.message_type) for field in message.fields]
        for message in (first, resumed)
    ]
    assert described[0] == described[1]


def test_an_rpc_that_does_not_say_who_may_call_it_stops_the_start() -> None:
    file = descriptor_pb2.FileDescriptorProto(name="silent.proto", package="silent", syntax="proto3")
    file.message_type.add(name="Empty")
    service = file.service.add(name="Silent")
    service.method.add(name="Speak", input_type=".silent.Empty", output_type=".silent.Empty")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    with pytest.raises(ValueError, match=r"silent\.Silent\.Speak"):
        access_by_method([*services(), pool.FindServiceByName("silent.Silent")])
