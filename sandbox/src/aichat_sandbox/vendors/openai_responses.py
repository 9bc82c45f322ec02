"""OpenAI's Responses API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from .asked import Asked, last_question
from .openai import failure
from .openai_cache import Cache
from .openai_checks import answer_schema, known, offered, reasons, supported
from .openai_items import Items
from .openai_output import Output
from .protocol import Frames
from .reply import Reply

COUNTED = frozenset(
    {"model", "input", "instructions", "reasoning", "text", "tools", "tool_choice", "parallel_tool_calls"}
)
KNOWN = COUNTED | {
    "include", "max_output_tokens", "max_tool_calls", "metadata", "prompt_cache_key", "prompt_cache_options",
    "service_tier", "store", "stream", "stream_options", "temperature", "top_p",
}  # fmt: skip
LEAST_OUTPUT_TOKENS = 16


@dataclass(frozen=True, slots=True)
class AskedResponse(Asked):
    """A request of this API."""

    tier: str = "default"
    is_searching: bool = False
    most_searches: int | None = None


class OpenAIResponses:
    """Speaks `POST /openai/v1/responses`."""

    name = "openai"
    paths = ("/openai/v1/responses",)
    counting_paths = ("/openai/v1/responses/input_tokens",)

    def __init__(self) -> None:
        self._cache = Cache()

    def key(self, request: web.Request) -> str:
        """Returns the bearer token."""
        return request.headers.get("authorization", "").removeprefix("Bearer").strip()

    def asked(self, request: web.Request, body: Mapping[str, Any]) -> Asked:
        """Reads a Responses request."""
        is_counted = request.path in self.counting_paths
        model = body["model"]
        _check(body, model, is_counted=is_counted)
        items = Items(body["input"], model)
        tools = body.get("tools") or ()
        functions = [tool for tool in tools if tool["type"] == "function"]
        may_call, must_call = _offered(functions, body.get("tool_choice"), has_more=len(tools) > len(functions))
        told = [repr(tool) for tool in tools]
        texts = (body.get("instructions") or "", *told, *items.texts)
        key, options = body.get("prompt_cache_key", ""), body.get("prompt_cache_options") or {}
        is_cached = options.get("mode") != "explicit" and not is_counted
        read, written = self._cache.read(model, key, texts) if is_cached else (0, 0)
        question, rounds, results = last_question(items.said)
        return AskedResponse(
            model=model,
            texts=texts,
            question=question,
            rounds=rounds,
            results=results,
            max_tokens=body.get("max_output_tokens"),
            wants_reasoning="summary" in (body.get("reasoning") or {}),
            tools=may_call,
            must_call=must_call,
            schema=_schema(body),
            images=items.images,
            documents=items.documents,
            media_tokens=items.media_tokens,
            cache_read=read,
            cache_write=written,
            tier=body.get("service_tier", "default"),
            is_searching=len(tools) > len(functions),
            most_searches=body.get("max_tool_calls"),
        )

    def frames(self, reply: Reply) -> Frames:
        """Returns named events from response.created to response.completed."""
        asked = reply.asked
        if not isinstance(asked, AskedResponse):
            raise TypeError("it was asked by another API")
        output = Output(reply, asked.tier, asked.most_searches if asked.is_searching else 0)
        return output.frames()

    def counted(self, asked: Asked) -> object:
        """Returns the count as an object of its own."""
        return {"object": "response.input_tokens", "input_tokens": asked.tokens}

    def failure(self, status: int, message: str, retry_after: float | None) -> web.Response:
        """Returns `{"error": …}`, as for the other API."""
        return failure(status, message, retry_after)


def _check(body: Mapping[str, Any], model: str, *, is_counted: bool) -> None:
    known(body, COUNTED if is_counted else KNOWN)
    supported(body, model, "temperature", "top_p")
    if not reasons(model) and ("reasoning" in body or "reasoning.encrypted_content" in (body.get("include") or ())):
        raise ValueError("Unsupported parameter: 'reasoning' is not supported with this model.")
    if not is_counted and body.get("stream") is not True:
        raise ValueError("the stand-in answers only streaming requests")
    least = body.get("max_output_tokens", LEAST_OUTPUT_TOKENS)
    if least < LEAST_OUTPUT_TOKENS:
        raise ValueError("Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16.")
    for tool in body.get("tools") or ():
        if tool["type"] not in ("function", "web_search"):
            raise ValueError(f"Invalid value: '{tool['type']}'. Supported values are: 'function', 'web_search', …")


def _offered(functions: list[Mapping[str, Any]], choice: object, *, has_more: bool) -> Any:
    if not functions and has_more:
        return (), False
    return offered(functions, choice)


def _schema(body: Mapping[str, Any]) -> Any:
    shape = (body.get("text") or {}).get("format")
    return answer_schema(shape if shape and shape["type"] == "json_schema" else None)
