"""Completions put together of chunks, as OpenAI and compatible endpoints write them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aichat_server.compat.domain.merging import json_events, whole_completion


def merged(*deltas: dict[str, Any], around: dict[str, Any] | None = None) -> dict[str, Any]:
    """Returns the choice of a completion with these deltas. `around`: what each choice has beside its delta."""
    chunks = [{"id": "c", "p": "pad", "choices": [{"index": None, "delta": one, **(around or {})}]} for one in deltas]
    data = b"\xef\xbb\xbf" + b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in chunks)
    whole = json.loads(json.dumps(whole_completion(json_events(data))))
    assert "p" not in whole
    [choice] = whole["choices"]
    return dict(choice)


def thought(text: str) -> dict[str, Any]:
    """A block of Mistral's reasoning."""
    return {"type": "thinking", "thinking": [{"type": "text", "text": text}]}


@pytest.mark.parametrize(
    ("field", "pieces", "whole"),
    [
        ("content", ["ha", "ha", ""], "haha"),
        ("content", ["", [thought("So")], [thought(", 4")], [{"type": "text", "text": "Fo"}], "ur", ""],
         [thought("So, 4"), {"type": "text", "text": "Four"}]),
        ("content", ["Hi ", [{"type": "reference", "ids": [1]}], [{"type": "reference", "ids": [2]}]],
         [{"type": "text", "text": "Hi "}, {"type": "reference", "ids": [1]}, {"type": "reference", "ids": [2]}]),
        ("channel", ["analysis", "analysis", "final"], "final"),
        ("mood", ["good", "good"], "good"),
        # Alibaba names a call once, and has empty names in what follows.
        ("tool_calls", [[{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{"}}],
                        [{"index": 0, "id": "", "function": {"name": "", "arguments": "}"}}]],
         [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]),
        ("reasoning_details", [[{"index": 0, "type": "reasoning.text", "text": one, "format": "f1"}] for one in "aab"],
         [{"index": 0, "type": "reasoning.text", "text": "aab", "format": "f1"}]),
        ("annotations", [[{"type": "url_citation", "n": 1}], [{"type": "url_citation", "n": 2}]],
         [{"type": "url_citation", "n": 1}, {"type": "url_citation", "n": 2}]),
    ],
)  # fmt: skip
def test_deltas_are_put_together(field: str, pieces: list[Any], whole: Any) -> None:
    assert merged(*({field: one} for one in pieces))["message"][field] == whole


def test_what_chunks_repeat_is_told_once() -> None:
    filtered = {"hate": {"severity": "safe", "filtered": False}}
    around = {"finish_reason": "stop", "native_finish_reason": "completed", "content_filter_results": filtered}
    choice = merged({"content": "a"}, {"content": "a"}, around=around)
    assert {name: choice[name] for name in around} == around
    assert merged({"content": "a"}, around={"finish_reason": None})["finish_reason"] == "stop"
