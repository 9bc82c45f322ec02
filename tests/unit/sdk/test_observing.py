"""Logs and spans of calls, which never hold keys, messages and files."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

import grpc
import pytest
from aichat.v1 import chat_pb2
from aichat_sdk import AsyncAIChat, ConfigurationError, NotFoundError
from aichat_sdk import _observing as observing
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.unit.sdk.scripted import API_KEY, ScriptedServer, answer, fail, hang, reply, started, text_delta

MODELS = reply(chat_pb2.ListModelsResponse())
CALLS: dict[str, Callable[[AsyncAIChat], Awaitable[object]]] = {
    "debug": lambda client: client.models.list(),
    "INFO": lambda client: client.chat.send(model="m", text="my-prompt"),
    "error": lambda client: client.chat.send(model="m", text="my-prompt"),
}
SECRETS = (API_KEY, "my-prompt", "my-answer", "my-team")


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    return exporter


@pytest.fixture
def level() -> Iterator[None]:
    before = observing.logger.level
    yield
    observing.logger.setLevel(before)


@pytest.mark.usefixtures("level")
async def test_aichat_log_tells_of_calls_and_retries(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lost = fail(grpc.StatusCode.UNAVAILABLE, "SERVER_UNAVAILABLE")
    server.on("ListModels", MODELS)
    server.on("StreamChat", lost, answer("my-answer"), fail(grpc.StatusCode.NOT_FOUND, "MODEL_UNKNOWN"))
    said: dict[str, list[str]] = {}
    for level, call in CALLS.items():
        monkeypatch.setenv("AICHAT_LOG", level)
        caplog.clear()
        async with AsyncAIChat(endpoint=server.endpoint, api_key=API_KEY, metadata={"x": "my-team"}) as client:
            with suppress(NotFoundError):
                await call(client)
        said[level] = [record.message for record in caplog.records if record.name == "aichat_sdk"]
    assert said["debug"][0] == f"ListModels begins at {server.endpoint}"
    assert said["debug"][1].startswith("ListModels ended after 0.")
    failed, again, ended = said["INFO"]
    assert failed.endswith(": UNAVAILABLE SERVER_UNAVAILABLE request request-7")
    assert again.startswith("tries again in")
    assert ended.endswith("s: OK")
    assert said["error"] == []
    assert not any(secret in str(said) for secret in SECRETS)


def test_a_level_that_is_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AICHAT_LOG", "loud")
    with pytest.raises(ConfigurationError, match="AICHAT_LOG must be one of debug, info"):
        AsyncAIChat(endpoint="localhost:1", api_key=API_KEY)


async def test_each_call_is_a_span_that_the_platform_continues(
    server: ScriptedServer, client: AsyncAIChat, spans: InMemorySpanExporter
) -> None:
    server.on("ListModels", MODELS)
    server.on("StreamChat", answer("Hi"), hang(started(), text_delta("a")), fail(grpc.StatusCode.NOT_FOUND, "NONE"))
    await client.models.list()
    await client.chat.send(model="m", text="my-prompt")
    async with client.chat.stream(model="m", text="my-prompt"):
        pass
    with pytest.raises(NotFoundError):
        await client.chat.send(model="m", text="my-prompt")
    ended = spans.get_finished_spans()
    service = "aichat.v1.ChatService/"
    assert [span.name for span in ended] == [f"{service}ListModels", *[f"{service}StreamChat"] * 3]
    assert [span.status.is_ok for span in ended] == [True, True, True, False]
    for span, call in zip(ended, server.calls, strict=True):
        context = span.get_span_context()
        assert context is not None
        assert str(call.metadata["traceparent"]).startswith(f"00-{context.trace_id:032x}-{context.span_id:016x}-")
    assert dict(ended[3].attributes or {}) == {
        "rpc.system": "grpc",
        "rpc.service": "aichat.v1.ChatService",
        "rpc.method": "StreamChat",
        "server.address": "127.0.0.1",
        "server.port": int(server.endpoint.rpartition(":")[2]),
        "rpc.grpc.status": "NOT_FOUND",
        "aichat.request_id": "request-7",
        "error.type": "NONE",
    }


async def test_without_opentelemetry_nothing_is_missing(
    server: ScriptedServer, client: AsyncAIChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observing, "_tracing", False)
    server.on("ListModels", MODELS)
    await client.models.list()
    assert "traceparent" not in server.calls[0].metadata
    assert logging.getLogger("aichat_sdk") is observing.logger
