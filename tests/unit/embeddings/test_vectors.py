"""Vectors between the vendors' JSON and the contract's messages, and what is held for them."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import pytest
from aichat_server.core.errors import AichatError, Reason
from aichat_server.embeddings.rpc.vectors import response_with
from aichat_server.models.domain.pricing import cost, hold_for
from aichat_server.models.domain.usage import Usage
from aichat_server.models.gateway import load_catalogue
from aichat_server.providers.domain.embeddings import EmbeddingRequest, Inputs, estimated_tokens, most_tokens
from aichat_server.providers.gateway import vectors
from aichat_server.providers.gateway.chat_completions import _Embeddings, _in_order

REQUEST = EmbeddingRequest("m", ("a", "b"))


def packed(*numbers: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def told(*vectors: object, **more: object) -> bytes:
    data = [{"index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    return json.dumps({"data": data, **more}).encode()


def read(content: bytes) -> tuple[bytes, ...]:
    _, found = vectors.read(content, _Embeddings, _in_order, REQUEST, "openai")
    return found


def test_base64_and_numbers_are_the_same_vector() -> None:
    assert read(told(packed(0.1, -2), [0.1, -2])) == (struct.pack("<2f", 0.1, -2),) * 2


def test_vectors_are_in_the_order_of_their_indexes() -> None:
    mixed = json.dumps({"data": [{"index": 1, "embedding": [2.0]}, {"index": 0, "embedding": [1]}]}).encode()
    assert read(mixed) == (struct.pack("<f", 1), struct.pack("<f", 2))


@pytest.mark.parametrize(
    "content",
    [
        b"", b"[]", b"{}", b"\xff", told(), told([1.0]), told([1.0], [1.0, 2.0]), told([], []), told([1.0], "!!!!"),
        told([1.0], "YWI="), told([1.0], ["1"]), told([1.0], [1.0], [1.0]),
    ],
)  # fmt: skip
def test_an_answer_that_is_none_is_a_broken_one(content: bytes) -> None:
    with pytest.raises(AichatError) as caught:
        read(content)
    assert caught.value.reason is Reason.PROVIDER_STREAM_BROKEN


@pytest.mark.parametrize(
    ("raw", "tokens", "estimated"),
    [
        ({"prompt_tokens": 7}, 7, False), ({"total_tokens": 7.0}, 7, False), ({"prompt_tokens": 0}, 0, False),
        ({}, 2, True), ({"prompt_tokens": -1}, 2, True), ({"prompt_tokens": 10**12}, 2, True),
    ],
)  # fmt: skip
def test_tokens_are_estimated_if_the_vendor_does_not_count(raw: dict[str, Any], tokens: int, estimated: bool) -> None:
    answer = vectors.answer((b"", b""), REQUEST, raw, "prompt_tokens", "total_tokens")
    assert answer.usage == Usage(input=tokens, estimated=estimated)


@pytest.mark.parametrize("length", [1, 31, 32, 5000])
def test_a_response_holds_the_vectors(length: int) -> None:
    numbers = [0.5 * number for number in range(length)]
    response = response_with([struct.pack(f"<{length}f", *numbers)] * 3)
    assert [list(one.values) for one in response.embeddings] == [numbers] * 3


@pytest.mark.parametrize("inputs", [("word " * 100,), ("日本語" * 50, "ü"), ((1, 2, 3),) * 9])
def test_p06_a_hold_is_never_less_than_the_cost(inputs: Inputs) -> None:
    prices = load_catalogue(["gemini-embedding-2"])["gemini-embedding-2"].prices
    held = hold_for(
        prices, input_bytes=0, more_tokens=most_tokens(inputs), has_history=False, max_output_tokens=0, context_window=0
    )
    assert held.known > cost(prices, Usage(input=estimated_tokens(inputs))) > 0
