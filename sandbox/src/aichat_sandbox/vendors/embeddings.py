"""Embeddings, as OpenAI and Gemini make them: the vectors of similar texts point in similar directions."""

from __future__ import annotations

import base64
import math
import sys
import zlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web

from .asked import MARK, Asked, tokens
from .gemini import Gemini
from .openai import failure
from .openai_checks import known

KNOWN = frozenset({"model", "input", "encoding_format", "dimensions", "user"})
OPENAI = {"text-embedding-3-small": 1536, "text-embedding-3-large": 3072, "text-embedding-ada-002": 1536}
GEMINI = {"gemini-embedding-001": 2048, "gemini-embedding-2": 8192}
"""The most tokens of one input."""
GEMINI_DIMENSIONS = 3072
GEMINI_LEAST = 128
OTHERS = 8
"""The length of the vectors of compatible endpoints' models."""
TASKS = {
    "RETRIEVAL_DOCUMENT", "RETRIEVAL_QUERY", "SEMANTIC_SIMILARITY", "CLASSIFICATION", "CLUSTERING",
    "CODE_RETRIEVAL_QUERY", "QUESTION_ANSWERING", "FACT_VERIFICATION",
}  # fmt: skip
MOST_INPUTS, MOST_TOKENS, MOST_TOKENS_IN_ALL = 2048, 8192, 300_000
GEMINI_INPUTS = 100


@dataclass(frozen=True, slots=True)
class AskedVectors:
    """A request for vectors."""

    model: str
    inputs: tuple[str | tuple[int, ...], ...]
    dimensions: int
    packed: bool
    """Whether the vectors are sent as base64."""

    @property
    def tokens(self) -> int:
        """The tokens of all inputs."""
        return sum(map(_tokens, self.inputs))

    @property
    def asked(self) -> Asked:
        """The request as its script is found by: the first text that has one."""
        texts = tuple(one for one in self.inputs if isinstance(one, str))
        return Asked(self.model, texts, next((text for text in texts if text.startswith(MARK)), ""))


class Embedder(Protocol):
    """One vendor's protocol for embeddings."""

    name: str

    @property
    def paths(self) -> tuple[str, ...]:
        """Where it is asked, as aiohttp's routes."""

    def key(self, request: web.Request) -> str:
        """Returns the request's API key; empty without one."""

    def read(self, request: web.Request, body: Mapping[str, Any]) -> AskedVectors:
        """Returns what the body asks for; raises KeyError, TypeError or ValueError if the vendor would refuse it."""

    def answer(self, asked: AskedVectors, usage: Mapping[str, Any]) -> object:
        """Returns the vectors in this vendor's form."""

    def usage(self, asked: AskedVectors) -> Mapping[str, Any]:
        """Returns what is billed, in this vendor's form."""

    def failure(self, status: int, message: str, retry_after: float | None) -> web.Response:
        """Returns an HTTP error in this vendor's form."""


class OpenAIEmbeddings:
    """Speaks `POST /openai/v1/embeddings`, as OpenAI and compatible endpoints do."""

    name = "openai"
    paths = ("/openai/v1/embeddings",)

    def key(self, request: web.Request) -> str:
        """Returns the bearer token."""
        return request.headers.get("authorization", "").removeprefix("Bearer").strip()

    def read(self, request: web.Request, body: Mapping[str, Any]) -> AskedVectors:  # noqa: ARG002 - all is in the body
        """Reads a request."""
        known(body, KNOWN)
        model, own = body["model"], OPENAI.get(body["model"], OTHERS)
        dimensions = body.get("dimensions", own)
        if "dimensions" in body and not model.startswith("text-embedding-3"):
            raise ValueError("This model does not support specifying dimensions.")
        if not 1 <= dimensions <= own:
            raise ValueError(f"Invalid value for 'dimensions' = {dimensions}. Must be less than or equal to {own}.")
        inputs = _inputs(body["input"])
        _check(inputs)
        return AskedVectors(model, inputs, dimensions, body.get("encoding_format") == "base64")

    def answer(self, asked: AskedVectors, usage: Mapping[str, Any]) -> object:
        """Returns a list of embeddings."""
        data = []
        for index, one in enumerate(asked.inputs):
            numbers = vector(one, asked.dimensions)
            sent = _packed(numbers) if asked.packed else numbers.tolist()
            data.append({"object": "embedding", "index": index, "embedding": sent})
        return {"object": "list", "data": data, "model": asked.model, "usage": usage}

    def usage(self, asked: AskedVectors) -> Mapping[str, Any]:
        """Returns the tokens."""
        return {"prompt_tokens": asked.tokens, "total_tokens": asked.tokens}

    def failure(self, status: int, message: str, retry_after: float | None) -> web.Response:
        """Returns `{"error": …}` with the code of the status."""
        return failure(status, message, retry_after)


class GeminiEmbeddings(Gemini):
    """Speaks `POST /gemini/v1/models/{model}:batchEmbedContents`, and the same under v1beta."""

    paths = ("/gemini/{version:v1|v1beta}/models/{model}:batchEmbedContents",)

    def read(self, request: web.Request, body: Mapping[str, Any]) -> AskedVectors:
        """Reads a request."""
        model, asked = request.match_info["model"], body["requests"]
        if len(asked) > GEMINI_INPUTS:
            raise ValueError("* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch\n")
        dimensions, inputs = {one.get("outputDimensionality", GEMINI_DIMENSIONS) for one in asked}, []
        for one in asked:
            if one["model"] != f"models/{model}" or one.keys() - {
                "model",
                "content",
                "taskType",
                "outputDimensionality",
            }:
                raise ValueError("EmbedContentRequest: an unknown field, or another model")
            if "taskType" in one and (model != "gemini-embedding-001" or one["taskType"] not in TASKS):
                raise ValueError("EmbedContentRequest.task_type: unsupported")
            text = "".join(part["text"] for part in one["content"]["parts"])
            if not text:
                raise ValueError("EmbedContentRequest.content contains an empty Part.")
            if _tokens(text) > GEMINI[model]:
                raise ValueError("EmbedContentRequest.content: the input is too long")
            inputs.append(text)
        [length] = dimensions
        if not GEMINI_LEAST <= length <= GEMINI_DIMENSIONS:
            raise ValueError(f"EmbedContentRequest.output_dimensionality: {length} is not between 128 and 3072")
        return AskedVectors(model, tuple(inputs), length, packed=False)

    def answer(self, asked: AskedVectors, usage: Mapping[str, Any]) -> object:
        """Returns a list of embeddings."""
        embeddings = [{"values": vector(one, asked.dimensions).tolist()} for one in asked.inputs]
        return {"embeddings": embeddings, **({"usageMetadata": usage} if usage else {})}

    def usage(self, asked: AskedVectors) -> Mapping[str, Any]:
        """Returns the tokens."""
        return {"promptTokenCount": asked.tokens, "totalTokenCount": asked.tokens}


def vector(one: str | Sequence[int], dimensions: int) -> array[float]:
    """Returns a vector of the length 1: each word or token adds to eight of its numbers."""
    numbers = array("f", bytes(4 * dimensions))
    for word in one.lower().split() or [one] if isinstance(one, str) else map(str, one):
        seed = zlib.crc32(word.encode())
        for n in range(8):
            seed = seed * 1103515245 + 12345 & 0x7FFFFFFF
            numbers[seed % dimensions] += 1.0 if n % 2 else -0.5
    length = math.sqrt(sum(number * number for number in numbers)) or 1.0
    return array("f", [number / length for number in numbers])


def _check(inputs: Sequence[str | tuple[int, ...]]) -> None:
    """Raises ValueError, in OpenAI's words."""
    if len(inputs) > MOST_INPUTS or not inputs:
        raise ValueError(f"'$.input' is invalid. It must have 1 to {MOST_INPUTS} elements.")
    if not all(inputs):
        raise ValueError("'$.input' is invalid. Please check the API reference.")
    counts = [_tokens(one) for one in inputs]
    if max(counts) > MOST_TOKENS:
        raise ValueError(f"Invalid 'input': maximum input length is {MOST_TOKENS} tokens.")
    if sum(counts) > MOST_TOKENS_IN_ALL:
        raise ValueError(f"Invalid 'input': the request has more than {MOST_TOKENS_IN_ALL} tokens.")


def _packed(numbers: array[float]) -> str:
    if sys.byteorder == "big":
        numbers.byteswap()
    return base64.b64encode(numbers.tobytes()).decode()


def _inputs(told: Any) -> tuple[str | tuple[int, ...], ...]:
    if isinstance(told, str):
        return (told,)
    if told and all(isinstance(one, int) for one in told):
        return (tuple(told),)
    return tuple(one if isinstance(one, str) else tuple(map(int, one)) for one in told)


def _tokens(one: str | tuple[int, ...]) -> int:
    return tokens([one]) if isinstance(one, str) else len(one)
