"""The OpenAPI document and the reference, as the edge serves them."""

from __future__ import annotations

import re

import httpx
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.fixtures.contract import services


async def test_the_document_is_valid_and_has_every_call(stranger: httpx.AsyncClient) -> None:
    response = await stranger.get("/openapi.json")
    assert (response.status_code, response.headers["content-type"]) == (200, "application/json")
    document = response.json()
    OpenAPIV31SpecValidator(document).validate()
    operations = {
        operation["operationId"]: operation for verbs in document["paths"].values() for operation in verbs.values()
    }
    rpcs = {f"{service.name}_{method.name}" for service in services() for method in service.methods}
    assert rpcs == {name for name in operations if not name.endswith("_2")}
    assert all(operation["summary"] and operation["description"] for operation in operations.values())
    # Generators of clients take dots for packages.
    assert not [name for name in document["components"]["schemas"] if "." in name]
    stream = operations["ChatService_StreamChat"]["responses"]["200"]["content"]["text/event-stream"]
    assert stream["schema"]["x-event-schema"] == {"$ref": "#/components/schemas/StreamChatResponse"}
    assert operations["BillingService_ListPlans"]["responses"]["default"]
    listed = {
        parameter["name"]: parameter for parameter in operations["ConversationService_ListMessages"]["parameters"]
    }
    assert (listed["conversation_id"]["in"], listed["conversation_id"]["schema"]["format"]) == ("path", "uuid")
    assert listed["page_size"]["schema"]["maximum"]
    links = operations["ConversationService_CreateConversation"]["responses"]["200"]["links"]
    assert links["ListMessages"] == {
        "operationId": "ConversationService_ListMessages",
        "parameters": {"conversation_id": "$response.body#/conversation/conversation_id"},
    }


async def test_every_example_is_answered(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    answered = set()
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            needed = [parameter for parameter in operation["parameters"] if parameter["required"]]
            for content in operation.get("requestBody", {"content": {}})["content"].values():
                if "example" in content:
                    headers = {parameter["name"]: parameter["schema"]["enum"][0] for parameter in needed}
                    response = await http.request(verb, path, json=content["example"], headers=headers)
                    assert response.status_code == 200, f"{path}: {response.text}"
                    answered.add(path)
    assert {"/v1/chat:stream", "/openai/v1/chat/completions", "/anthropic/v1/messages"} <= answered


@pytest.mark.parametrize("path", ["/openapi.json", "/docs"])
async def test_anybody_may_read_it_and_keep_it_a_while(stranger: httpx.AsyncClient, path: str) -> None:
    response = await stranger.get(path, headers={"origin": "https://anywhere.example"})
    assert (response.status_code, response.headers["access-control-allow-origin"]) == (200, "*")
    assert response.headers["cache-control"] == "public, max-age=300"
    unchanged = await stranger.get(path, headers={"if-none-match": response.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    head = await stranger.head(path)
    assert (head.status_code, head.content) == (200, b"")


async def test_the_page_needs_nothing_else_and_runs_nothing(stranger: httpx.AsyncClient) -> None:
    response = await stranger.get("/docs")
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert not re.search(r"<script|<link|<img|https?://", response.text)
    anchors = set(re.findall(r'id="([^"]+)"', response.text))
    assert set(re.findall(r'href="#([^"]+)"', response.text)) <= anchors
