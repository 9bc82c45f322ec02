"""A response as a stream of events: the same events of an answer always make the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import assert_never
from uuid import UUID

import msgspec

from aichat_server.compat.domain.openai.responses_failures import failure_json
from aichat_server.compat.domain.openai.responses_tools import OwnTool
from aichat_server.compat.rpc.openai.responses_head import Echo, Head, Json, usage_json
from aichat_server.compat.rpc.openai.responses_output import Output, Told
from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.domain.generation import Answer
from aichat_server.generations.domain.shown import shown
from aichat_server.generations.domain.stream import (
    Completed,
    Heartbeat,
    Started,
    StreamEvent,
    ToolCallWhole,
    UsageSoFar,
)
from aichat_server.generations.service.journal import Events
from aichat_server.providers.domain.events import (
    CitationFound,
    ItemFound,
    PartEnd,
    ReasoningDelta,
    Sent,
    Signed,
    StopReason,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
)

HEARTBEAT = b": heartbeat\n\n"
_CUT_OFF = frozenset({StopReason.MAX_TOKENS, StopReason.OTHER})

_encode = msgspec.json.Encoder().encode


class ResponseEvents:
    """Writes one stream."""

    def __init__(self, echo: Echo, tools: Mapping[str, OwnTool], *, seals: bool) -> None:
        """See Output."""
        self._echo = echo
        self._tools = tools
        self._seals = seals
        self._number = 0
        self._head: Head | None = None
        self._output: Output | None = None
        self._around: tuple[Json | None, bytes, bytes] = (None, b"", b"")
        """A message's place, and what stands before and behind the text of its deltas."""

        self.response: Json | None = None
        """The response as it ended; None before its end."""

    @property
    def number(self) -> int:
        """The sequence number of the next event."""
        return self._number

    def write(self, event: StreamEvent) -> Iterator[bytes]:
        """Yields the server-sent events for an event of the answer."""
        match event:
            case TextDelta(text) if self._output is not None and (place := self._output.writes_text) is not None:
                self._output.take_text(text)
                yield self._text(place, text)
            case (
                TextDelta() | ReasoningDelta() | ToolCallDelta() | ToolCallStart() | ToolCallWhole() | CitationFound()
                | ItemFound() | Signed() | PartEnd()
            ):  # fmt: skip
                if self._output is not None:
                    yield from map(self._event, self._output.write(event))
            case Started(generation_id, place=place):
                yield from self._begin(generation_id, place.get("conversation_id"))
            case Heartbeat():
                yield HEARTBEAT
            case UsageSoFar() | Sent():
                """The last event tells the usage, and other responses have the vendor's bytes."""
            case Completed(answer):
                yield from self._end(answer)
            case _:
                assert_never(event)

    async def read(self, events: Events) -> None:
        """Reads all events of the answer, for the response as it ends."""
        async for _, event in events:
            for _ in self.write(event):
                """Only the end counts."""

    def fail(self, error: AichatError) -> Iterator[bytes]:
        """Yields the end of an answer that failed. It raises in clients that read `error`, and those of `failed`."""
        if self._head is not None and self._output is not None:
            yield from map(self._event, self._output.end("incomplete"))
            status = "cancelled" if error.reason is Reason.GENERATION_CANCELLED else "failed"
            told = self.response = self._head.response(status, self._output.items, error=failure_json(error))
            yield self._event(("response.failed", {"response": told}))
        failure = failure_json(error)
        yield self._event(("error", {**failure, "param": None, "error": {**failure, "param": None, "type": "error"}}))

    def _begin(self, generation_id: UUID, conversation_id: str | None) -> Iterator[bytes]:
        self._head = Head(generation_id, self._echo, conversation_id)
        self._output = Output(generation_id, self._tools, seals=self._seals)
        told = self._head.response("in_progress")
        yield self._event(("response.created", {"response": told}))
        yield self._event(("response.in_progress", {"response": told}))

    def _end(self, answer: Answer) -> Iterator[bytes]:
        if self._head is None or self._output is None:
            return
        status, _ = how_ended(answer)
        yield from map(self._event, self._output.end(status))
        told = self.response = ended(self._head, answer, self._output.items)
        yield self._event((f"response.{status}", {"response": told}))

    def _text(self, place: Json, text: str) -> bytes:
        known, before, behind = self._around
        if known is not place:
            told = {"type": "response.output_text.delta", **place, "content_index": 0, "delta": "|", "logprobs": []}
            before, behind = (b"event: response.output_text.delta\ndata: " + _encode(told)[:-1]).split(b'"|"')
            self._around = (place, before, behind)
        number, self._number = self._number, self._number + 1
        return b'%b%b%b,"sequence_number":%d}\n\n' % (before, _encode(text), behind, number)

    def _event(self, told: Told) -> bytes:
        kind, fields = told
        number, self._number = self._number, self._number + 1
        data = _encode({"type": kind, **fields, "sequence_number": number})
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)


def how_ended(answer: Answer) -> tuple[str, Json | None]:
    """Returns a whole answer's status, and why it is not complete."""
    if answer.stop_reason in _CUT_OFF:
        return "incomplete", {"reason": "max_output_tokens"}
    return "completed", None


def ended(head: Head, answer: Answer, items: list[Json]) -> Json:
    """Returns the response of a whole answer."""
    status, details = how_ended(answer)
    usage = usage_json(answer.usage, answer.cost)
    return head.response(status, items, incomplete_details=details, usage=usage)


def output_of(answer: Answer, tools: Mapping[str, OwnTool], *, seals: bool) -> list[Json]:
    """Returns the items of a whole answer."""
    output = Output(answer.generation_id, tools, seals=seals)
    for event in shown(answer.parts):
        for _ in output.write(event):
            """Only the items count."""
    for _ in output.end(how_ended(answer)[0]):
        """As above."""
    return output.items
