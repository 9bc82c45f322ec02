"""OpenAI's Chat Completions, as spoken by OpenAI and compatible endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from .asked import Asked
from .protocol import Frames, encoded, error_response
from .reply import Reply

FINISH = {"end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "refusal": "content_filter"}
CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}
TYPES = {429: "requests", 500: "server_error", 503: "service_unavailable_error"}


class OpenAI:
    """Speaks `POST /openai/v1/chat/completions`."""

    name = "openai"
    paths = ("/openai/v1/chat/completions",)
    counting_paths = ()

    def key(self, request: web.Request) -> str:
        """Returns the bearer token."""
        return request.headers.get("authorization", "").removeprefix("Bearer").strip()

    def asked(self, request: web.Request, body: Mapping[str, Any]) -> Asked:  # noqa: ARG002 - all is in the body
        """Reads a Chat Completions request."""
        if body.get("stream") is not True:
            raise ValueError("the stand-in answers only streaming requests")
        texts = [text for message in body["messages"] for text in _texts(message["content"])]
        stop = body.get("stop") or ()
        most = body.get("max_completion_tokens") or body.get("max_tokens")
        return Asked(
            model=body["model"],
            texts=tuple(texts),
            question=texts[-1] if texts else "",
            max_tokens=most,
            stop=(stop,) if isinstance(stop, str) else tuple(stop),
            wants_usage=bool((body.get("stream_options") or {}).get("include_usage")),
        )

    def frames(self, reply: Reply) -> Frames:
        """Returns chunks, from the one with the role to the one with the usage, then [DONE]."""
        opening = [_chunk(reply, {"role": "assistant", "content": "", "refusal": None})]
        opening += [_chunk(reply, {"reasoning_content": text}) for text in reply.script.reasoning]
        closing = [_chunk(reply, {}, FINISH[reply.stop])]
        if reply.asked.wants_usage and not reply.script.no_usage:
            closing.append(_data({**_head(reply), "choices": [], "usage": _usage(reply)}))
        error = {"message": "The server had an error while processing your request.", "type": "server_error"}
        return Frames(
            opening=b"".join(opening),
            deltas=tuple(_chunk(reply, {"content": text}) for text in reply.deltas),
            closing=b"".join([*closing, b"data: [DONE]\n\n"]),
            error=_data({"error": {**error, "param": None, "code": None}}),
            usage=_usage(reply),
        )

    def counted(self, asked: Asked) -> object:
        """It does not count."""
        raise NotImplementedError

    def failure(self, status: int, message: str, retry_after: float | None) -> web.Response:
        """Returns `{"error": …}` with the code of the status."""
        kind = TYPES.get(status, "invalid_request_error")
        error = {"message": message, "type": kind, "param": None, "code": CODES.get(status)}
        return error_response(status, {"error": error}, retry_after)


def _head(reply: Reply) -> dict[str, object]:
    return {
        "id": "chatcmpl-standin", "object": "chat.completion.chunk", "created": 1_700_000_000,
        "model": reply.asked.model, "service_tier": "default", "system_fingerprint": "fp_standin",
    }  # fmt: skip


def _chunk(reply: Reply, delta: Mapping[str, object], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    usage = {"usage": None} if reply.asked.wants_usage else {}
    return _data({**_head(reply), "choices": [choice], **usage})


def _usage(reply: Reply) -> dict[str, object]:
    return {
        "prompt_tokens": reply.input_tokens,
        "completion_tokens": reply.output_tokens,
        "total_tokens": reply.input_tokens + reply.output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reply.reasoning_tokens, "audio_tokens": 0},
        **reply.script.usage,
    }


def _data(value: object) -> bytes:
    return b"data: " + encoded(value) + b"\n\n"


def _texts(content: str | list[dict[str, str]]) -> list[str]:
    return [content] if isinstance(content, str) else [part["text"] for part in content]
