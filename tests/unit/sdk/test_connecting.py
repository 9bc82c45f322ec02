"""How a client reaches the platform: certificates, proxies, options of gRPC, keys that are renewed, metadata."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from aichat.v1 import chat_pb2, files_pb2
from aichat_sdk import (
    TLS,
    AIChat,
    AsyncAIChat,
    AuthenticationError,
    ConfigurationError,
    ConnectionFailedError,
    DeadlineExceededError,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.unit.sdk.scripted import API_KEY, ScriptedServer, answer, fail, reply

CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
MODELS = reply(chat_pb2.ListModelsResponse())
EXPIRED = fail(grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_EXPIRED")


class Authority:
    """Signs certificates."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        self.pem, _ = self._signed(self._key, self._name, x509.BasicConstraints(ca=True, path_length=None))

    def issue(self, name: str) -> tuple[bytes, bytes]:
        """Returns a certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        return self._signed(key, subject, x509.SubjectAlternativeName(names))

    def _signed(
        self, key: ec.EllipticCurvePrivateKey, name: x509.Name, extension: x509.ExtensionType
    ) -> tuple[bytes, bytes]:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(self._name, name, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
        certificate = builder.add_extension(extension, critical=False).sign(self._key, hashes.SHA256())
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return certificate.public_bytes(Encoding.PEM), secret


async def test_certificates_of_ones_own_on_both_sides(tmp_path: Path) -> None:
    authority, stranger = Authority(), Authority()
    certificate, key = authority.issue("server")
    credentials = grpc.ssl_server_credentials([(key, certificate)], authority.pem, require_client_auth=True)
    own, own_key = authority.issue("client")
    for name, data in (("ca.pem", authority.pem), ("own.pem", own), ("own.key", own_key)):
        (tmp_path / name).write_bytes(data)
    known = TLS(ca=tmp_path / "ca.pem", certificate=str(tmp_path / "own.pem"), key=tmp_path / "own.key")
    refused: list[TLS | bool] = [TLS(ca=authority.pem), TLS(ca=stranger.pem, certificate=own, key=own_key), True]
    async with ScriptedServer.start(credentials) as server:
        server.on("ListModels", MODELS)
        async with AsyncAIChat(endpoint=server.endpoint, api_key=API_KEY, secure=known) as client:
            assert await client.models.list() == []
        for secure in refused:
            async with AsyncAIChat(endpoint=server.endpoint, api_key=API_KEY, secure=secure, max_retries=0) as client:
                with pytest.raises(ConnectionFailedError, match="no connection"):
                    await client.models.list()


@asynccontextmanager
async def http_proxy(endpoint: str, seen: list[str]) -> AsyncIterator[str]:
    """Connects to the endpoint, whatever is asked for, and notes that."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        seen.append(head)
        host, _, port = endpoint.rpartition(":")
        there = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(pump(reader, there[1]), pump(there[0], writer), return_exceptions=True)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://user:secret@127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def test_a_proxy_and_options_of_grpc(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    server.on("ListModels", MODELS, MODELS)
    async with http_proxy(server.endpoint, seen) as proxy:
        named = AsyncAIChat(
            endpoint=server.endpoint,
            api_key=API_KEY,
            proxy=proxy,
            channel_options={"grpc.primary_user_agent": "mine/1"},
        )
        monkeypatch.setenv("http_proxy", proxy)
        of_the_environment = AsyncAIChat(endpoint="platform.test:80", api_key=API_KEY, secure=False)
        for client in (named, of_the_environment):
            await client.models.list()
            await client.close()
            assert "secret" not in repr(client) + repr(vars(client))
    assert [head.split()[1] for head in seen] == [server.endpoint, "platform.test:80"]
    assert "proxy-authorization" in seen[0].lower()
    assert str(server.calls[0].metadata["user-agent"]).startswith("mine/1 ")


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_key_is_asked_for_each_call_and_again_once_it_has_expired(
    server: ScriptedServer, is_async: bool
) -> None:
    asked = 0

    def key() -> str:
        nonlocal asked
        asked += 1
        return f"ak_{asked}"

    async def key_soon() -> str:
        return key()

    server.on("ListModels", MODELS, EXPIRED, MODELS, EXPIRED, EXPIRED)
    server.on("StreamChat", EXPIRED, answer("Hi"))
    server.on("UploadFile", EXPIRED, reply(files_pb2.UploadFileResponse(file=files_pb2.File(file_id="f"))))
    async with AsyncAIChat(endpoint=server.endpoint, api_key=key_soon if is_async else key) as client:
        await client.models.list()
        await client.models.list()
        with pytest.raises(AuthenticationError):
            await client.models.list()
        await client.chat.send(model="m", text="Hi")
        await client.files.upload(b"abc")
    assert [call.metadata["authorization"] for call in server.calls] == [f"Bearer ak_{n}" for n in range(1, 10)]


async def test_a_key_for_good_is_not_tried_again(server: ScriptedServer, client: AsyncAIChat) -> None:
    server.on("ListModels", EXPIRED)
    with pytest.raises(AuthenticationError):
        await client.models.list()


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (lambda: "no\nkey", "invalid characters"),
        (lambda: None, "must be str, or a function"),
        (lambda: 1 / 0, "division by zero"),
        (lambda: next(iter(())), "StopIteration"),
        (lambda: asyncio.sleep(60), "did not return within the timeout"),
    ],
)
async def test_what_a_function_for_keys_does_wrong_is_told(server: ScriptedServer, key: Any, expected: str) -> None:
    told = (ConfigurationError, ZeroDivisionError, RuntimeError, DeadlineExceededError)
    timeout = 0.2 if "timeout" in expected else 60
    async with AsyncAIChat(endpoint=server.endpoint, api_key=key, timeout=timeout) as client:
        for call in (client.models.list(), client.chat.send(model="m", text="Hi", timeout=timeout)):
            with pytest.raises(told, match=expected):
                await call
    assert server.calls == []


def test_metadata_is_sent_with_all_calls_or_with_one(unlooped: ScriptedServer) -> None:
    unlooped.on("ListModels", MODELS, MODELS)
    with AIChat(endpoint=unlooped.endpoint, api_key=API_KEY, metadata={"x-team": "a", "x-app": "b"}) as client:
        client.with_options(metadata={"x-team": "c"}, timeout=7, max_retries=0).models.list()
        client.models.list()
    sent = [(call.metadata["x-team"], call.metadata["x-app"]) for call in unlooped.calls]
    assert sent == [("c", "b"), ("a", "b")]
    times = [call.time_remaining or 0 for call in unlooped.calls]
    assert times[0] < 8 < times[1]


@pytest.mark.parametrize(
    ("named", "wrong"),
    [
        ("proxy", {"proxy": "socks5://a:1"}),
        ("proxy", {"proxy": 5}),
        ("channel_options", {"channel_options": ["a"]}),
        ("channel_options", {"channel_options": {"a": 1.5}}),
        (r"channel_options\['a'\]", {"channel_options": {"a": 2**31}}),
        (r"channel_options\['a'\]", {"channel_options": {"a": "\ud800"}}),
        ("metadata", {"metadata": "a"}),
        ("metadata", {"metadata": {"X-Team": "a"}}),
        ("metadata", {"metadata": {"authorization": "a"}}),
        ("metadata", {"metadata": {"x-bin": "a"}}),
        ("metadata", {"metadata": {"x": "a\nb"}}),
        ("metadata", {"metadata": {f"x-{n}": "a" for n in range(33)}}),
        ("metadata", {"metadata": {f"x-{n}": "a" * 4096 for n in range(4)}}),
        ("the endpoint's port", {"endpoint": "localhost:65536"}),
        ("secure", {"secure": "yes"}),
        ("secure.ca cannot be read", {"secure": TLS(ca="/no/such/file")}),
        # The message ends before the key.
        (r"secure.key must be [^-]*$", {"secure": TLS(certificate=CERTIFICATE, key="-----BEGIN PRIVATE KEY-----\n")}),
        ("secure.ca", {"secure": TLS(ca=b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----")}),
        ("secure.ca", {"secure": TLS(ca=5)}),  # type: ignore[arg-type]
        ("secure.certificate", {"secure": TLS(certificate=b"a")}),
        ("secure.key", {"secure": TLS(certificate=CERTIFICATE, key=b"-----BEGIN X-----")}),
    ],
)
def test_what_cannot_work_is_refused_by_its_name(named: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=f"^{named}"):
        AIChat(**({"endpoint": "localhost:1", "api_key": API_KEY} | wrong))
    if named == "metadata":
        with pytest.raises(ConfigurationError, match=f"^{named}"):
            AIChat(endpoint="localhost:1", api_key=API_KEY).with_options(**wrong)
