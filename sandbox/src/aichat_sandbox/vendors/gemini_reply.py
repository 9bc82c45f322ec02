"""The chunks of Gemini's answers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .asked import tokens
from .gemini_checks import BEFORE_3, signature
from .protocol import Frames, encoded
from .reply import Call, Reply
from .script import Cited

Json = Mapping[str, Any]

FINISH = {
    "end_turn": "STOP",
    "stop_sequence": "STOP",
    "tool_use": "STOP",
    "max_tokens": "MAX_TOKENS",
    "refusal": "SAFETY",
}


def frames(reply: Reply) -> Frames:
    """Returns chunks of one candidate: thoughts and searches first, the finish reason on the last.

    Calls are whole. Of arguments that are no JSON object, Gemini says that it could not write the call.
    """
    thoughts = [{"text": text, "thought": True} for text in reply.script.reasoning]
    calls = [call for call in map(_call, (call for call in reply.calls if call.whole)) if call is not None]
    malformed = len(calls) < sum(call.whole for call in reply.calls)
    if calls and _signs(reply):
        calls[0] = {**calls[0], "thoughtSignature": signature(calls[0])}
    error = {"code": 503, "message": "The model is overloaded. Please try again later.", "status": "UNAVAILABLE"}
    return Frames(
        opening=b"".join(_chunk(reply, part) for part in (*thoughts, *_searches(reply))),
        deltas=tuple(_chunk(reply, part) for part in (*({"text": text} for text in reply.deltas), *calls)),
        closing=_chunk(
            reply,
            _last_part(reply),
            "MALFORMED_FUNCTION_CALL" if malformed else FINISH.get(reply.stop, reply.stop),
        ),
        error=data({"error": error}),
        usage=_usage(reply, final=True),
    )


def data(value: object) -> bytes:
    """Returns a value as a server-sent event."""
    return b"data: " + encoded(value) + b"\r\n\r\n"


def _signs(reply: Reply) -> bool:
    return reply.script.signed and not reply.asked.model.startswith(BEFORE_3)


def _call(call: Call) -> Json | None:
    try:
        arguments = json.loads("".join(call.pieces) or "{}")
    except ValueError:
        return None
    told = {"name": call.name, "args": arguments, "id": call.id}
    return {"functionCall": told} if isinstance(arguments, dict) else None


def _last_part(reply: Reply) -> Json:
    """Returns an empty text; after reasoning it has the signature of the text before it."""
    text = "".join(reply.deltas)
    signed = _signs(reply) and reply.script.reasoning and text and not reply.calls
    return {"text": "", **({"thoughtSignature": signature({"text": text})} if signed else {})}


def _searches(reply: Reply) -> Iterator[Json]:
    """Yields each search and its results, which are parts only beside functions."""
    for n, search in enumerate(reply.script.searches if reply.asked.tools else ()):
        told = {"toolType": "GOOGLE_SEARCH_WEB", "id": f"search{n}"}
        call = {"toolCall": {**told, "args": {"queries": [search.query]}}}
        found = {"toolResponse": {**told, "response": {"search_suggestions": search.query}}}
        for part in (call, found):
            yield {**part, "thoughtSignature": signature(part)} if _signs(reply) else part


def _grounding(reply: Reply) -> Json | None:
    script = reply.script
    if not script.searches and not script.citations:
        return None
    cited = {citation.url: citation for citation in script.citations}
    pages = {found.url: Cited(found.url, found.title) for search in script.searches for found in search.results}
    sources: Sequence[Cited] = list((pages | cited).values())
    text = "".join(reply.deltas)
    indices = [n for n, source in enumerate(sources) if source.url in cited]
    support = {"segment": {"endIndex": len(text.encode()), "text": text}, "groundingChunkIndices": indices}
    return {
        "webSearchQueries": [search.query for search in script.searches],
        "groundingChunks": [{"web": {"uri": source.url, "title": source.title}} for source in sources],
        "groundingSupports": [support] if indices else [],
    }


def _chunk(reply: Reply, part: Json, finish: str | None = None) -> bytes:
    candidate: dict[str, object] = {"content": {"parts": [part], "role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
        if (grounding := _grounding(reply)) is not None:
            candidate["groundingMetadata"] = grounding
    chunk: dict[str, object] = {"candidates": [candidate]}
    if not reply.script.no_usage:
        chunk["usageMetadata"] = _usage(reply, final=finish is not None)
    return data({**chunk, "modelVersion": reply.asked.model, "responseId": "standin"})


def _usage(reply: Reply, *, final: bool) -> dict[str, object]:
    found = tokens([found.text for search in reply.script.searches for found in search.results])
    usage: dict[str, object] = {"promptTokenCount": reply.input_tokens - found}
    if reply.reasoning_tokens:
        usage["thoughtsTokenCount"] = reply.reasoning_tokens
    if found:
        usage["toolUsePromptTokenCount"] = found
    if reply.asked.cache_read:
        usage["cachedContentTokenCount"] = reply.asked.cache_read
    if reply.asked.tier:
        usage["serviceTier"] = reply.asked.tier
    usage["candidatesTokenCount"] = reply.output_tokens - reply.reasoning_tokens if final else 1
    usage["totalTokenCount"] = reply.input_tokens + reply.output_tokens
    return {**usage, **reply.script.usage}
