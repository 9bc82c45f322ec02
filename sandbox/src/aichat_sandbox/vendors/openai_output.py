"""The events of a response: its items one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any
from uuid import uuid4

from .asked import Offered
from .openai_items import encrypted
from .protocol import Frames, encoded
from .reply import Call, Reply

_FUNCTION, _CUSTOM = ("function_call", "arguments", "fc"), ("custom_tool_call", "input", "ctc")
"""How a call is told: its type, the field of what the tool gets, and how its id begins."""
ENDS = {"max_tokens": "max_output_tokens", "refusal": "content_filter"}


class Output:
    """Writes one response."""

    def __init__(self, reply: Reply, tier: str, most_searches: int | None, echo: Mapping[str, Any]) -> None:
        """`most_searches`: how many of the script's searches are made; None: all. `echo`: what is told back."""
        self._echo = echo
        self._reply = reply
        self._script = reply.script
        self._tier = tier
        self._searches = reply.script.searches[:most_searches]
        self._numbers = count()
        self._places = count()
        self._reasoned = bool(self._script.reasoning) and self._script.signed
        # OpenAI knows its items by their ids: those that reasoning led to are refused without it.
        self._mark = ("r" if self._reasoned else "n") + uuid4().hex[:12]
        self._items: list[Mapping[str, Any]] = []

    def frames(self) -> Frames:
        """Returns the events, as the server sends them."""
        opening = [self._event("response.created", response=self._response("in_progress"))]
        opening += [self._event("response.in_progress", response=self._response("in_progress"))]
        opening += [*self._reasoning(), *self._searched()]
        deltas: list[bytes] = []
        pending = list[bytes]()
        has_text = bool(self._reply.deltas) or not self._reply.calls
        if has_text:
            place, item = self._added({"type": "message", "role": "assistant", "content": []}, f"msg_{self._mark}")
            opening += self._message_begins(place, item)
            deltas += [self._spoken(place, item, text) for text in self._reply.deltas]
            pending += self._message_ends(place, item)
        for n, call in enumerate(self._reply.calls):
            for event, is_delta in self._called(n, call):
                pending.append(event)
                if is_delta:
                    deltas.append(b"".join(pending))
                    pending = []
        closing = [*pending, self._ended()]
        told = {"type": "error", "code": "server_error", "message": "The server had an error.", "param": None}
        return Frames(
            opening=b"".join(opening),
            deltas=tuple(deltas),
            closing=b"".join(closing),
            error=b"event: error\ndata: " + encoded({**told, "sequence_number": next(self._numbers)}) + b"\n\n",
            usage=self._usage(),
        )

    def _reasoning(self) -> Iterator[bytes]:
        texts = self._script.reasoning
        if not texts:
            return
        place, item = self._added({"type": "reasoning", "summary": []}, f"rs_{self._mark}")
        at = {"output_index": place, "item_id": item["id"], "summary_index": 0}
        summary = {"type": "summary_text", "text": "".join(texts)}
        yield self._event("response.output_item.added", output_index=place, item=item)
        yield self._event("response.reasoning_summary_part.added", **at, part={**summary, "text": ""})
        for text in texts:
            yield self._event("response.reasoning_summary_text.delta", **at, delta=text)
        yield self._event("response.reasoning_summary_text.done", **at, text=summary["text"])
        yield self._event("response.reasoning_summary_part.done", **at, part=summary)
        whole: dict[str, Any] = {**item, "summary": [summary]}
        yield self._done(place, whole | ({"encrypted_content": encrypted(whole)} if self._script.signed else {}))

    def _searched(self) -> Iterator[bytes]:
        for search in self._searches:
            action = {"type": "search", "query": search.query, "queries": [search.query]}
            sources = [{"type": "url", "url": found.url} for found in search.results]
            place, item = self._added({"type": "web_search_call"}, f"ws_{uuid4().hex}")
            yield self._event("response.output_item.added", output_index=place, item=item)
            yield self._event("response.web_search_call.searching", output_index=place, item_id=item["id"])
            whole = {**item, "status": "completed", "action": {**action, "sources": sources}}
            yield self._done(place, whole)

    def _message_begins(self, place: int, item: Mapping[str, Any]) -> Iterator[bytes]:
        yield self._event("response.output_item.added", output_index=place, item=item)
        yield self._event("response.content_part.added", **self._at(place, item), part=_part(""))

    def _spoken(self, place: int, item: Mapping[str, Any], text: str) -> bytes:
        return self._event("response.output_text.delta", **self._at(place, item), delta=text, logprobs=[])

    def _message_ends(self, place: int, item: Mapping[str, Any]) -> Iterator[bytes]:
        text, notes = "".join(self._reply.deltas), []
        for n, cited in enumerate(self._script.citations):
            note = {"type": "url_citation", "url": cited.url, "title": cited.title, "start_index": 0}
            notes.append({**note, "end_index": len(text)})
            yield self._event(
                "response.output_text.annotation.added",
                **self._at(place, item),
                annotation_index=n,
                annotation=notes[-1],
            )
        yield self._event("response.output_text.done", **self._at(place, item), text=text, logprobs=[])
        yield self._event("response.content_part.done", **self._at(place, item), part=_part(text, notes))
        status = "incomplete" if self._reply.stop in ENDS else "completed"
        yield self._done(place, {**item, "status": status, "content": [_part(text, notes)], "phase": "final_answer"})

    def _called(self, n: int, call: Call) -> Iterator[tuple[bytes, bool]]:
        """Yields the events of a call, and whether each is a delta."""
        tool = next((tool for tool in self._reply.asked.tools if tool.name == call.name), Offered(call.name))
        kind, field, prefix = _CUSTOM if tool.takes_text else _FUNCTION
        told = {"type": kind, "call_id": f"call_{call.id}", "name": call.name, field: ""}
        if tool.namespace is not None:
            told["namespace"] = tool.namespace
        place, item = self._added(told, f"{prefix}_{self._mark}{n}")
        at = {"output_index": place, "item_id": item["id"]}
        name = {} if tool.takes_text else {"name": call.name}
        yield self._event("response.output_item.added", output_index=place, item=item), False
        for piece in call.pieces:
            yield self._event(f"response.{kind}_{field}.delta", **at, delta=piece), True
        text = "".join(call.pieces)
        yield self._event(f"response.{kind}_{field}.done", **at, **{field: text}, **name), False
        status = "completed" if call.whole else "incomplete"
        yield self._done(place, {**item, "status": status, field: text}), False

    def _added(self, item: Mapping[str, Any], item_id: str) -> tuple[int, Mapping[str, Any]]:
        return next(self._places), {"id": item_id, **item, "status": "in_progress"}

    def _done(self, place: int, item: Mapping[str, Any]) -> bytes:
        # OpenAI's reasoning has no status.
        told = {name: value for name, value in item.items() if name != "status" or item["type"] != "reasoning"}
        self._items.append(told)
        return self._event("response.output_item.done", output_index=place, item=told)

    def _at(self, place: int, item: Mapping[str, Any]) -> dict[str, Any]:
        return {"output_index": place, "item_id": item["id"], "content_index": 0}

    def _ended(self) -> bytes:
        reason = ENDS.get(self._reply.stop)
        status = "incomplete" if reason else "completed"
        usage = None if self._script.no_usage else {**self._usage()}
        if usage is not None:
            usage.pop("tool_usage")
        told = {
            "incomplete_details": {"reason": reason} if reason else None, "usage": usage, "output": self._items,
            "tool_usage": {"web_search": {"num_requests": len(self._searches)}},
        }  # fmt: skip
        return self._event(f"response.{status}", response={**self._response(status), **told})

    def _usage(self) -> dict[str, Any]:
        reply, asked = self._reply, self._reply.asked
        return {
            "input_tokens": reply.input_tokens,
            "input_tokens_details": {"cached_tokens": asked.cache_read, "cache_write_tokens": asked.cache_write},
            "output_tokens": reply.output_tokens,
            "output_tokens_details": {"reasoning_tokens": reply.reasoning_tokens},
            "total_tokens": reply.input_tokens + reply.output_tokens,
            "tool_usage": {"web_search": {"num_requests": len(self._searches)}},
            **self._script.usage,
        }

    def _response(self, status: str) -> dict[str, Any]:
        return {
            "id": "resp_standin", "object": "response", "created_at": 1_700_000_000, "status": status,
            "model": self._reply.asked.model, "output": [], "error": None, "incomplete_details": None,
            "service_tier": self._tier, "store": False, "usage": None, **self._echo,
        }  # fmt: skip

    def _event(self, kind: str, **fields: object) -> bytes:
        told = {"type": kind, **fields, "sequence_number": next(self._numbers)}
        return b"event: " + kind.encode() + b"\ndata: " + encoded(told) + b"\n\n"


def _part(text: str, notes: object = ()) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": notes, "logprobs": []}
