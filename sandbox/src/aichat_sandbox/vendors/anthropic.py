"""Anthropic's Messages API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aiohttp import web

from .asked import Asked
from .protocol import Frames, encoded, error_response
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


class Anthropic:
    """Speaks `POST /anthropic/v1/messages`."""

    name = "anthropic"
    paths = ("/anthropic/v1/messages",)
    counting_paths = ("/anthropic/v1/messages/count_tokens",)

    def key(self, request: web.Request) -> str:
        """Returns the `x-api-key`, or the bearer token that newer SDKs send."""
        bearer = request.headers.get("authorization", "").removeprefix("Bearer").strip()
        return request.headers.get("x-api-key", "") or bearer

    def asked(self, request: web.Request, body: Mapping[str, Any]) -> Asked:  # noqa: ARG002 - all is in the body
        """Reads a Messages request."""
        system = body.get("system", "")
        texts = [*_texts(system)] + [text for message in body["messages"] for text in _texts(message["content"])]
        thinking = body.get("thinking") or {}
        return Asked(
            model=body["model"],
            texts=tuple(texts),
            question=texts[-1] if texts else "",
            max_tokens=int(body["max_tokens"]),
            stop=tuple(body.get("stop_sequences") or ()),
            wants_reasoning=thinking.get("display") == "summarized",
        )

    def frames(self, reply: Reply) -> Frames:
        """Returns named events from message_start to message_stop."""
        usage = {"input_tokens": reply.input_tokens, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
        usage |= {key: value for key, value in reply.script.usage.items() if key != "output_tokens"}
        message: dict[str, object] = {
            "id": "msg_standin", "type": "message", "role": "assistant", "model": reply.asked.model, "content": [],
            "stop_reason": None, "stop_sequence": None, "usage": {**usage, "output_tokens": 1},
        }  # fmt: skip
        index = 1 if reply.script.reasoning else 0
        start = _event("content_block_start", index=index, content_block={"type": "text", "text": ""})
        opening = [_event("message_start", message=message), _event("ping"), *_thinking(reply), start]
        delta = {"stop_reason": reply.stop, "stop_sequence": reply.stop_sequence}
        final = {"output_tokens": reply.output_tokens, **reply.script.usage}
        spent = {} if reply.script.no_usage else {"usage": final}
        closing = [
            _event("content_block_stop", index=index),
            _event("message_delta", delta=delta, **spent),
            _event("message_stop"),
        ]
        return Frames(
            opening=b"".join(opening),
            deltas=tuple(_delta(index, "text_delta", "text", text) for text in reply.deltas),
            closing=b"".join(closing),
            error=_event("error", error={"type": "overloaded_error", "message": "Overloaded"}),
            usage={**usage, **final},
        )

    def counted(self, asked: Asked) -> object:
        """Returns `{"input_tokens": …}`."""
        return {"input_tokens": asked.tokens}

    def failure(self, status: int, message: str, retry_after: float | None) -> web.Response:
        """Returns `{"type": "error", …}` with the type of the status."""
        error = {"type": TYPES.get(status, "api_error"), "message": message}
        return error_response(status, {"type": "error", "error": error, "request_id": "req_standin"}, retry_after)


def _thinking(reply: Reply) -> Iterator[bytes]:
    if reply.script.reasoning:
        yield _event(
            "content_block_start", index=0, content_block={"type": "thinking", "thinking": "", "signature": ""}
        )
        for text in reply.script.reasoning:
            yield _delta(0, "thinking_delta", "thinking", text)
        yield _delta(0, "signature_delta", "signature", "c3RhbmQtaW4=")
        yield _event("content_block_stop", index=0)


def _event(kind: str, **fields: object) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + encoded({"type": kind, **fields}) + b"\n\n"


def _delta(index: int, kind: str, name: str, text: str) -> bytes:
    return _event("content_block_delta", index=index, delta={"type": kind, name: text})


def _texts(content: str | list[dict[str, str]]) -> list[str]:
    return ([content] if content else []) if isinstance(content, str) else [part["text"] for part in content]
