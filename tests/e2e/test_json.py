"""JSON over HTTP through the edge: conversations, models, and every kind of refusal."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import httpx
import pytest
from aichat_sandbox.platform import Platform

from tests.e2e.calls import CHAT, MODEL, chat_body, chat_events, error_of

CONVERSATIONS = "/v1/conversations"
LIMIT = 64 * 1024


async def create(client: httpx.AsyncClient, title: str) -> dict[str, Any]:
    response = await client.post(CONVERSATIONS, json={"title": title})
    assert response.status_code == 200, response.text
    conversation: dict[str, Any] = response.json()["conversation"]
    return conversation


async def test_a_conversation_is_made_read_changed_and_deleted(http: httpx.AsyncClient) -> None:
    made = await create(http, "First")
    path = f"{CONVERSATIONS}/{made['conversation_id']}"
    assert (await http.get(path)).json()["conversation"] == made

    changed = (await http.patch(path, json={"title": "Second"})).json()["conversation"]
    assert changed["title"] == "Second"
    assert (await http.get(path)).json()["conversation"] == changed

    assert (await http.delete(path)).json() == {}
    gone = (404, "CONVERSATION_NOT_FOUND", {"conversation_id": made["conversation_id"]})
    assert error_of(await http.get(path)) == gone


async def test_lists_come_in_pages(http: httpx.AsyncClient) -> None:
    made = [(await create(http, f"Page {number}"))["conversation_id"] for number in range(3)]
    first = (await http.get(CONVERSATIONS, params={"page_size": 2})).json()
    rest = {"page_size": 2, "page_token": first["next_page_token"]}
    second = (await http.get(CONVERSATIONS, params=rest)).json()
    found = [conversation["conversation_id"] for page in (first, second) for conversation in page["conversations"]]
    assert found[:3] == list(reversed(made))


async def test_history_holds_what_was_said(http: httpx.AsyncClient) -> None:
    events = await chat_events(http, "What is said is kept")
    path = f"{CONVERSATIONS}/{events[0]['started']['conversation_id']}/messages"
    said, answered = (await http.get(path)).json()["messages"]
    assert (said["role"], said["parts"]) == ("ROLE_USER", [{"text": {"text": "What is said is kept", "citations": []}}])
    assert answered == events[-1]["completed"]["message"]


async def test_models_are_listed(http: httpx.AsyncClient) -> None:
    models = (await http.get("/v1/models")).json()["models"]
    assert MODEL in [model["model"] for model in models]


async def test_a_session_token_signs_in_by_header_and_by_cookie(
    platform: Platform, stranger: httpx.AsyncClient
) -> None:
    token = (await stranger.post(f"{platform.auth_url}/_mint", json={})).json()["token"]
    by_header = await stranger.get("/v1/models", headers={"authorization": f"Bearer {token}"})
    by_cookie = await stranger.get("/v1/models", headers={"cookie": f"sb-access-token={token}"})
    assert (by_header.status_code, by_cookie.status_code) == (200, 200)


async def test_another_organisation_sees_nothing_of_it(
    http: httpx.AsyncClient, stranger: httpx.AsyncClient, other_key: str
) -> None:
    made = await create(http, "Ours")
    stranger.headers["authorization"] = f"Bearer {other_key}"
    foreign = await stranger.get(f"{CONVERSATIONS}/{made['conversation_id']}")
    unknown_id = str(uuid.uuid4())
    unknown = await stranger.get(f"{CONVERSATIONS}/{unknown_id}")
    assert error_of(foreign)[:2] == error_of(unknown)[:2] == (404, "CONVERSATION_NOT_FOUND")
    assert foreign.text.replace(made["conversation_id"], "") == unknown.text.replace(unknown_id, "")


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "CREDENTIALS_MISSING"),
        ({"authorization": "Bearer ak_wrong"}, "CREDENTIALS_INVALID"),
        ({"authorization": "Bearer not.a.token"}, "CREDENTIALS_INVALID"),
    ],
)
async def test_who_calls_must_be_known(stranger: httpx.AsyncClient, headers: dict[str, str], reason: str) -> None:
    single = await stranger.get("/v1/models", headers=headers)
    stream = await stranger.post(CHAT, json=chat_body("Hello"), headers=headers)
    assert error_of(single)[:2] == error_of(stream)[:2] == (401, reason)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (chat_body("Hello", "no-such-model"), (404, "MODEL_UNKNOWN", {"model": "no-such-model"})),
        (chat_body("  \n "), (400, "REQUEST_INVALID", {})),
        (chat_body(""), (400, "REQUEST_INVALID", {})),
        (chat_body("a\0b"), (400, "REQUEST_INVALID", {})),
        (chat_body("x" * (1024 * 1024 + 1)), (400, "REQUEST_INVALID", {})),
        (chat_body("Hello", conversation_id="no-uuid"), (400, "REQUEST_INVALID", {})),
        ({"model": MODEL}, (400, "REQUEST_INVALID", {})),
    ],
    ids=["model", "blank", "empty", "NUL", "over 1 MiB", "id", "no parts"],
)
async def test_a_chat_that_breaks_a_rule_is_refused_before_it_begins(
    http: httpx.AsyncClient, body: dict[str, Any], expected: tuple[int, str, dict[str, str]]
) -> None:
    before = (await http.get(CONVERSATIONS)).json()
    assert error_of(await http.post(CHAT, json=body)) == expected
    assert (await http.get(CONVERSATIONS)).json() == before


@pytest.mark.parametrize(
    "body",
    [
        b'{"title": ',
        b"[]",
        b'{"title": 7}',
        b'{"title": "a\xff"}',
        b'{"title": "a\\ud800b"}',
        b'{"title": "a"} {"title": "b"}',
    ],
    ids=["cut", "list", "number", "no UTF-8", "lone surrogate", "two"],
)
async def test_malformed_json_is_refused(http: httpx.AsyncClient, body: bytes) -> None:
    response = await http.post(CONVERSATIONS, content=body, headers={"content-type": "application/json"})
    assert error_of(response) == (400, "REQUEST_MALFORMED", {})


async def test_too_large_a_body_is_refused(http: httpx.AsyncClient) -> None:
    response = await http.post(CONVERSATIONS, json={"title": "x" * LIMIT})
    assert error_of(response) == (413, "REQUEST_TOO_LARGE", {"limit_bytes": str(LIMIT)})


async def test_a_body_just_within_the_limit_is_read(http: httpx.AsyncClient) -> None:
    response = await http.post(CONVERSATIONS, json={"title": "x" * (LIMIT - 100)})
    assert error_of(response)[:2] == (400, "REQUEST_INVALID")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_what_a_web_page_may_send_unasked_is_no_json(http: httpx.AsyncClient, kind: str) -> None:
    response = await http.post(CONVERSATIONS, content=b'{"title": "x"}', headers={"content-type": kind})
    assert error_of(response)[:2] == (415, "REQUEST_MALFORMED")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/v1/nothing"),
        ("POST", "/v1/nothing"),
        ("POST", "/aichat.v1.ChatService/ListModels"),
    ],
)
async def test_an_unknown_route_is_told(http: httpx.AsyncClient, method: str, path: str) -> None:
    response = await http.request(method, path, json=None if method == "GET" else {})
    assert error_of(response)[:2] == (404, "ROUTE_UNKNOWN")


@pytest.mark.parametrize("query", [{"page_sise": "2"}, {"page_size": "two"}])
async def test_an_unknown_or_malformed_parameter_is_refused(http: httpx.AsyncClient, query: dict[str, str]) -> None:
    assert error_of(await http.get(CONVERSATIONS, params=query))[:2] == (400, "REQUEST_MALFORMED")


@pytest.mark.parametrize(("size", "expected"), [(20_000, 400), (70_000, 431)])
async def test_large_headers_are_refused(http: httpx.AsyncClient, size: int, expected: int) -> None:
    response = await http.get("/v1/models", headers={"x-padding": "x" * size})
    assert error_of(response)[:2] == (expected, "METADATA_TOO_LARGE")


async def test_the_request_id_comes_back_also_on_errors(http: httpx.AsyncClient) -> None:
    told = await http.get("/v1/models", headers={"x-request-id": "mine-2"})
    failed = await http.get("/v1/nothing", headers={"x-request-id": "mine-3"})
    made = [(await http.get("/v1/models")).headers["x-request-id"] for _ in range(2)]
    assert (told.headers["x-request-id"], failed.headers["x-request-id"]) == ("mine-2", "mine-3")
    assert len({uuid.UUID(one) for one in made}) == 2


async def test_the_edge_does_not_tell_what_it_is(http: httpx.AsyncClient) -> None:
    headers = (await http.get("/v1/models")).headers
    assert "server" not in headers
    assert not [name for name in headers if name.startswith("x-envoy")]


async def test_health_needs_no_key(stranger: httpx.AsyncClient) -> None:
    assert (await stranger.get("/healthz")).status_code == 200


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (
            {**chat_body("Hello"), "max_output_tokens": 5},
            "max_output_tokens is not a field of the request; it belongs in options",
        ),
        (
            {**chat_body("Hello"), "maxOutputTokens": 5},
            "maxOutputTokens is not a field of the request; it belongs in options",
        ),
        ({**chat_body("Hello"), "text": "Hi"}, "it belongs in parts[]"),
        ({"parts": [{"text": {"text": "a", "model": MODEL}}]}, "it belongs at the top of the request"),
        (
            {"parts": [{"text": {"text": "a"}}, {"text": {"txt": "a"}}]},
            "txt is not a field of parts[1].text, which has citations, text",
        ),
        (
            {**chat_body("Hello"), "options": {"stop": ["a"], "temprature": 1}},
            "temprature is not a field of options, which has",
        ),
        ({**chat_body("Hello"), 'a"b': 1}, "a name with other characters is not a field"),
    ],
)
async def test_an_unknown_field_is_refused_with_its_place(
    http: httpx.AsyncClient, body: dict[str, Any], told: str
) -> None:
    before = (await http.get(CONVERSATIONS)).json()
    response = await http.post(CHAT, json=body)
    assert error_of(response)[:2] == (400, "REQUEST_MALFORMED")
    assert told in response.json()["message"]
    assert (await http.get(CONVERSATIONS)).json() == before


@pytest.mark.parametrize(
    "title", ['quotes " and \\ and \\\\" {"title": [', "\u20ac \U0001f600", "a:b,c}d]", "\t\n"], ids=repr
)
async def test_what_is_text_is_no_field(http: httpx.AsyncClient, title: str) -> None:
    assert (await create(http, title))["title"] == title


async def test_both_names_of_a_field_are_taken(http: httpx.AsyncClient) -> None:
    parts = [{"text": {"text": "Hello"}}]
    body = {"parts": parts, "model": MODEL, "options": {"maxOutputTokens": 50, "stop": ["x"]}, "requestId": None}
    async with http.stream("POST", CHAT, json=body) as response:
        assert response.status_code == 200


@pytest.mark.parametrize(
    "body",
    [{"parts": [{}] * 65}, {"parts": [{}] * 50_000}, {"options": {"stop": ["a"] * 5}}, {"parts": [[[]] * 20_000]}],
    ids=["65", "50000", "stop", "nested"],
)
async def test_a_list_that_is_too_long_is_refused_before_it_is_read(
    http: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    assert error_of(await http.post(CHAT, json=body))[:2] == (400, "REQUEST_INVALID")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", CONVERSATIONS, "POST, GET, HEAD"),
        ("DELETE", "/v1/models", "GET, HEAD"),
        ("GET", CHAT, "POST"),
        ("HEAD", CHAT, "POST"),
        ("POST", f"/v1/generations/{uuid.UUID(int=1)}:resume", "GET"),
    ],
)
async def test_another_method_is_told_which_there_are(
    http: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    response = await http.request(method, path)
    assert response.status_code == 405
    assert sorted(response.headers["allow"].split(", ")) == sorted(allowed.split(", "))
    if method != "HEAD":
        assert error_of(response)[:2] == (405, "ROUTE_UNKNOWN")


async def test_head_is_a_get_without_a_body(http: httpx.AsyncClient, stranger: httpx.AsyncClient) -> None:
    answer = await http.head("/v1/models")
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "application/json", b"")
    assert (await stranger.head("/v1/models")).status_code == 401
    assert (await stranger.head("/healthz")).status_code == 200


@pytest.mark.parametrize(
    "kind", ["Application/JSON", "application/json; charset=UTF-8", "APPLICATION/JSON;charset=utf-8"]
)
async def test_media_types_have_no_case(http: httpx.AsyncClient, kind: str) -> None:
    response = await http.post(CONVERSATIONS, content=b'{"title": "x"}', headers={"content-type": kind})
    assert response.status_code == 200


async def test_http_1_0_is_spoken(platform: Platform) -> None:
    host, port = platform.grpc.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"GET /v1/models HTTP/1.0\r\nauthorization: Bearer {platform.key['api_key']}\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.0 200 ")
    assert answer.endswith(b"}")
