"""What a request to Gemini asks for, and what of it Gemini has cached by itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from .asked import Asked, Offered, Said, last_question, tokens
from .gemini_checks import declarations

Json = Mapping[str, Any]

MEDIA_TOKENS = 258
"""Of an image or a page; a document counts as one."""
CACHED_FROM = 1_024
"""Shorter beginnings are not cached."""
MOST_BEGINNINGS = 100_000


def asked_for(body: Json, model: str, cache_read: int = 0) -> Asked:
    """Returns what a request asks for that has passed the checks."""
    config, contents = body.get("generationConfig") or {}, body["contents"]
    question, rounds, results = last_question(_said(contents))
    thinking = config.get("thinkingConfig") or {}
    media = [kind for unit in _units(body) for kind in _media(unit)]
    choice = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    return Asked(
        model=model,
        texts=tuple(text for unit in _units(body) for text in _texts(unit)),
        question=question,
        rounds=rounds,
        results=results,
        max_tokens=config.get("maxOutputTokens"),
        stop=tuple(config.get("stopSequences") or ()),
        wants_reasoning=bool(thinking.get("includeThoughts") or thinking.get("include_thoughts")),
        tools=tuple(_offered(body, choice)),
        must_call=choice.get("mode") == "ANY",
        schema=config.get("responseJsonSchema"),
        images=sum(kind.startswith("image/") for kind in media),
        documents=sum(not kind.startswith("image/") for kind in media),
        media_tokens=MEDIA_TOKENS * len(media),
        cache_read=cache_read,
        tier=body.get("serviceTier", ""),
    )


class Beginnings:
    """The beginnings of all requests so far. The longest that a request shares costs less, if it is long enough."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def take(self, body: Json, model: str) -> int:
        """Returns how many tokens of the request are cached, and caches the request."""
        if len(self._known) > MOST_BEGINNINGS:
            self._known.clear()
        key, read, so_far = model, 0, 0
        for unit in _units(body):
            so_far += tokens(list(_texts(unit))) + MEDIA_TOKENS * len(list(_media(unit)))
            key = sha256((key + json.dumps(unit, sort_keys=True)).encode()).hexdigest()
            if key in self._known and so_far >= CACHED_FROM:
                read = so_far
            self._known.add(key)
        return read


def _units(body: Json) -> Iterator[Json]:
    """Yields what a prompt is made of, in the model's order."""
    yield {"tools": body.get("tools") or []}
    yield body.get("systemInstruction") or {}
    yield from body["contents"]


def _texts(unit: Json) -> Iterator[str]:
    if unit.get("tools"):
        yield json.dumps(unit["tools"])
    for part in unit.get("parts", ()):
        if "text" in part:
            yield part["text"]
        for kind in ("functionCall", "functionResponse", "toolCall", "toolResponse"):
            if kind in part:
                yield json.dumps({name: value for name, value in part[kind].items() if name != "parts"})


def _media(unit: Json) -> Iterator[str]:
    """Yields the media types of images and documents."""
    for part in unit.get("parts", ()):
        inside = part.get("functionResponse", {}).get("parts", ())
        for shown in (part, *inside):
            if found := shown.get("inlineData") or shown.get("fileData"):
                yield found["mimeType"]


def _said(contents: Sequence[Json]) -> Iterator[Said]:
    for content in contents:
        if content["role"] == "user":
            texts = [part["text"] for part in content["parts"] if "text" in part]
            responses = [
                part["functionResponse"]["response"] for part in content["parts"] if "functionResponse" in part
            ]
            yield Said(tuple(texts), tuple(_output(response) for response in responses))


def _output(response: Json) -> str:
    told = response.get("output", response.get("error", ""))
    return " ".join(told) if isinstance(told, list) else str(told)


def _offered(body: Json, choice: Json) -> Iterator[Offered]:
    allowed = choice.get("allowedFunctionNames")
    for tool in declarations(body):
        if choice.get("mode") != "NONE" and (not allowed or tool["name"] in allowed):
            yield Offered(tool["name"], tool.get("parametersJsonSchema"))
