"""A reply as the events of a message."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .anthropic_turns import signed
from .protocol import Frames, encoded
from .reply import Call, Reply


def frames(reply: Reply) -> Frames:
    """Returns named events from message_start to message_stop."""
    asked, script = reply.asked, reply.script
    read, written = asked.cache_read, asked.cache_write
    usage: dict[str, Any] = {
        "input_tokens": reply.input_tokens - read - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": read,
    }
    usage |= {key: value for key, value in script.usage.items() if key != "output_tokens"}
    message: dict[str, object] = {
        "id": "msg_standin", "type": "message", "role": "assistant", "model": asked.model, "content": [],
        "stop_reason": None, "stop_sequence": None, "usage": {**usage, "output_tokens": 1},
    }  # fmt: skip
    index = bool(script.reasoning) + 2 * len(script.searches)
    has_text = bool(reply.deltas) or not reply.calls
    texts = [_delta(index, "text_delta", text=text) for text in reply.deltas]
    opening = [_event("message_start", message=message), _event("ping"), *_thinking(reply), *_searches(reply)]
    closing: list[bytes] = []
    if has_text:
        opening.append(_start(index, {"type": "text", "text": ""}))
        closing += [*_citations(reply, index), _event("content_block_stop", index=index)]
    calls = [piece for n, call in enumerate(reply.calls) for piece in _call(call, index + has_text + n)]
    if calls:
        # The text ends where the first call begins.
        calls[0], closing = b"".join(closing) + calls[0], []
    searched = {"server_tool_use": {"web_search_requests": len(script.searches)}} if script.searches else {}
    # The last event repeats the whole usage, which some clients read there alone.
    final = {**usage, "output_tokens": reply.output_tokens, **searched, **script.usage}
    delta = {"stop_reason": reply.stop, "stop_sequence": reply.stop_sequence}
    closing.append(_event("message_delta", delta=delta, **({} if script.no_usage else {"usage": final})))
    return Frames(
        opening=b"".join(opening),
        deltas=(*texts, *calls),
        closing=b"".join([*closing, _event("message_stop")]),
        error=_event("error", error={"type": "overloaded_error", "message": "Overloaded"}),
        usage=final,
    )


def _thinking(reply: Reply) -> Iterator[bytes]:
    if reply.script.reasoning:
        yield _start(0, {"type": "thinking", "thinking": "", "signature": ""})
        for text in reply.script.reasoning:
            yield _delta(0, "thinking_delta", thinking=text)
        if reply.script.signed:
            signature = signed("".join(reply.script.reasoning), reply.asked.bound_to)
            yield _delta(0, "signature_delta", signature=signature)
        yield _event("content_block_stop", index=0)


def _searches(reply: Reply) -> Iterator[bytes]:
    index = bool(reply.script.reasoning)
    for n, search in enumerate(reply.script.searches):
        call, at = f"srvtoolu_{reply.id}{n}", index + 2 * n
        yield _start(at, {"type": "server_tool_use", "id": call, "name": "web_search", "input": {}})
        yield _delta(at, "input_json_delta", partial_json=encoded({"query": search.query}).decode())
        yield _event("content_block_stop", index=at)
        found = [
            {"type": "web_search_result", "url": found.url, "title": found.title, "encrypted_content": found.text}
            for found in search.results
        ]
        yield _start(at + 1, {"type": "web_search_tool_result", "tool_use_id": call, "content": found})
        yield _event("content_block_stop", index=at + 1)


def _citations(reply: Reply, index: int) -> Iterator[bytes]:
    for n, cited in enumerate(reply.script.citations):
        citation = {
            "type": "web_search_result_location", "url": cited.url, "title": cited.title, "cited_text": cited.quote,
            "encrypted_index": f"index{n}",
        }  # fmt: skip
        yield _delta(index, "citations_delta", citation=citation)


def _call(call: Call, index: int) -> list[bytes]:
    begun = _start(index, {"type": "tool_use", "id": f"toolu_{call.id}", "name": call.name, "input": {}})
    pieces = [_delta(index, "input_json_delta", partial_json=piece) for piece in call.pieces or ("",)]
    ended = _event("content_block_stop", index=index)
    return [begun + pieces[0], *pieces[1:-1], pieces[-1] + ended] if len(pieces) > 1 else [begun + pieces[0] + ended]


def _start(index: int, block: dict[str, object]) -> bytes:
    return _event("content_block_start", index=index, content_block=block)


def _delta(index: int, kind: str, **fields: object) -> bytes:
    return _event("content_block_delta", index=index, delta={"type": kind, **fields})


def _event(kind: str, **fields: object) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + encoded({"type": kind, **fields}) + b"\n\n"
