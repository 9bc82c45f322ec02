"""CORS: web pages of the allowed origins may call, and no others."""

from __future__ import annotations

import httpx
import pytest

from tests.e2e.calls import CHAT
from tests.fixtures.platform import ALLOWED_ORIGIN

REFUSED = ["https://evil.example", f"{ALLOWED_ORIGIN}.evil.example", ALLOWED_ORIGIN.replace("https", "http"), "null"]


async def preflight(client: httpx.AsyncClient, origin: str, path: str = CHAT) -> httpx.Response:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization, content-type"}
    return await client.options(path, headers={"origin": origin, **asked})


@pytest.mark.parametrize("path", [CHAT, "/aichat.v1.ChatService/StreamChat"])
async def test_an_allowed_origin_may_ask_and_call(stranger: httpx.AsyncClient, path: str) -> None:
    response = await preflight(stranger, ALLOWED_ORIGIN, path)
    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == ALLOWED_ORIGIN
    assert response.headers["access-control-allow-credentials"] == "true"
    assert "POST" in response.headers["access-control-allow-methods"]
    allowed = response.headers["access-control-allow-headers"].split(", ")
    assert {"authorization", "content-type", "x-grpc-web", "x-user-agent", "grpc-timeout"} <= set(allowed)
    # Pages with tracing send these, and an EventSource the last.
    assert {"traceparent", "tracestate", "baggage", "sentry-trace", "last-event-id"} <= set(allowed)
    # Other companies' clients list the models at /v1/models.
    assert {"x-stainless-os", "openai-project", "anthropic-version"} <= set(allowed)


@pytest.mark.parametrize("origin", REFUSED)
async def test_another_origin_may_not(stranger: httpx.AsyncClient, http: httpx.AsyncClient, origin: str) -> None:
    assert "access-control-allow-origin" not in (await preflight(stranger, origin)).headers
    assert "access-control-allow-origin" not in (await http.get("/v1/models", headers={"origin": origin})).headers


@pytest.mark.parametrize(
    ("method", "path", "kind", "status"),
    [
        ("POST", "/v1/conversations", "text/plain", 415),
        ("PUT", "/v1/conversations", "application/json", 405),
        ("POST", CHAT, "application/json", 401),
    ],
)
async def test_a_page_can_read_what_the_edge_refuses(
    stranger: httpx.AsyncClient, method: str, path: str, kind: str, status: int
) -> None:
    headers = {"origin": ALLOWED_ORIGIN, "content-type": kind}
    response = await stranger.request(method, path, content=b"{}", headers=headers)
    assert response.status_code == status
    assert response.headers["access-control-allow-origin"] == ALLOWED_ORIGIN


@pytest.mark.parametrize("path", ["/v1/models", "/v1/nothing"])
async def test_a_page_can_read_answers_and_errors(http: httpx.AsyncClient, path: str) -> None:
    headers = (await http.get(path, headers={"origin": ALLOWED_ORIGIN})).headers
    assert headers["access-control-allow-origin"] == ALLOWED_ORIGIN
    exposed = headers["access-control-expose-headers"].split(", ")
    assert set(exposed) == {"grpc-status", "grpc-message", "grpc-status-details-bin", "retry-after", "x-request-id"}
