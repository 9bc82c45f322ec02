"""A new service is its contract, its servicer and a line in `app`: the server and the edge derive everything else."""

from __future__ import annotations

import asyncio
import importlib
import shutil
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import aichat.v1
import grpc
import httpx
import pytest
from aichat_server.core.database.database import Database
from aichat_server.identity.rpc.authentication import Authentication
from aichat_server.identity.service.authenticator import Authenticator
from aichat_server.identity.service.caller import current_principal
from aichat_server.identity.service.organizations import MintedKey, Organizations
from aichat_server.limits.rpc import CallLimits
from aichat_server.limits.service import RateLimits
from aichat_server.plans.service import PlanBook, StoredPlans
from aichat_server.telemetry.observing import Observer
from aichat_server.transport.server import build_server
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2

from tests.fixtures.edge import Edge, run_edge

PROTOS = Path(__file__).parents[3] / "protos"
NAME = "aichat/v1/notes.proto"
LIMIT_BYTES = 1000


class NoteServicer:
    """What a feature's `rpc` would contain."""

    def __init__(self, messages: Any, add_to: Any) -> None:
        self._messages = messages
        self._add_to = add_to
        self._notes = 0

    def add_to(self, server: grpc.Server | grpc.aio.Server) -> None:
        self._add_to(self, server)

    async def KeepNote(self, request: Any, _context: object) -> Any:  # noqa: N802
        self._notes += 1
        return self._messages.KeepNoteResponse(organization_id=str(current_principal().org_id), text=request.text)

    async def CountNotes(self, _request: object, _context: object) -> Any:  # noqa: N802
        return self._messages.CountNotesResponse(notes=self._notes)


@pytest.fixture(scope="module")
async def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The contract with the new service: all descriptors, and the new service's Python on the path."""
    folder = tmp_path_factory.mktemp("contract")
    (folder / NAME).parent.mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("notes.proto"), folder / NAME)
    contract = [str(path.relative_to(PROTOS)) for path in (PROTOS / "aichat").rglob("*.proto")]
    include = (f"-I{PROTOS}", f"-I{folder}")
    await _protoc(*include, f"--python_out={folder}", f"--grpc_python_out={folder}", NAME)
    descriptors = f"--descriptor_set_out={folder / 'descriptors.binpb'}"
    details = ("google/rpc/status.proto", "google/rpc/error_details.proto")
    await _protoc(*include, descriptors, "--include_imports", *contract, NAME, *details)
    aichat.v1.__path__.append(str(folder / "aichat/v1"))
    return folder


async def _protoc(*arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "grpc_tools.protoc", *arguments)
    assert await process.wait() == 0


@pytest.fixture
def messages(compiled: Path) -> Any:
    """The new service's messages."""
    return importlib.import_module("aichat.v1.notes_pb2")


@pytest.fixture
async def edge(database: Database, compiled: Path, messages: Any, tmp_path: Path) -> AsyncGenerator[Edge, None]:
    """The server with only the new service, behind an edge."""
    plans = PlanBook(StoredPlans(database))
    await plans.refresh()
    authentication = Authentication(Authenticator(database, None, cache_seconds=0), cookie="token", origins=())
    steps = (authentication.authenticate, CallLimits(RateLimits(None, plans.rates)).check)
    generated = importlib.import_module("aichat.v1.notes_pb2_grpc")
    servicer = NoteServicer(messages, generated.add_NoteServiceServicer_to_server)
    server = build_server((servicer,), steps, Observer(), reflect=True)
    upstream = f"127.0.0.1:{await server.start('127.0.0.1:0')}"
    descriptors = str(compiled / "descriptors.binpb")
    async with run_edge(tmp_path / "envoy.yaml", upstream, AICHAT_EDGE_DESCRIPTORS=descriptors) as running:
        yield running
    await server.stop(0, _nothing)


async def _nothing() -> None:
    """There are no generations to end."""


@pytest.fixture
async def key(database: Database, request: pytest.FixtureRequest) -> MintedKey:
    """An API key of an organisation of the test."""
    return await Organizations(database).mint_key(request.node.nodeid)


async def test_as_json(edge: Edge, key: MintedKey) -> None:
    bearer = {"authorization": f"Bearer {key.api_key}"}
    async with httpx.AsyncClient(base_url=f"http://{edge.address}") as http:
        kept = await http.post("/v1/notes", json={"text": "hello"}, headers=bearer)
        unknown = await http.post("/v1/notes", json={"text": "hello"})
        large = await http.post("/v1/notes", json={"text": "x" * LIMIT_BYTES}, headers=bearer)
        misspelt = await http.post("/v1/notes", json={"texts": "hello"}, headers=bearer)
        wrong_method = await http.put("/v1/notes", json={"text": "hello"}, headers=bearer)
        counted = await http.get("/v1/notes:count")
    assert (kept.status_code, kept.json()) == (200, {"organization_id": str(key.org_id), "text": "hello"})
    assert (unknown.status_code, _reason(unknown)) == (401, "CREDENTIALS_MISSING")
    assert (large.status_code, _reason(large)) == (413, "REQUEST_TOO_LARGE")
    assert large.json()["details"][0]["metadata"] == {"limit_bytes": str(LIMIT_BYTES)}
    assert (misspelt.status_code, _reason(misspelt)) == (400, "REQUEST_MALFORMED")
    assert (wrong_method.status_code, wrong_method.headers["allow"]) == (405, "POST")
    # Public, and a read: anybody may call it.
    assert (counted.status_code, counted.json()) == (200, {"notes": 1})


async def test_as_grpc(edge: Edge, key: MintedKey, messages: Any) -> None:
    bearer = (("authorization", f"Bearer {key.api_key}"),)
    async with grpc.aio.insecure_channel(edge.address) as channel:
        keep: grpc.aio.UnaryUnaryMultiCallable[Any, Any] = channel.unary_unary(
            "/aichat.v1.NoteService/KeepNote",
            request_serializer=messages.KeepNoteRequest.SerializeToString,
            response_deserializer=messages.KeepNoteResponse.FromString,
        )
        assert (await keep(messages.KeepNoteRequest(text="hello"), metadata=bearer)).text == "hello"
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await keep(messages.KeepNoteRequest(text="hello"))
        with pytest.raises(grpc.aio.AioRpcError) as large:
            await keep(messages.KeepNoteRequest(text="x" * LIMIT_BYTES), metadata=bearer)
    assert unknown.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert large.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_health_and_reflection_know_it(edge: Edge) -> None:
    async with grpc.aio.insecure_channel(edge.address) as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())  # type: ignore[attr-defined]
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    [upstream] = edge.upstreams
    async with grpc.aio.insecure_channel(upstream) as channel:
        ask = channel.stream_stream(
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        [listed] = [one async for one in ask(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))]
    assert "aichat.v1.NoteService" in {service.name for service in listed.list_services_response.service}


def _reason(response: httpx.Response) -> str:
    return str(response.json()["details"][0]["reason"])
