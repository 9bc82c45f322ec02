"""Puts the events of a stream together: the whole answer as its vendor would have sent it, unknown fields included."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from aichat_server.compat.domain.anthropic.whole import input_of
from aichat_server.core.texts import storable

Json = dict[str, Any]

_BOM = b"\xef\xbb\xbf"
_KEPT = ("role", "type", "id", "name", "index", "call_id", "channel")
"""Texts that pieces repeat, and do not continue."""
_CONTINUED = ("content", "text", "arguments", "input", "refusal", "thinking", "reasoning", "reasoning_content",
    "summary", "transcript")  # fmt: skip
"""Texts that pieces continue, even with the same words. Of others, the same words are a label that is repeated."""
_PADDING = ("obfuscation", "p")
"""What hides how long the pieces are: OpenAI's and Mistral's."""


def event_data(data: bytes) -> Iterator[bytes]:
    """Yields the data of server-sent events."""
    for block in data.removeprefix(_BOM).replace(b"\r\n", b"\n").split(b"\n\n"):
        lines = [line[5:].strip() for line in block.split(b"\n") if line.startswith(b"data:")]
        if lines:
            yield b"\n".join(lines)


def json_events(data: bytes) -> Iterator[Json]:
    """Yields the server-sent events whose data is a JSON object."""
    for one in event_data(data):
        if one.startswith(b"{"):
            yield json_event(one)


def json_event(data: bytes) -> Json:
    """Returns an event's JSON object."""
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
            index = choice.get("index") or 0
            known = choices.setdefault(index, {"index": index, "message": {}})
            _grow(known["message"], choice.get("delta") or {})
            _grow(known, {name: told for name, told in choice.items() if name not in ("index", "delta")})
        whole |= {
            name: told for name, told in chunk.items() if name not in ("choices", *_PADDING) and told not in (None, "")
        }
    whole["object"] = "chat.completion"
    whole["choices"] = [_answered(choices[index]) for index in sorted(choices)]
    return whole


def _answered(choice: Json) -> Json:
    message = {"role": "assistant", "content": None, "refusal": None} | choice["message"]
    for call in message.get("tool_calls") or ():
        call.pop("index", None)
    # A few endpoints never say why the model ended.
    reason = choice.get("finish_reason") or ("tool_calls" if message.get("tool_calls") else "stop")
    return {"logprobs": None} | choice | {"message": message, "finish_reason": reason}


def _grow(known: Json, more: Json) -> None:
    """Adds what is new: texts and lists continue, lists of indexed objects do so one by one, and all else is set."""
    for name, told in more.items():
        before = known.get(name)
        if isinstance(told, list):
            known[name] = _grown_list(_blocks(before), told)
        elif isinstance(told, str) and isinstance(before, list):
            # Mistral writes blocks while it reasons, and texts behind them.
            known[name] = _grown_list(before, _blocks(told))
        elif isinstance(told, str) and isinstance(before, str) and _continues(name, before, told):
            known[name] = before + told
        elif isinstance(told, dict) and isinstance(before, dict):
            _grow(before, told)
        elif told not in (None, "") or name not in known:
            known[name] = told


def _continues(name: str, before: str, told: str) -> bool:
    """Whether a text is more of the one before, and not a label that is repeated, or another one."""
    return name in _CONTINUED or (name not in _KEPT and not name.endswith("finish_reason") and told != before)


def _blocks(told: object) -> list[Any]:
    """Returns content as a list of blocks."""
    if isinstance(told, list):
        return told
    return [{"type": "text", "text": told}] if isinstance(told, str) and told else []


def _grown_list(known: list[Any], more: list[Any]) -> list[Any]:
    for one in more:
        before = _before(known, one) if isinstance(one, dict) else None
        if before is None:
            known.append(one)
        else:
            _grow(before, one)
    return known


def _before(known: list[Any], one: Json) -> Json | None:
    """Returns what `one` continues: the object with its index, or the last block if both are texts or thoughts."""
    if (index := one.get("index")) is not None:
        return next((old for old in known if isinstance(old, dict) and old.get("index") == index), None)
    last = known[-1] if known else None
    continues = one.get("type") in ("text", "thinking") and isinstance(last, dict) and last.get("type") == one["type"]
    return last if continues else None
