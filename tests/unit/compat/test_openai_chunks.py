"""The chunks of an answer, from its events."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from aichat_server.compat.rpc.openai.chat_answers import completion
from aichat_server.compat.rpc.openai.chat_chunks import Chunks
from aichat_server.content.parts import (
    Citation,
    DocumentSource,
    Part,
    ReasoningPart,
    Signature,
    TextPart,
    ToolCallPart,
    WebSource,
)
from aichat_server.core.money import NanoUsd
from aichat_server.generations.domain.generation import Answer, GenerationState
from aichat_server.generations.domain.shown import shown
from aichat_server.generations.domain.stream import Completed, Heartbeat, Started, StreamEvent
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import StopReason

ID = UUID("0192f0c1-2345-7000-8000-000000000001")
MARK = Signature("gemini", "sig")
USAGE = Usage(input=5, cache_read=3, cache_write=2, cache_write_1h=1, output=7, reasoning=4)
PAGE = Citation(WebSource("https://example.com/a"), "A", start=1, end=3)
PARTS: tuple[Part, ...] = (
    ReasoningPart("Hm", MARK),
    TextPart("é "),
    TextPart("It's so.", (PAGE, Citation(DocumentSource(0), "no page"))),
    ToolCallPart("c1", "look", '{"a":1}', MARK),
    ToolCallPart("c2", "look", "{}"),
)


def answer(stop: StopReason | None = StopReason.TOOL_USE) -> Answer:
    """A whole answer."""
    return Answer(ID, "m", PARTS, GenerationState.COMPLETE, stop, USAGE, NanoUsd(1_230_000))


def chunks(provider: str, *, shows_usage: bool = True) -> list[Any]:
    """The chunks of the answer, and texts of what else is sent."""
    begun = Started(ID, "m", provider, "asked", {})
    events: list[StreamEvent] = [begun, Heartbeat(), *shown(PARTS), Completed(answer(), {})]
    writer = Chunks("asked", shows_usage=shows_usage)
    sent = b"".join(piece for event in events for piece in writer.write(event)).decode().split("\n\n")
    assert sent.pop() == ""
    return [json.loads(one[6:]) if one.startswith("data: {") else one for one in sent]


def deltas(provider: str) -> list[Any]:
    """The deltas of the answer's chunks."""
    told = [chunk for chunk in chunks(provider) if isinstance(chunk, dict)]
    return [chunk["choices"][0]["delta"] for chunk in told if chunk["choices"]]


def test_calls_begin_with_their_names_and_go_on_with_arguments() -> None:
    calls = [delta["tool_calls"][0] for delta in deltas("anthropic") if "tool_calls" in delta]
    assert calls == [
        {"index": 0, "id": "c1", "type": "function", "function": {"name": "look", "arguments": ""}},
        {"index": 0, "function": {"arguments": '{"a":1}'}},
        {"index": 1, "id": "c2", "type": "function", "function": {"name": "look", "arguments": ""}},
        {"index": 1, "function": {"arguments": "{}"}},
    ]


def test_calls_of_gemini_come_whole_with_their_marks() -> None:
    calls = [delta["tool_calls"][0] for delta in deltas("gemini") if "tool_calls" in delta]
    whole = {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"a":1}'}}
    assert calls[0] == {"index": 0, **whole, "extra_content": {"google": {"thought_signature": "sig"}}}
    assert "extra_content" not in calls[1]


def test_a_stream_has_its_beginning_its_heartbeats_and_its_end() -> None:
    first, heartbeat, *rest = chunks("anthropic")
    assert (first["choices"][0]["delta"], heartbeat) == ({"role": "assistant", "content": ""}, ": heartbeat")
    ended, usage, done = rest[-3:]
    assert (ended["choices"][0]["finish_reason"], done) == ("tool_calls", "data: [DONE]")
    assert (usage["choices"], usage["usage"]["cost"], ended["usage"]) == ([], 0.00123, None)
    assert {(chunk["id"], chunk["created"], chunk["model"]) for chunk in [first, *rest[:-1]]} == {
        (f"chatcmpl-{ID.hex}", first["created"], "asked")
    }
    assert all("usage" not in chunk for chunk in chunks("anthropic", shows_usage=False) if isinstance(chunk, dict))


def test_a_completion_says_the_same_as_its_chunks() -> None:
    told = completion(answer(), "asked")
    message, sent = told["choices"][0]["message"], deltas("anthropic")
    for name in ("content", "reasoning_content"):
        assert message[name] == "".join(delta.get(name, "") for delta in sent)
    for name in ("annotations", "reasoning_details"):
        assert message[name] == next(delta[name] for delta in sent if name in delta)
    assert message["annotations"][0]["url_citation"] == {
        "start_index": 3, "end_index": 5, "title": "A", "url": "https://example.com/a",
    }  # fmt: skip
    assert (told["usage"]["prompt_tokens"], told["usage"]["total_tokens"]) == (11, 18)
    assert told["usage"]["prompt_tokens_details"] == {"cached_tokens": 3, "cache_write_tokens": 3, "audio_tokens": 0}


def test_an_answer_that_may_be_cut_off_says_so() -> None:
    for stop in (StopReason.MAX_TOKENS, StopReason.OTHER, None):
        assert completion(answer(stop), "asked")["choices"][0]["finish_reason"] == "length"
