"""Gemini's streamGenerateContent and countTokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from .asked import Asked
from .gemini_asked import Beginnings, asked_for
from .gemini_checks import check
from .gemini_reply import frames
from .protocol import Frames, error_response
from .reply import Reply

STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
COUNT = ":countTokens"


class Gemini:
    """Speaks `POST /gemini/v1/models/{model}:streamGenerateContent?alt=sse`, `:countTokens`, and both under v1beta."""

    name = "gemini"
    paths = ("/gemini/{version:v1|v1beta}/models/{model}:streamGenerateContent",)
    counting_paths = ("/gemini/{version:v1|v1beta}/models/{model}" + COUNT,)

    def __init__(self) -> None:
        self._beginnings = Beginnings()

    def key(self, request: web.Request) -> str:
        """Returns the `x-goog-api-key`, or the `key` of the query."""
        return request.headers.get("x-goog-api-key", "") or request.query.get("key", "")

    def asked(self, request: web.Request, body: Mapping[str, Any]) -> Asked:
        """Reads a GenerateContent request, or the one whose tokens are counted."""
        model = request.match_info["model"]
        if request.path.endswith(COUNT):
            counted = dict(body["generateContentRequest"])
            if counted.pop("model") != f"models/{model}":
                raise ValueError("the request to count is for another model")
            check(counted, model)
            return asked_for(counted, model)
        if request.query.get("alt") != "sse":
            raise ValueError("the stand-in answers only streaming requests with alt=sse")
        check(body, model)
        return asked_for(body, model, cache_read=self._beginnings.take(body, model))

    def frames(self, reply: Reply) -> Frames:
        """Returns chunks of one candidate: thoughts and searches first, the finish reason on the last."""
        return frames(reply)

    def counted(self, asked: Asked) -> object:
        """Returns `{"totalTokens": …}`."""
        return {"totalTokens": asked.tokens}

    def failure(self, status: int, message: str, retry_after: float | None) -> web.Response:
        """Returns `{"error": …}`; the delay is a RetryInfo in its details."""
        error: dict[str, object] = {"code": status, "message": message, "status": STATUSES.get(status, "INTERNAL")}
        if retry_after is not None:
            kind = "type.googleapis.com/google.rpc.RetryInfo"
            error["details"] = [{"@type": kind, "retryDelay": f"{retry_after:g}s"}]
        return error_response(status, {"error": error})
