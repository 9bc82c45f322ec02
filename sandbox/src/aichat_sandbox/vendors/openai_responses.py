"""OpenAI's Responses API."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import web

from .asked import Asked, Offered, last_question
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
    "client_metadata", "include", "max_output_tokens", "max_tool_calls", "metadata", "prompt_cache_key",
    "prompt_cache_options", "service_tier", "store", "stream", "stream_options", "temperature", "top_p",
}  # fmt: skip
ECHOED = ("instructions", "metadata")
LEAST_OUTPUT_TOKENS = 16


@dataclass(frozen=True, slots=True)
class AskedResponse(Asked):
    """A request of this API."""

    tier: str = "default"
    is_searching: bool = False
    most_searches: int | None = None
    echo: Mapping[str, Any] = field(default_factory=dict)
    """What the response tells back."""


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
        tools = (*(body.get("tools") or ()), *items.tools)
        searches = _check_tools(tools)
        may_call, must_call = _offered(tools, body.get("tool_choice"), has_more=searches)
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
            is_searching=searches,
            most_searches=body.get("max_tool_calls"),
            echo={name: body[name] for name in ECHOED if name in body},
        )

    def frames(self, reply: Reply) -> Frames:
        """Returns named events from response.created to response.completed."""
        asked = reply.asked
        if not isinstance(asked, AskedResponse):
            raise TypeError("it was asked by another API")
        output = Output(reply, asked.tier, asked.most_searches if asked.is_searching else 0, asked.echo)
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


def _check_tools(tools: Iterable[Mapping[str, Any]]) -> bool:
    """Returns whether one of them searches the web. Raises ValueError for a type that is unknown."""
    for tool in tools:
        if tool["type"] not in ("function", "custom", "namespace", "web_search"):
            raise ValueError(f"Invalid value: '{tool['type']}'. Supported values are: 'function', 'web_search', …")
    return any(tool["type"] == "web_search" for tool in tools)


def _offered(tools: Iterable[Mapping[str, Any]], choice: object, *, has_more: bool) -> tuple[tuple[Offered, ...], bool]:
    """Returns the tools that the client runs and the model may call, and whether it must call one."""
    told = [*_flat(tools)]
    if not told and has_more:
        return (), False
    texts = {"type": "object", "properties": {"input": {"type": "string"}}}
    forms = [{**tool, "parameters": texts} if tool["type"] == "custom" else tool for _, tool in told]
    may_call, must_call = offered(forms, choice)
    own = {tool["name"]: (namespace, tool["type"] == "custom") for namespace, tool in reversed(told)}
    return tuple(replace(one, namespace=own[one.name][0], takes_text=own[one.name][1]) for one in may_call), must_call


def _flat(tools: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str | None, Mapping[str, Any]]]:
    """Yields functions and custom tools, each with its namespace."""
    for tool in tools:
        if tool["type"] == "namespace":
            yield from ((tool["name"], inner) for inner in tool["tools"])
        elif tool["type"] != "web_search":
            yield None, tool


def _schema(body: Mapping[str, Any]) -> Any:
    shape = (body.get("text") or {}).get("format")
    return answer_schema(shape if shape and shape["type"] == "json_schema" else None)
