"""EmbeddingService: vectors of every vendor, metered and booked like answers, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
from aichat.v1 import embeddings_pb2 as pb
from aichat.v1 import embeddings_pb2_grpc, tokens_pb2, usage_pb2, usage_pb2_grpc
from aichat_sandbox.postgres import Postgres
from aichat_sandbox.vendors.embeddings import vector

from tests.fixtures.server import ApiKey, ServerUnderTest
from tests.fixtures.vendors import Vendors
from tests.integration.conversations.asking import asking, refusal, script, stream, times_asked
from tests.integration.generations.test_p02_ledger import books

SMALL = "text-embedding-3-small"
GEMINI = "gemini-embedding-001"
WORDS = ["a cat sat on the mat", "Müller läuft – schnell", "日本語"]


def stub(server: ServerUnderTest) -> embeddings_pb2_grpc.EmbeddingServiceAsyncStub:
    return embeddings_pb2_grpc.EmbeddingServiceStub(server.channel)


async def embed(server: ServerUnderTest, key: ApiKey, **fields: Any) -> pb.CreateEmbeddingsResponse:
    """Returns vectors."""
    request = pb.CreateEmbeddingsRequest(**fields)
    answer: pb.CreateEmbeddingsResponse = await stub(server).CreateEmbeddings(request, metadata=key.metadata)
    return answer


@pytest.mark.parametrize(
    ("fields", "inputs", "length", "calls", "dollars_per_mtok"),
    [
        ({"model": SMALL, "texts": WORDS}, WORDS, 1536, 1, "0.02"),
        ({"model": "text-embedding-3-large", "texts": WORDS, "dimensions": 5}, WORDS, 5, 1, "0.13"),
        ({"model": SMALL, "tokens": [pb.TokenIds(ids=[1, 2, 70_000])]}, [(1, 2, 70_000)], 1536, 1, "0.02"),
        # Gemini takes a hundred at once.
        (
            {"model": GEMINI, "texts": WORDS * 50, "dimensions": 128, "task": "EMBEDDING_TASK_RETRIEVAL_QUERY"},
            WORDS * 50, 128, 2, "0.15",
        ),
        ({"model": "gemini-embedding-2", "texts": WORDS}, WORDS, 3072, 1, "0.2"),
    ],
)  # fmt: skip
async def test_p02_vectors_are_the_vendors_and_are_booked_once(
    server: ServerUnderTest, api_key: ApiKey, postgres: Postgres, vendors: Vendors,
    fields: dict[str, Any], inputs: list[Any], length: int, calls: int, dollars_per_mtok: str,
) -> None:  # fmt: skip
    vendors.clear_log()
    answer = await embed(server, api_key, **fields)
    assert [list(one.values) for one in answer.embeddings] == [vector(one, length).tolist() for one in inputs]
    (event,) = await books(postgres, api_key)
    tokens = sum(-(-len(one) // 4) if isinstance(one, str) else len(one) for one in inputs)
    assert answer.usage.input_tokens == event["input_tokens"] == tokens
    assert not answer.usage.estimated
    cost = answer.cost.units * 10**9 + answer.cost.nanos
    assert cost == event["cost_nano_usd"] == -(-tokens * int(float(dollars_per_mtok) * 1000) * 1_000_000 // 1_000_000)
    assert (answer.model, answer.generation_id) == (fields["model"], str(event["generation_id"]))
    assert len(vendors.log()) == calls


async def test_usage_reports_show_embeddings_and_lists_keep_them_apart(
    server: ServerUnderTest, api_key: ApiKey
) -> None:
    answer = await embed(server, api_key, model=SMALL, texts=["hello"])
    usage = usage_pb2_grpc.UsageServiceStub(server.channel)
    request = usage_pb2.QueryUsageRequest(group_by=[usage_pb2.USAGE_DIMENSION_MODEL])
    request.start_time.GetCurrentTime()
    request.start_time.seconds -= 60
    request.end_time.GetCurrentTime()
    request.end_time.seconds += 60
    [row] = (await usage.QueryUsage(request, metadata=api_key.metadata)).rows
    assert (row.model, row.totals.turns, row.totals.errors) == (SMALL, 1, 0)
    assert row.totals.usage.input_tokens == answer.usage.input_tokens
    asked = pb.ListEmbeddingModelsRequest()
    listed = await stub(server).ListEmbeddingModels(asked, metadata=api_key.metadata)
    told = {one.model: one for one in listed.models}
    assert list(told) == [GEMINI, "gemini-embedding-2", "text-embedding-3-large", SMALL]
    assert (told[SMALL].dimensions, told[SMALL].prices[0].input.nanos) == (1536, 20_000_000)
    assert (told[GEMINI].tasks, told[GEMINI].tokens, told[GEMINI].max_input_tokens) == (True, False, 2048)


@pytest.mark.parametrize(
    ("fields", "reason", "told"),
    [
        ({"model": "gpt-6-luna", "texts": ["a"]}, "MODEL_UNSUITABLE", SMALL),
        ({"model": "no-such", "texts": ["a"]}, "MODEL_UNKNOWN", "no-such"),
        ({"model": SMALL}, "REQUEST_INVALID", "texts or tokens"),
        ({"model": SMALL, "texts": ["a"], "tokens": [pb.TokenIds(ids=[1])]}, "REQUEST_INVALID", "texts or tokens"),
        ({"model": SMALL, "texts": ["a", ""]}, "REQUEST_INVALID", "texts[1]"),
        ({"model": SMALL, "tokens": [pb.TokenIds()]}, "REQUEST_INVALID", "tokens[0]"),
        ({"model": SMALL, "tokens": [pb.TokenIds(ids=[1] * 8193)]}, "REQUEST_INVALID", "8192 tokens"),
        ({"model": SMALL, "texts": ["a"] * 2049}, "REQUEST_INVALID", "2048"),
        ({"model": SMALL, "texts": ["a"], "dimensions": 1537}, "REQUEST_INVALID", "1536"),
        ({"model": "text-embedding-3-large", "texts": ["a"] * 2048}, "REQUEST_INVALID", "1365"),
        ({"model": SMALL, "texts": ["a"], "task": 1}, "OPTION_UNSUPPORTED", GEMINI),
        ({"model": GEMINI, "tokens": [pb.TokenIds(ids=[1])]}, "OPTION_UNSUPPORTED", SMALL),
        ({"model": SMALL, "texts": ["word" * 8200]}, "PROVIDER_REQUEST_REJECTED", "maximum input length"),
        ({"model": GEMINI, "texts": ["a"], "dimensions": 7}, "PROVIDER_REQUEST_REJECTED", "128 and 3072"),
        ({"model": SMALL, "texts": [script(status=500, message="down")]}, "PROVIDER_UNAVAILABLE", "openai"),
    ],
)
async def test_p07_what_is_refused_consumes_nothing(
    server: ServerUnderTest, api_key: ApiKey, postgres: Postgres, fields: dict[str, Any], reason: str, told: str
) -> None:
    refused = await refusal(embed(server, api_key, **fields))
    assert refused.reason == reason
    assert told in f"{refused.message} {refused.metadata}"
    assert await books(postgres, api_key) == []


async def test_embedding_models_do_not_chat(server: ServerUnderTest, api_key: ApiKey, vendors: Vendors) -> None:
    refused = await refusal(stream(server, api_key, "hello", model=SMALL))
    assert (refused.reason, refused.metadata["model"]) == ("MODEL_UNSUITABLE", SMALL)
    assert "gpt-6-luna" in refused.metadata["models"]
    parts = asking("hello").parts
    count = server.chat.CountTokens(tokens_pb2.CountTokensRequest(model=SMALL, parts=parts), metadata=api_key.metadata)
    assert (await refusal(count)).reason == "MODEL_UNSUITABLE"


async def test_a_vendor_that_fails_for_a_moment_is_asked_again(
    server: ServerUnderTest, api_key: ApiKey, postgres: Postgres, vendors: Vendors
) -> None:
    text = script(status=503, fail_times=1, no_usage=True) + api_key.key_id
    answer = await embed(server, api_key, model=SMALL, texts=[text])
    (event,) = await books(postgres, api_key)
    assert answer.usage.estimated
    assert (event["quality"], event["input_tokens"]) == ("estimated", answer.usage.input_tokens)
    assert times_asked(vendors, text) == 2
