"""Creating a client."""

from __future__ import annotations

import pytest
from aichat.v1 import chat_pb2
from aichat_sdk import AsyncAIChat, ConfigurationError

from tests.unit.sdk.scripted import API_KEY, ScriptedServer, reply


@pytest.mark.parametrize(
    ("endpoint", "secure"),
    [
        ("localhost:50051", False),
        ("api.localhost:1", False),
        ("127.0.0.2:1", False),
        ("[::1]:50051", False),
        ("chat.example.com:443", True),
        ("localhost.example.com:443", True),
        ("10.0.0.1:50051", True),
        ("0.0.0.0:50051", True),
    ],
)
def test_only_calls_to_this_machine_go_without_tls_by_default(endpoint: str, secure: bool) -> None:
    assert f"secure={secure}" in repr(AsyncAIChat(endpoint=endpoint, api_key="ak_x"))
    assert f"secure={not secure}" in repr(AsyncAIChat(endpoint=endpoint, api_key="ak_x", secure=not secure))


async def test_environment_fills_in_what_is_not_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AICHAT_ENDPOINT", "chat.example.com:443")
    monkeypatch.setenv("AICHAT_API_KEY", "ak_from_environment\n")
    client = AsyncAIChat()
    assert client._transport.settings.endpoint == "chat.example.com:443"
    for made, key in ((client, "ak_from_environment"), (AsyncAIChat(api_key="ak_passed"), "ak_passed")):
        assert await made._transport.settings.keys.current() == key


@pytest.mark.parametrize("endpoint", [None, "", "https://chat.example.com", "chat.example.com", "host:port", "a b:1"])
def test_malformed_endpoint_is_explained(monkeypatch: pytest.MonkeyPatch, endpoint: str | None) -> None:
    monkeypatch.delenv("AICHAT_ENDPOINT", raising=False)
    with pytest.raises(ConfigurationError, match="host:port"):
        AsyncAIChat(endpoint=endpoint, api_key="ak_x")


@pytest.mark.parametrize("api_key", [None, " ", "ak_secret\nvalue", "ak_sécret", "ak_cret" * 2000])
def test_malformed_api_key_is_explained_and_not_shown(monkeypatch: pytest.MonkeyPatch, api_key: str | None) -> None:
    monkeypatch.delenv("AICHAT_API_KEY", raising=False)
    with pytest.raises(ConfigurationError, match="API key") as caught:
        AsyncAIChat(endpoint="localhost:1", api_key=api_key)
    assert "cret" not in str(caught.value)


async def test_a_proxy_of_the_environment_is_not_asked_for_this_machine(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("grpc_proxy", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    server.on("ListModels", reply(chat_pb2.ListModelsResponse()))
    async with AsyncAIChat(endpoint=server.endpoint, api_key=API_KEY) as client:
        assert await client.models.list() == []
