"""Gemini's streamGenerateContent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from .asked import Asked
from .protocol import Frames, encoded, error_response
from .reply import Reply

FINISH = {"end_turn": "STOP", "stop_sequence": "STOP", "max_tokens": "MAX_TOKENS", "refusal": "SAFETY"}
STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class Gemini:
    """Speaks `POST /gemini/v1/models/{model}:streamGenerateContent?alt=sse`, and the same under v1beta."""

    name = "gemini"
    paths = ("/gemini/{version:v1|v1beta}/models/{model}:streamGenerateContent",)
    counting_paths = ()

    def key(self, request: web.Request) -> str:
        """Returns the `x-goog-api-key`, or the `key` of the query."""
        return request.headers.get("x-goog-api-key", "") or request.query.get("key", "")

    def asked(self, request: web.Request, body: Mapping[str, Any]) -> Asked:
        """Reads a GenerateContent request."""
        if request.query.get("alt") != "sse":
            raise ValueError("the stand-in answers only streaming requests with alt=sse")
        contents = [body["systemInstruction"]] if body.get("systemInstruction") else []
        contents += body["contents"]
        config = body.get("generationConfig") or {}
        thinking = config.get("thinkingConfig") or {}
        texts = tuple(part["text"] for content in contents for part in content["parts"])
        return Asked(
            model=request.match_info["model"],
            texts=texts,
            question=texts[-1] if texts else "",
            max_tokens=config.get("maxOutputTokens"),
            stop=tuple(config.get("stopSequences") or ()),
            wants_reasoning=bool(thinking.get("includeThoughts") or thinking.get("include_thoughts")),
        )

    def frames(self, reply: Reply) -> Frames:
        """Returns chunks of one candidate: thoughts first, the finish reason on the last."""
        thoughts = [_chunk(reply, {"text": text, "thought": True}) for text in reply.script.reasoning]
        error = {"code": 503, "message": "The model is overloaded. Please try again later.", "status": "UNAVAILABLE"}
        return Frames(
            opening=b"".join(thoughts),
            deltas=tuple(_chunk(reply, {"text": text}) for text in reply.deltas),
            closing=_chunk(reply, {"text": ""}, FINISH[reply.stop]),
            error=_data({"error": error}),
            usage=_usage(reply, final=True),
        )

    def counted(self, asked: Asked) -> object:
        """It does not count."""
        raise NotImplementedError

    def failure(self, status: int, message: str, retry_after: float | None) -> web.Response:
        """Returns `{"error": …}`; the delay is a RetryInfo in its details."""
        error: dict[str, object] = {"code": status, "message": message, "status": STATUSES.get(status, "INTERNAL")}
        if retry_after is not None:
            kind = "type.googleapis.com/google.rpc.RetryInfo"
            error["details"] = [{"@type": kind, "retryDelay": f"{retry_after:g}s"}]
        return error_response(status, {"error": error})


def _chunk(reply: Reply, part: Mapping[str, object], finish: str | None = None) -> bytes:
    candidate: dict[str, object] = {"content": {"parts": [part], "role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    chunk: dict[str, object] = {"candidates": [candidate]}
    if not reply.script.no_usage:
        chunk["usageMetadata"] = _usage(reply, final=finish is not None)
    return _data({**chunk, "modelVersion": reply.asked.model, "responseId": "standin"})


def _usage(reply: Reply, *, final: bool) -> dict[str, object]:
    usage: dict[str, object] = {"promptTokenCount": reply.input_tokens}
    if reply.reasoning_tokens:
        usage["thoughtsTokenCount"] = reply.reasoning_tokens
    usage["candidatesTokenCount"] = reply.output_tokens - reply.reasoning_tokens if final else 1
    usage["totalTokenCount"] = reply.input_tokens + reply.output_tokens
    return {**usage, **reply.script.usage}


def _data(value: object) -> bytes:
    return b"data: " + encoded(value) + b"\r\n\r\n"
