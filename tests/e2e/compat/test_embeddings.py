"""Embeddings by OpenAI's own SDK, with another base URL and key; and by ours, and by JSON."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import openai
import pytest
from aichat_sandbox.platform import Platform
from aichat_sandbox.vendors.embeddings import vector
from aichat_sdk import AsyncAIChat

SMALL, GEMINI = "text-embedding-3-small", "gemini-embedding-001"
TEXTS = ["a cat sat on the mat", "Müller, läuft – schnell", "日本語 \U0001f600"]


def client(platform: Platform, root: str = "/openai/v1") -> openai.AsyncOpenAI:
    """OpenAI's SDK for the platform's edge."""
    return openai.AsyncOpenAI(base_url=f"{platform.http}{root}", api_key=str(platform.key["api_key"]), max_retries=0)


@pytest.mark.parametrize("root", ["/openai/v1", "/v1"])
@pytest.mark.parametrize(
    ("asked", "inputs", "length"),
    [
        ({"model": SMALL, "input": TEXTS}, TEXTS, 1536),
        ({"model": SMALL, "input": "one text", "encoding_format": "float", "user": "me"}, ["one text"], 1536),
        ({"model": SMALL, "input": [5, 6], "dimensions": 7}, [(5, 6)], 7),
        ({"model": SMALL, "input": [[5, 6], [7]], "extra_body": {"unknown": 1}}, [(5, 6), (7,)], 1536),
        ({"model": GEMINI, "input": TEXTS * 100, "dimensions": 256}, TEXTS * 100, 256),
    ],
)
async def test_vectors_are_the_vendors(
    platform: Platform, root: str, asked: dict[str, Any], inputs: list[Any], length: int
) -> None:
    async with client(platform, root) as sdk:
        raw = await sdk.embeddings.with_raw_response.create(**asked)
    answer = raw.parse()
    assert [one.embedding for one in answer.data] == [pytest.approx(vector(one, length).tolist()) for one in inputs]
    assert [one.index for one in answer.data] == list(range(len(inputs)))
    assert (answer.object, answer.model, answer.data[0].object) == ("list", asked["model"], "embedding")
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > 0
    assert float(answer.usage.model_extra["cost"]) > 0  # type: ignore[index]
    assert raw.headers["x-aichat-generation-id"]


@pytest.mark.parametrize(
    ("asked", "kind", "param"),
    [
        ({"model": "gpt-6-luna", "input": "a"}, openai.BadRequestError, "model"),
        ({"model": "nothing", "input": "a"}, openai.NotFoundError, "model"),
        ({"model": SMALL, "input": ""}, openai.BadRequestError, "input[0]"),
        ({"model": SMALL, "input": []}, openai.BadRequestError, "input"),
        ({"model": SMALL, "input": ["a", 1]}, openai.BadRequestError, "input"),
        ({"model": SMALL, "input": ["a"] * 2049}, openai.BadRequestError, "input"),
        ({"model": SMALL, "input": [1] * 8193}, openai.BadRequestError, "input[0]"),
        ({"model": SMALL, "input": [1.5]}, openai.BadRequestError, "input[0]"),
        ({"model": SMALL, "input": "a", "dimensions": 0}, openai.BadRequestError, "dimensions"),
        ({"model": GEMINI, "input": [1, 2]}, openai.BadRequestError, "input"),
        ({"model": SMALL, "input": ["," * 500_001]}, openai.BadRequestError, "input"),
        ({"model": SMALL, "input": "a", "encoding_format": "hex"}, openai.BadRequestError, "encoding_format"),
    ],
)
async def test_what_is_refused_has_the_shape_of_openai(
    platform: Platform, asked: dict[str, Any], kind: type[openai.APIStatusError], param: str
) -> None:
    async with client(platform) as sdk:
        with pytest.raises(kind) as caught:
            await sdk.embeddings.create(**asked)
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["message"]
    assert caught.value.body["param"] == param


async def test_our_own_sdk_and_json_get_the_same_vectors(platform: Platform, http: httpx.AsyncClient) -> None:
    request_id = str(uuid4())
    async with AsyncAIChat(endpoint=platform.grpc, api_key=platform.key["api_key"]) as sdk:
        found = await sdk.embeddings.create(
            model=GEMINI, texts="a cat", dimensions=128, task="retrieval_query", request_id=request_id
        )
        models = [one.model for one in await sdk.embeddings.list_models()]
    assert found.vectors == [vector("a cat", 128).tolist()]
    assert {SMALL, GEMINI} <= set(models)
    body = {"model": GEMINI, "texts": ["a cat"], "dimensions": 128, "task": "EMBEDDING_TASK_RETRIEVAL_QUERY"}
    answer = (await http.post("/v1/embeddings:create", json={**body, "request_id": request_id})).json()
    assert answer["generation_id"] == found.generation_id
    assert answer["embeddings"][0]["values"] == pytest.approx(found.vectors[0])
    listed = (await http.get("/v1/embedding-models")).json()["models"]
    assert [one["model"] for one in listed] == models
    chatting = {one["model"] for one in (await http.get("/v1/models")).json()["models"]}
    all_models = {one["id"] for one in (await http.get("/openai/v1/models")).json()["data"]}
    assert all_models - chatting == set(models)


async def test_p17_a_key_makes_a_call_safe_to_repeat(platform: Platform) -> None:
    key = {"idempotency-key": str(uuid4())}
    async with client(platform) as sdk:
        first, again = [
            await sdk.embeddings.with_raw_response.create(model=SMALL, input="a cat", extra_headers=key)
            for _ in range(2)
        ]
        with pytest.raises(openai.ConflictError):
            await sdk.embeddings.create(model=SMALL, input="a dog", extra_headers=key)
    assert first.content == again.content
    assert first.headers["x-aichat-generation-id"] == again.headers["x-aichat-generation-id"]
