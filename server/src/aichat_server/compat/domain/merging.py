"""Puts the events of a stream together: the whole answer as its vendor would have sent it, unknown fields included."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from aichat_server.compat.domain.anthropic.whole import input_of
from aichat_server.core.texts import storable

Json = dict[str, Any]

_KEPT = ("role", "type", "id", "name", "index", "call_id")
"""Texts that pieces repeat, and do not continue."""


def event_data(data: bytes) -> Iterator[bytes]:
    """Yields the data of server-sent events."""
    for block in data.replace(b"\r\n", b"\n").split(b"\n\n"):
        lines = [line[5:].strip() for line in block.split(b"\n") if line.startswith(b"data:")]
        if lines:
            yield b"\n".join(lines)


def json_events(data: bytes) -> Iterator[Json]:
    """Yields the server-sent events whose data is a JSON object."""
    for one in event_data(data):
        if one.startswith(b"{"):
            yield _decoded(one)


def _decoded(data: bytes) -> Json:
    try:
        return msgspec.json.decode(data, type=Json)
    except msgspec.DecodeError:
        # The standard library accepts lone surrogates, which strict JSON does not.
        return msgspec.json.decode(storable(json.dumps(json.loads(data), ensure_ascii=False)), type=Json)


def whole_message(events: Iterable[Json]) -> Json:
    """Returns the message of Anthropic's events."""
    message: Json = {}
    blocks: dict[int, Json] = {}
    inputs: dict[int, str] = {}
    for event in events:
        match event.get("type"):
            case "message_start":
                message, blocks, inputs = dict(event["message"]), {}, {}
            case "content_block_start":
                blocks[event["index"]] = dict(event["content_block"])
            case "content_block_delta":
                _grow_block(blocks[event["index"]], event["index"], event["delta"], inputs)
            case "message_delta":
                message |= event.get("delta") or {}
                message["usage"] = {**message.get("usage", {}), **(event.get("usage") or {})}
                message |= {name: told for name, told in event.items() if name not in ("type", "delta", "usage")}
            case _:
                """It is no part of the message."""
    for index, told in inputs.items():
        blocks[index]["input"] = input_of(told)
    message["content"] = [blocks[index] for index in sorted(blocks)]
    return message


def _grow_block(block: Json, index: int, delta: Json, inputs: dict[int, str]) -> None:
    match delta.get("type"):
        case "input_json_delta":
            inputs[index] = inputs.get(index, "") + delta.get("partial_json", "")
        case "citations_delta":
            block["citations"] = [*(block.get("citations") or ()), delta.get("citation")]
        case _:
            _grow(block, {name: told for name, told in delta.items() if name != "type"})


def whole_completion(chunks: Iterable[Json]) -> Json:
    """Returns the completion of chunks."""
    whole: Json = {}
    choices: dict[int, Json] = {}
    for chunk in chunks:
        for choice in chunk.get("choices") or ():
            known = choices.setdefault(choice.get("index", 0), {"index": choice.get("index", 0), "message": {}})
            _grow(known["message"], choice.get("delta") or {})
            _grow(known, {name: told for name, told in choice.items() if name not in ("index", "delta")})
        whole |= {name: told for name, told in chunk.items() if name != "choices" and told not in (None, "")}
    whole["object"] = "chat.completion"
    whole["choices"] = [_answered(choices[index]) for index in sorted(choices)]
    return whole


def _answered(choice: Json) -> Json:
    message = {"role": "assistant", "content": None, "refusal": None} | choice["message"]
    for call in message.get("tool_calls") or ():
        call.pop("index", None)
    return {"finish_reason": None, "logprobs": None} | choice | {"message": message}


def _grow(known: Json, more: Json) -> None:
    """Adds what is new: texts and lists continue, lists of indexed objects do so one by one, and all else is set."""
    for name, told in more.items():
        before = known.get(name)
        if isinstance(told, str) and isinstance(before, str) and name not in _KEPT and name != "finish_reason":
            known[name] = before + told
        elif isinstance(told, list):
            known[name] = _grown_list(before if isinstance(before, list) else [], told)
        elif isinstance(told, dict) and isinstance(before, dict):
            _grow(before, told)
        elif told is not None or name not in known:
            known[name] = told


def _grown_list(known: list[Any], more: list[Any]) -> list[Any]:
    for one in more:
        index = one.get("index") if isinstance(one, dict) else None
        before = next((old for old in known if index is not None and old.get("index") == index), None)
        if before is None:
            known.append(one)
        else:
            _grow(before, one)
    return known
