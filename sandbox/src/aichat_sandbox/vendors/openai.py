"""OpenAI's Chat Completions, as spoken by OpenAI and compatible endpoints."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aiohttp import web

from .asked import Asked, Said, last_question
from .openai_cache import Cache
from .openai_checks import (
    IMAGE_TOKENS,
    PAGE_TOKENS,
    answer_schema,
    check_file,
    check_image,
    known,
    offered,
    supported,
)
from .protocol import Frames, encoded, error_response
from .reply import Call, Reply

FINISH = {
    "end_turn": "stop", "stop_sequence": "stop", "max_tokens": "length", "refusal": "content_filter",
    "tool_use": "tool_calls",
}  # fmt: skip
CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}
TYPES = {429: "requests", 500: "server_error", 503: "service_unavailable_error"}
KNOWN = frozenset({
    "model", "messages", "stream", "stream_options", "service_tier", "max_completion_tokens", "max_tokens", "stop",
    "temperature", "top_p", "seed", "reasoning_effort", "response_format", "tools", "tool_choice",
    "parallel_tool_calls", "prompt_cache_key",
})  # fmt: skip


class OpenAI:
    """Speaks `POST /openai/v1/chat/completions`."""

    name = "openai"
    paths = ("/openai/v1/chat/completions",)
    counting_paths = ()

    def __init__(self) -> None:
        self._cache = Cache()

    def key(self, request: web.Request) -> str:
        """Returns the bearer token."""
        return request.headers.get("authorization", "").removeprefix("Bearer").strip()

    def asked(self, request: web.Request, body: Mapping[str, Any]) -> Asked:  # noqa: ARG002 - all is in the body
        """Reads a Chat Completions request."""
        if body.get("stream") is not True:
            raise ValueError("the stand-in answers only streaming requests")
        known(body, KNOWN)
        supported(body, body["model"])
        read = _Messages(body["messages"])
        stop = body.get("stop") or ()
        tools, must_call = offered([tool["function"] for tool in body.get("tools") or ()], _choice(body))
        texts = (*(repr(tool) for tool in body.get("tools") or ()), *read.texts)
        question, rounds, results = last_question(read.said)
        cached, _ = self._cache.read(body["model"], body.get("prompt_cache_key", ""), texts)
        return Asked(
            model=body["model"],
            texts=texts,
            question=question,
            rounds=rounds,
            results=results,
            max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
            stop=(stop,) if isinstance(stop, str) else tuple(stop),
            wants_usage=bool((body.get("stream_options") or {}).get("include_usage")),
            tools=tools,
            must_call=must_call,
            schema=answer_schema((body.get("response_format") or {}).get("json_schema")),
            images=read.images,
            documents=read.documents,
            media_tokens=read.images * IMAGE_TOKENS + read.documents * PAGE_TOKENS,
            cache_read=cached,
        )

    def frames(self, reply: Reply) -> Frames:
        """Returns chunks, from the one with the role to the one with the usage, then [DONE]."""
        opening = [_chunk(reply, {"role": "assistant", "content": "", "refusal": None})]
        opening += [_chunk(reply, {"reasoning_content": text}) for text in reply.script.reasoning]
        deltas = [_chunk(reply, {"content": text}) for text in reply.deltas]
        begun: list[bytes] = []
        for n, call in enumerate(reply.calls):
            begun.append(_call(reply, n, call))
            for piece in call.pieces:
                deltas.append(b"".join([*begun, _piece(reply, n, piece)]))
                begun = []
        closing = [*begun, *_notes(reply), _chunk(reply, {}, FINISH[reply.stop])]
        if reply.asked.wants_usage and not reply.script.no_usage:
            closing.append(_data({**_head(reply), "choices": [], "usage": _usage(reply)}))
        error = {"message": "The server had an error while processing your request.", "type": "server_error"}
        return Frames(
            opening=b"".join(opening),
            deltas=tuple(deltas),
            closing=b"".join([*closing, b"data: [DONE]\n\n"]),
            error=_data({"error": {**error, "param": None, "code": None}}),
            usage=_usage(reply),
        )

    def counted(self, asked: Asked) -> object:
        """It does not count."""
        raise NotImplementedError

    def failure(self, status: int, message: str, retry_after: float | None) -> web.Response:
        """Returns `{"error": …}` with the code of the status."""
        return failure(status, message, retry_after)


def failure(status: int, message: str, retry_after: float | None) -> web.Response:
    """Returns `{"error": …}` with the code of the status."""
    kind = TYPES.get(status, "invalid_request_error")
    error = {"message": message, "type": kind, "param": None, "code": CODES.get(status)}
    return error_response(status, {"error": error}, retry_after)


class _Messages:
    """Checked messages."""

    def __init__(self, messages: Sequence[Mapping[str, Any]]) -> None:
        self.texts: list[str] = []
        self.said: list[Said] = []
        self.images = self.documents = 0
        self._is_new_round = True
        waiting: list[str] = []
        for message in messages:
            if message["role"] == "tool":
                self._result(message, waiting)
                continue
            if waiting:
                raise ValueError(
                    "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
                    f"'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(waiting)}"
                )
            content = [*self._content(message)]
            self.texts += content
            if message["role"] == "user":
                self.said.append(Said(tuple(content)))
            waiting = [call["id"] for call in message.get("tool_calls") or ()]
            self._is_new_round = True
            for call in message.get("tool_calls") or ():
                self.texts += [call["function"]["name"], call["function"]["arguments"]]
        if waiting:
            raise ValueError("An assistant message with 'tool_calls' must be followed by tool messages.")

    def _result(self, message: Mapping[str, Any], waiting: list[str]) -> None:
        if message["tool_call_id"] not in waiting:
            raise ValueError("messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.")
        waiting.remove(message["tool_call_id"])
        content = tuple(self._content(message))
        self.texts += content
        if not self._is_new_round:
            content = (*self.said.pop().results, *content)
        self._is_new_round = False
        self.said.append(Said(results=content))

    def _content(self, message: Mapping[str, Any]) -> Iterator[str]:
        content = message.get("content")
        if content is None and not message.get("tool_calls"):
            raise ValueError("Invalid value for 'content': expected a string, got null.")
        if not isinstance(content, list):
            yield from [content] if content is not None else []
            return
        for part in content:
            if part["type"] == "text":
                yield part["text"]
            elif message["role"] == "user":
                self._media(part)
            else:
                raise ValueError(f"Invalid content type '{part['type']}' for role '{message['role']}'.")

    def _media(self, part: Mapping[str, Any]) -> None:
        match part["type"]:
            case "image_url":
                check_image(part["image_url"]["url"])
                self.images += 1
            case "file":
                check_file(part["file"])
                self.documents += 1
            case kind:
                raise ValueError(f"Invalid value: '{kind}'. Supported values are: 'text', 'image_url', 'file'.")
        self.texts.append(hashlib.sha256(json.dumps(part).encode()).hexdigest()[:8])


def _choice(body: Mapping[str, Any]) -> object:
    choice = body.get("tool_choice")
    return choice["function"] if isinstance(choice, Mapping) else choice


def _notes(reply: Reply) -> Iterator[bytes]:
    text = "".join(reply.deltas)
    for cited in reply.script.citations:
        told = {"url": cited.url, "title": cited.title, "start_index": 0, "end_index": len(text)}
        yield _chunk(reply, {"annotations": [{"type": "url_citation", "url_citation": told}]})


def _call(reply: Reply, n: int, call: Call) -> bytes:
    function = {"name": call.name, "arguments": ""}
    told = {"index": n, "id": f"call_{call.id}", "type": "function", "function": function}
    return _chunk(reply, {"tool_calls": [told]})


def _piece(reply: Reply, n: int, text: str) -> bytes:
    return _chunk(reply, {"tool_calls": [{"index": n, "function": {"arguments": text}}]})


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
        "prompt_tokens_details": {"cached_tokens": reply.asked.cache_read, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reply.reasoning_tokens, "audio_tokens": 0},
        **reply.script.usage,
    }


def _data(value: object) -> bytes:
    return b"data: " + encoded(value) + b"\n\n"
