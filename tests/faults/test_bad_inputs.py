"""Promise 7: an invalid request gets a typed error, over gRPC and as JSON, and costs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID

import grpc
import httpx
import pytest
from aichat_sandbox.envoy import start_envoy
from aichat_sandbox.supervisor import Supervisor
from hypothesis import HealthCheck, given, settings

from tests.e2e.calls import error_of
from tests.faults.bad import BODIES, CHAT, NO_MESSAGES, REQUESTS, bodies, requests
from tests.faults.load import reason_of
from tests.faults.rig import Rig
from tests.faults.scale import IS_FULL, SCALE
from tests.faults.threads import waiting
from tests.fixtures.rows import owner_rows
from tests.fixtures.server import ApiKey
from tests.fixtures.tally import Tally

made_up = settings(
    max_examples=SCALE.bad_requests,
    deadline=None,
    derandomize=not IS_FULL,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
KEYS = ((), *((("authorization", word),) for word in ("Bearer ak_wrong", "Bearer a.b.c", "Basic YTpi")))


@pytest.fixture(scope="module")
async def edge(_rig: Rig) -> AsyncGenerator[str, None]:
    """Returns the URL of an edge in front of the rig's servers."""
    await _rig.up()
    with TemporaryDirectory(prefix="aichat-") as folder:
        async with Supervisor(Path(folder)) as supervisor:
            environment = {"PATH": _rig.replicas[0].settings["PATH"]}
            addresses = [replica.address for replica in _rig.replicas]
            envoy = await start_envoy(supervisor, Path(folder), environment, addresses)
            await envoy.wait_for_upstreams(len(addresses))
            yield f"http://{envoy.address}"


@pytest.fixture
async def http(rig: Rig, key: ApiKey, edge: str) -> AsyncGenerator[httpx.AsyncClient, None]:
    async with httpx.AsyncClient(base_url=edge, headers=dict(key.metadata), timeout=60) as client:
        yield client


async def refused(rig: Rig, method: str, raw: bytes, metadata: tuple[tuple[str, str], ...]) -> str:
    """Returns the reason of the error for a call with these bytes."""
    send: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = rig.replicas[0].channel.unary_stream(method)
    call = send(raw, metadata=metadata)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    reason = reason_of(caught.value)
    assert reason, f"no typed error: {caught.value.code()} {caught.value.details()}"
    assert reason != "INTERNAL"
    return reason


async def costs_nothing(rig: Rig, key: ApiKey) -> None:
    assert rig.vendors.log() == []
    assert await owner_rows(rig.postgres.running, UUID(key.organization_id)) == {}  # type: ignore[arg-type]


async def test_written_requests_are_refused(rig: Rig, key: ApiKey, tally: Tally) -> None:
    bad = [*NO_MESSAGES, *((CHAT, request.SerializeToString()) for request in REQUESTS)]
    for method, raw in bad:
        await refused(rig, method, raw, key.metadata)
    for metadata in KEYS:
        assert (await refused(rig, CHAT, REQUESTS[0].SerializeToString(), metadata)).startswith("CREDENTIALS_")
    tally(bad_inputs=len(bad) + len(KEYS))
    await costs_nothing(rig, key)


async def test_generated_requests_are_refused(rig: Rig, key: ApiKey, tally: Tally) -> None:
    tried = []
    wait = waiting()

    @made_up
    @given(raw=requests())
    def each_is_refused(raw: bytes) -> None:
        tried.append(wait(refused(rig, CHAT, raw, key.metadata)))

    await asyncio.to_thread(each_is_refused)
    tally(bad_inputs=len(tried))
    await costs_nothing(rig, key)


async def test_written_json_requests_are_refused(http: httpx.AsyncClient, rig: Rig, key: ApiKey, tally: Tally) -> None:
    for body in BODIES:
        await refused_as_json(http, body)
    tally(bad_inputs=len(BODIES))
    await costs_nothing(rig, key)


async def test_generated_json_requests_are_refused(
    http: httpx.AsyncClient, rig: Rig, key: ApiKey, tally: Tally
) -> None:
    tried = []
    wait = waiting()

    @made_up
    @given(body=bodies())
    def each_is_refused(body: bytes) -> None:
        tried.append(wait(refused_as_json(http, body)))

    await asyncio.to_thread(each_is_refused)
    tally(bad_inputs=len(tried))
    await costs_nothing(rig, key)


async def refused_as_json(http: httpx.AsyncClient, body: bytes) -> str:
    response = await http.post("/v1/chat:stream", content=body, headers={"content-type": "application/json"})
    assert response.status_code != 200, body
    status, reason, _ = error_of(response)
    assert 400 <= status < 500, (body, response.text)
    return reason
