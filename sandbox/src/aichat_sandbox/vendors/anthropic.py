"""Anthropic's Messages API, versions 2026-10-21 and, as far as it differs in what it takes, 2023-06-01."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from aiohttp import web

from .anthropic_blocks import blocks, listed, prefix, texts_of
from .anthropic_cache import PromptCache
from .anthropic_checks import check
from .anthropic_frames import frames
from .anthropic_turns import check_turns
from .asked import Asked, Offered, Said, last_question
from .protocol import Frames, error_response
from .reply import Reply

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
DEMAND = re.compile(r"Call (?:one of the tools|the tool (\S+)) now\.")
"""How a model is told to call a tool that cannot be made to."""


class Anthropic:
    """Speaks `POST /anthropic/v1/messages`, and counts tokens."""

    name = "anthropic"
    paths = ("/anthropic/v1/messages",)
    counting_paths = ("/anthropic/v1/messages/count_tokens",)

    def __init__(self) -> None:
        self._cache = PromptCache()

    def key(self, request: web.Request) -> str:
        """Returns the `x-api-key`, or the bearer token that newer SDKs send."""
        bearer = request.headers.get("authorization", "").removeprefix("Bearer").strip()
        return request.headers.get("x-api-key", "") or bearer

    def asked(self, request: web.Request, body: Mapping[str, Any]) -> Asked:
        """Reads a Messages request."""
        counts = request.path in self.counting_paths
        version, betas = (request.headers.get(name, "") for name in ("anthropic-version", "anthropic-beta"))
        check(body, counts=counts, version=version, betas=betas)
        check_turns(body)
        all_blocks = tuple(blocks(body))
        question, rounds, results = last_question(_said(body))
        demanded = _demanded(body)
        read, written = self._cache.use(body["model"], self.key(request), all_blocks, writes=not counts)
        choice = body.get("tool_choice") or {"type": "auto"}
        output = (body.get("output_config") or {}).get("format") or {}
        return Asked(
            model=body["model"],
            texts=tuple(text for block in all_blocks for text in block.texts),
            question=question,
            rounds=rounds,
            results=results,
            max_tokens=body.get("max_tokens"),
            stop=tuple(body.get("stop_sequences") or ()),
            wants_reasoning=(body.get("thinking") or {}).get("display") == "summarized",
            tools=_offered(body, choice, demanded),
            must_call=choice["type"] in ("any", "tool") or demanded is not None,
            schema=output.get("schema"),
            images=sum(block.kind == "image" for block in all_blocks),
            documents=sum(block.kind == "document" for block in all_blocks),
            media_tokens=sum(block.media_tokens for block in all_blocks),
            cache_read=read,
            cache_write=written,
            bound_to=prefix(body, len(body["messages"])),
        )

    def frames(self, reply: Reply) -> Frames:
        """Returns named events from message_start to message_stop."""
        return frames(reply)

    def counted(self, asked: Asked) -> object:
        """Returns `{"input_tokens": …}`."""
        return {"input_tokens": asked.tokens}

    def failure(self, status: int, message: str, retry_after: float | None) -> web.Response:
        """Returns `{"type": "error", …}` with the type of the status."""
        error = {"type": TYPES.get(status, "api_error"), "message": message}
        return error_response(status, {"type": "error", "error": error, "request_id": "req_standin"}, retry_after)


def _said(body: Mapping[str, Any]) -> Iterator[Said]:
    for message in body["messages"]:
        if message["role"] == "user":
            content = listed(message["content"])
            texts = [block["text"] for block in content if block["type"] == "text"]
            results = [tuple(texts_of(block)) for block in content if block["type"] == "tool_result"]
            said = tuple(text for text in texts if not (results and DEMAND.fullmatch(text)))
            yield Said(said, tuple(text for result in results for text in result) or (("",) if results else ()))


def _demanded(body: Mapping[str, Any]) -> re.Match[str] | None:
    texts = [block["text"] for block in listed(body["messages"][-1]["content"]) if block["type"] == "text"]
    return DEMAND.fullmatch(texts[-1]) if texts else None


def _offered(body: Mapping[str, Any], choice: Mapping[str, Any], demanded: re.Match[str] | None) -> tuple[Offered, ...]:
    if choice["type"] == "none":
        return ()
    wanted = choice.get("name") or (demanded[1] if demanded else None)
    own = [tool for tool in body.get("tools", ()) if "input_schema" in tool]
    return tuple(Offered(tool["name"], tool["input_schema"]) for tool in own if wanted in (None, tool["name"]))
