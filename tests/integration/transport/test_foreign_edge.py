"""The edge before services that have other companies' APIs: whatever goes wrong is told as these APIs tell it."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import grpc
import httpx
import msgspec
import pytest
import zstandard
from aichat.v1 import anthropic_pb2, openai_pb2
from aichat.v1.anthropic_pb2_grpc import AnthropicServiceServicer, add_AnthropicServiceServicer_to_server
from aichat.v1.openai_pb2_grpc import OpenAIServiceServicer, add_OpenAIServiceServicer_to_server
from aichat_server.app.compat import FOREIGN_ERRORS
from aichat_server.compat.rpc.pieces import body_of
from aichat_server.core.errors import AichatError, Reason
from aichat_server.telemetry.observing import Observer
from aichat_server.transport.call import Call
from aichat_server.transport.server import build_server
from google.api.httpbody_pb2 import HttpBody

from tests.faults.link import Link
from tests.fixtures.edge import Edge, changed_edge, run_edge
from tests.fixtures.platform import ALLOWED_ORIGIN

CHAT, MESSAGES = "/openai/v1/chat/completions", "/anthropic/v1/messages"
OPENAI = [CHAT, "/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/openai/v1/responses"]
ANTHROPIC = [MESSAGES, "/v1/messages", "/v1/messages/count_tokens"]
ROOTS = OPENAI + ANTHROPIC
PAGE = {"origin": ALLOWED_ORIGIN}
LIMIT, LARGE = 33_554_432, 9_000_000


async def does(context: Any) -> AsyncGenerator[HttpBody, None]:
    """Does what the request says."""
    headers = dict(context.invocation_metadata())
    word, _, code = headers.get("x-do", "").partition(" ")
    if word == "silence":
        await asyncio.Event().wait()
    if word == "abort":
        await context.abort(next(status for status in grpc.StatusCode if status.value[0] == int(code)), "our words")
    yield HttpBody(content_type="application/json", data=repr(headers).encode() + b"x" * int(code or 0))
    if word == "stray":
        raise asyncio.CancelledError
    if word == "wait":
        await asyncio.Event().wait()


class OpenAI(OpenAIServiceServicer):
    add_to = add_OpenAIServiceServicer_to_server

    async def CreateChatCompletion(self, _request: Any, context: Any) -> AsyncGenerator[Any, None]:  # noqa: N802
        async for piece in does(context):
            yield openai_pb2.CreateChatCompletionResponse(piece=piece)

    async def GetOpenAIModel(self, request: Any, _context: Any) -> AsyncGenerator[Any, None]:  # noqa: N802
        yield openai_pb2.GetOpenAIModelResponse(piece=HttpBody(data=request.model.encode()))

    async def CreateResponse(self, request: Any, _context: Any) -> AsyncGenerator[Any, None]:  # noqa: N802
        body = body_of(request.body)
        body.read(Named)
        yield openai_pb2.CreateResponseResponse(piece=HttpBody(data=body.digest("").hex().encode()))


class Named(msgspec.Struct):
    model: str


class Anthropic(AnthropicServiceServicer):
    add_to = add_AnthropicServiceServicer_to_server

    async def CreateMessage(self, _request: Any, context: Any) -> AsyncGenerator[Any, None]:  # noqa: N802
        async for piece in does(context):
            yield anthropic_pb2.CreateMessageResponse(piece=piece)


async def authenticate(call: Call) -> None:
    if "yes" not in call.values("x-api-key"):
        raise AichatError(Reason.CREDENTIALS_INVALID, "the key is unknown")


@pytest.fixture(scope="module")
async def link() -> AsyncGenerator[Link, None]:
    """Leads to a server of the test's own."""
    server = build_server(
        # Type checkers take the rest of these services for abstract.
        (OpenAI(), Anthropic()),  # type: ignore[abstract]
        (authenticate,),
        Observer(),
        reflect=False,
        foreign_errors=FOREIGN_ERRORS,
    )
    async with Link(await server.start("127.0.0.1:0")) as link:
        yield link
    await server.stop(0, _nothing)


async def _nothing() -> None:
    """There are no generations to end."""


@pytest.fixture(scope="module")
async def edge(link: Link, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Edge, None]:
    config = tmp_path_factory.mktemp("foreign") / "envoy.yaml"
    async with run_edge(config, link.address, CORS_ORIGINS=ALLOWED_ORIGIN) as running:
        yield running


def impatient(pressure: Path) -> dict[str, str]:
    """Lets an edge wait for a second at most, and accept no calls while the file at `pressure` says 1."""
    kind = "type.googleapis.com/envoy.extensions.resource_monitors.injected_resource.v3.InjectedResourceConfig"
    monitor = f'{{name: injected, typed_config: {{"@type": {kind}, filename: {pressure}}}}}'
    return {
        '"660s"': '"1s"',
        r"(?m)^  resource_monitors:\n": rf"\g<0>    - {monitor}\n",
        r"(stop_accepting_requests\s+triggers: \[\{name: )[a-z._]+": r"\g<1>injected",
    }


@pytest.fixture
async def http(edge: Edge) -> AsyncGenerator[httpx.AsyncClient, None]:
    headers = {"x-request-id": "r1", "x-api-key": "yes", "authorization": "Bearer no"}
    async with httpx.AsyncClient(base_url=f"http://{edge.address}", headers=headers, timeout=30) as client:
        yield client


def told(response: httpx.Response) -> tuple[int, str]:
    """Returns the status and the type of an error, which must have the form of the path's API."""
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert not {name for name in response.headers if name.startswith("grpc-")}
    if response.url.path.startswith(("/anthropic", "/v1/messages")):
        assert body.keys() == {"type", "error", "request_id"}
        assert body["error"].keys() == {"type", "message"}
        assert body["request_id"] == response.headers["request-id"]
    else:
        assert body.keys() == {"error"}
        assert body["error"].keys() == {"message", "type", "param", "code"}
        assert body["error"]["param"] is None
    assert response.headers["x-request-id"] == response.headers["request-id"]
    assert "our words" not in response.text
    return response.status_code, body["error"]["type"]


@pytest.mark.parametrize(
    ("code", "openai", "anthropic"),
    [
        (4, (504, "server_error"), (504, "timeout_error")),
        (8, (413, "invalid_request_error"), (413, "request_too_large")),
        (12, (404, "invalid_request_error"), (404, "not_found_error")),
        (13, (500, "server_error"), (500, "api_error")),
        (14, (503, "server_error"), (529, "overloaded_error")),
        (1, (500, "server_error"), (500, "api_error")),
    ],
)
async def test_what_grpc_itself_says_has_the_apis_form(
    http: httpx.AsyncClient, code: int, openai: tuple[int, str], anthropic: tuple[int, str]
) -> None:
    for path, expected in ((CHAT, openai), (MESSAGES, anthropic)):
        assert (
            told(await http.post(path, json={}, headers={"x-do": f"abort {code}", "x-request-id": 'r"1'})) == expected
        )


async def test_what_the_edge_answers_by_itself_has_the_apis_form(http: httpx.AsyncClient) -> None:
    for path in ROOTS:
        wrong_method = await http.put(path, json={})
        assert (told(wrong_method), wrong_method.headers["allow"]) == ((405, "invalid_request_error"), "POST")
        large = told(await http.post(path, content=b"x" * (LIMIT + 1)))
        stranger = await http.post(path, content=b"x" * 2_000_000, headers={"x-api-key": "no"})
        nothing = await http.post(f"{path}/nothing/there", json={})
        unknown, missing = told(stranger), told(nothing)
        if path in ANTHROPIC:
            expected = ("request_too_large", "authentication_error", "not_found_error")
            assert (large[1], unknown[1], missing[1]) == expected
        else:
            codes = [response.json()["error"]["code"] for response in (stranger, nothing)]
            assert codes == ["invalid_api_key", "unknown_url"]
        assert (large[0], unknown[0], missing[0]) == (413, 401, 404)
    for path in ("/openai", "/anthropic", "/anthropic/v1/nothing?beta=true", "/openai/v1/models/%00"):
        assert told(await http.get(path))[0] in (400, 404)
    # The platform's own paths keep their own form.
    for path in ("/v1/nothing", "/v1/models2", "/openai2", "/v1/conversations/a%2Fb/c"):
        assert (await http.get(path)).json()["code"] == 5


async def test_a_server_that_is_lost_is_told_before_the_answer_and_breaks_it_off_later(
    http: httpx.AsyncClient, link: Link
) -> None:
    for path in (CHAT, MESSAGES):
        async with http.stream("POST", path, json={}, headers={"x-do": "wait"}) as response:
            assert response.status_code == 200
            link.cut()
            with pytest.raises(httpx.RemoteProtocolError):
                await response.aread()
    await link.remove()
    for path, expected in ((CHAT, (503, "server_error")), (MESSAGES, (529, "overloaded_error"))):
        lost = await http.post(path, json={})
        assert (told(lost), lost.headers["retry-after"]) == (expected, "1")
    await link.restore()
    async with asyncio.timeout(30):
        while (await http.post(CHAT, json={})).status_code != 200:
            """The edge checks its servers once a second."""


async def test_what_is_late_or_too_much_has_the_apis_form(edge: Edge, tmp_path: Path) -> None:
    pressure, high = tmp_path / "pressure", tmp_path / "high"
    pressure.write_text("0")
    async with (
        changed_edge(edge, tmp_path / "envoy.yaml", impatient(pressure)) as running,
        httpx.AsyncClient(base_url=f"http://{running.address}", headers={"x-api-key": "yes"}, timeout=60) as http,
    ):
        sent = [running.unfinished(path) for path in (CHAT, MESSAGES)]
        sent += [http.post(path, json={}, headers={"x-do": "silence"}) for path in (CHAT, MESSAGES)]
        slow, slow_message, late, late_message = await asyncio.gather(*sent)
        assert told(slow) == told(slow_message) == (408, "invalid_request_error")
        assert (told(late), told(late_message)) == ((504, "server_error"), (504, "timeout_error"))
        high.write_text("1")
        high.rename(pressure)
        async with asyncio.timeout(60):
            while (refused := await http.post(CHAT, json={})).status_code == 200:
                """The edge looks at the file ten times a second."""
        refused_message = await http.post(MESSAGES, json={})
        # It refuses them before it has a name for them.
        assert (refused.status_code, refused.json()["error"]["type"]) == (503, "server_error")
        assert (refused_message.status_code, refused_message.json()["error"]["type"]) == (529, "overloaded_error")
        assert refused.headers["retry-after"] == refused_message.headers["retry-after"] == "1"


async def test_a_call_whose_work_was_cancelled_says_so(http: httpx.AsyncClient) -> None:
    for path in (CHAT, MESSAGES):
        response = await http.post(path, json={}, headers={"x-do": "stray"})
        assert b"error" in response.content


async def test_bodies_have_any_length_and_no_declared_one(http: httpx.AsyncClient) -> None:
    response = await http.post(CHAT, json={}, headers={"x-do": f"long {LARGE}"})
    assert (response.status_code, len(response.content) > LARGE) == (200, True)
    assert "content-length" not in response.headers


async def test_the_key_in_x_api_key_counts_for_large_bodies_too(http: httpx.AsyncClient) -> None:
    assert (await http.post(CHAT, content=b"x" * LIMIT)).status_code == 200


async def test_a_packed_body_is_the_same_and_a_bad_one_is_refused_in_the_apis_form(http: httpx.AsyncClient) -> None:
    async def sent(body: bytes, encoding: str = "identity") -> httpx.Response:
        return await http.post("/openai/v1/responses", content=body, headers={"content-encoding": encoding})

    body = b'{"model": "m", "input": "' + b"x" * (LIMIT - 27) + b'"}'
    packed = [(body, "identity"), (gzip.compress(body, 1), "GZIP"), (zstandard.compress(body), "zstd")]
    answers = [await sent(*one) for one in packed]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert told(await sent(gzip.compress(body + b" ", 1), "gzip"))[0] == 413
    assert [told(await sent(b"{}", encoding))[0] for encoding in ("br", "deflate", "gzip, gzip")] == [415] * 3
    malformed = [b"", b"{", b"[]", b'{"model": "\xff"}', b'{"model": "' + b"\\ud800" + b'"}', b"[" * LIMIT]
    assert [told(await sent(one))[0] for one in malformed] == [400] * 6
    wrong = await sent(b'{"model": 3}')
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "model")


async def test_a_server_sees_no_cookie_and_no_marker(http: httpx.AsyncClient) -> None:
    sent = {
        "cookie": "token=x",
        "grpc-timeout": "1n",
        "x-a-bin": "!",
        "x-aichat-status": "500",
        "x-aichat-unknown": "y",
    }
    node = {"sec-fetch-mode": "cors", "expect": "100-continue"}
    response = await http.post(CHAT, json={}, headers={**sent, **node})
    assert response.status_code == 200
    assert "sec-fetch-mode" in response.text
    assert not [name for name in sent if repr(name) in response.text]


@pytest.mark.parametrize("name", ["vendor%2Fmodel", "vendor/model", "%2e%2e%2f%2e%2e%2fv1%2fconversations"])
async def test_a_model_may_have_a_slash_and_leads_nowhere_else(http: httpx.AsyncClient, name: str) -> None:
    response = await http.get(f"/openai/v1/models/{name}?foo=bar")
    assert response.text == name.replace("%2F", "/").replace("%2f", "/").replace("%2e", ".")
    head = await http.head(f"/openai/v1/models/{name}")
    assert (head.status_code, head.content) == (200, b"")


async def test_pages_may_send_and_read_what_clients_do(http: httpx.AsyncClient) -> None:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "x-stainless-os, x-api-key"}
    for path in (CHAT, MESSAGES, "/v1/messages", "/openai/v1/nothing", "/anthropic/v1/nothing"):
        headers = (await http.options(path, headers={**PAGE, **asked})).headers
        assert {"authorization", "x-api-key", "*"} <= set(headers["access-control-allow-headers"].split(", "))
        # Without cookies, or the wildcard would mean nothing.
        assert "access-control-allow-credentials" not in headers
        for response in (await http.post(path, json={}, headers=PAGE), await http.put(path, headers=PAGE)):
            assert response.headers["access-control-allow-origin"] == ALLOWED_ORIGIN
            assert "request-id" in response.headers["access-control-expose-headers"]
