"""Streams of vendors as whole answers."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from aichat_server.compat.domain.merging import json_events, whole_message

START = b'data: {"type":"message_start","message":{"id":"m","usage":{"input_tokens":5}}}\n\n'


def told(block: bytes, delta: bytes) -> Any:
    """Returns the block that a stream makes of two deltas."""
    begun = b'data: {"type":"content_block_start","index":0,"content_block":%s}\n\n' % block
    more = b'data: {"type":"content_block_delta","index":0,"delta":%s}\n\n' % delta
    [content] = whole_message(json_events(START + begun + more))["content"]
    return msgspec.json.decode(msgspec.json.encode(content))


@pytest.mark.parametrize(
    ("written", "arguments"),
    [
        (b'"{\\"a\\": 1.50}"', {"a": 1.5}),
        (b'""', {}),
        # Its answer was cut off at max_tokens, or the model wrote no JSON.
        (b'"{\\"a\\": [1, "', {"INVALID_JSON": '{"a": [1, '}),
    ],
)
def test_a_call_has_what_the_model_wrote(written: bytes, arguments: object) -> None:
    call = b'{"type":"tool_use","id":"t","name":"f","input":{}}'
    assert told(call, b'{"type":"input_json_delta","partial_json":%s}' % written)["input"] == arguments


def test_a_lone_surrogate_does_not_cost_the_answer() -> None:
    assert told(b'{"type":"text","text":""}', b'{"type":"text_delta","text":"a\\ud83d"}')["text"] == "a\ufffd"
