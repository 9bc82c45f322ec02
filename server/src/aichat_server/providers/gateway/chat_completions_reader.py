"""Reads the answers of Chat Completions, in the forms of OpenAI and of many compatible endpoints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import msgspec

from aichat_server.content.parts import Citation, ProviderItem, Signature, WebSource
from aichat_server.core.errors import Reason
from aichat_server.core.texts import storable
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import CitationFound, ItemFound, ProviderEvent, Signed, StopReason
from aichat_server.providers.domain.requests import ProviderRequest
from aichat_server.providers.gateway.answer import AnswerReader, decoded
from aichat_server.providers.gateway.chat_completions_calls import Calls
from aichat_server.providers.gateway.chat_completions_chunks import CHUNKS, Choice, Chunk, Delta
from aichat_server.providers.gateway.chat_completions_request import DETAILS, THINKING
from aichat_server.providers.gateway.figures import Path

STOPS = {
    "stop": StopReason.END_TURN,
    # Hugging Face's servers, and Together's.
    "eos_token": StopReason.END_TURN,
    "eos": StopReason.END_TURN,
    "stop_sequence": StopReason.STOP_SEQUENCE,
    "length": StopReason.MAX_TOKENS,
    # Mistral's, if the model's own limit was reached.
    "model_length": StopReason.MAX_TOKENS,
    "tool_calls": StopReason.TOOL_USE,
    "function_call": StopReason.TOOL_USE,
}
FAULTS = {
    "content_filter": Reason.ANSWER_REFUSED,
    # Mistral's and OpenRouter's, vLLM's, and DeepSeek's if it lacks capacity.
    "error": Reason.PROVIDER_STREAM_BROKEN,
    "abort": Reason.PROVIDER_STREAM_BROKEN,
    "insufficient_system_resource": Reason.PROVIDER_OVERLOADED,
}


class ChatCompletionsReader(AnswerReader):
    """Reads the chunks of a completion."""

    FIGURES: ClassVar[Mapping[str, Path]] = {
        "prompt": ("prompt_tokens",),
        "cached": ("prompt_tokens_details", "cached_tokens"),
        # DeepSeek's name, and Moonshot's.
        "cache_hits": ("prompt_cache_hit_tokens",),
        "cached_beside": ("cached_tokens",),
        "cache_write": ("prompt_tokens_details", "cache_write_tokens"),
        "output": ("completion_tokens",),
        "reasoning": ("completion_tokens_details", "reasoning_tokens"),
        # Perplexity's.
        "reasoning_beside": ("reasoning_tokens",),
        "total": ("total_tokens",),
        # Perplexity's, xAI's, which counts sources, and two of OpenRouter's.
        "searches": ("num_search_queries",),
        "sources": ("num_sources_used",),
        "web_searches": ("server_tool_use", "web_search_requests"),
        "web_searches_beside": ("server_tool_use_details", "web_search_requests"),
    }
    SEARCHES: ClassVar[tuple[str, ...]] = ("searches", "sources", "web_searches", "web_searches_beside")
    WRITTEN: ClassVar[frozenset[str]] = frozenset({"output", "reasoning", "reasoning_beside"})

    def __init__(self, provider: str, request: ProviderRequest, *, searches: bool = False) -> None:
        """`searches`: whether the endpoint charges for its searches."""
        super().__init__(provider, request)
        self._searches = searches
        self._calls = Calls(self)
        self._thinks_in = ""
        """The field in which reasoning arrives, until something else does."""
        self._details: list[dict[str, Any]] = []
        self._cited: set[str] = set()
        self._tier: object = None
        """The class of service, in the vendor's word."""

    def event(self, data: bytes) -> tuple[ProviderEvent, ...]:
        """See AnswerReader.event."""
        if self.ended:
            return ()
        if data.strip() == b"[DONE]":
            self.ended = True
            if self.stop is None and self._answered:
                # Snowflake, and others, only send this.
                self.stop = StopReason.END_TURN
                return self._closed()
            return ()
        chunk = decoded(CHUNKS, data)
        events = self._choice(chunk.choices[0]) if chunk.choices else ()
        if chunk.usage is not None:
            self.count(chunk.usage)
        if chunk.service_tier:
            self._tier = chunk.service_tier
        if chunk.citations or chunk.search_results:
            events += tuple(self._pages(chunk))
        if chunk.error:
            self.broken_off(chunk.error)
        return events

    def usage(self) -> Usage:
        """Cached tokens are part of OpenAI's input, and reasoning is part of its output."""
        told = self.figures
        prompt, reasoning = told["prompt"], told["reasoning"] or told["reasoning_beside"]
        hits = told["cached"] or told["cache_hits"] or told["cached_beside"]
        read = min(hits, prompt)
        written = min(told["cache_write"], prompt - read)
        output, is_told = self._output()
        return Usage(
            input=prompt - read - written,
            cache_read=read,
            cache_write=written,
            output=output,
            reasoning=reasoning,
            web_searches=max(told[name] for name in self.SEARCHES) if self._searches else 0,
            percent=self.request.percent(self._tier),
            estimated=not is_told or read + written < hits + told["cache_write"],
        )

    def _choice(self, choice: Choice) -> tuple[ProviderEvent, ...]:
        events = self._delta(choice.delta) if choice.delta is not None else ()
        if reason := choice.finish_reason:
            if reason in FAULTS:
                self.fault = self.failure(FAULTS[reason])
                return events
            # An unknown reason does not count as complete.
            self.stop = STOPS.get(reason, StopReason.OTHER)
            events += self._closed()
        return events

    def _delta(self, delta: Delta) -> tuple[ProviderEvent, ...]:
        if delta.refusal:
            self.fault = self.failure(Reason.ANSWER_REFUSED)
        thinks = delta.reasoning_content or delta.reasoning or delta.reasoning_details
        events = self._thinks(delta) if thinks else ()
        content = delta.content
        if isinstance(content, str):
            if content:
                events += self._thought_over() + self.text(content)
        elif isinstance(content, list):
            events += tuple(event for block in content for event in self._block(block))
        if delta.tool_calls:
            events += self._thought_over() + self._called(delta.tool_calls)
        if delta.function_call or delta.annotations or delta.executed_tools:
            events += self._thought_over() + tuple(self._more(delta))
        return events

    def _thinks(self, delta: Delta) -> tuple[ProviderEvent, ...]:
        if delta.reasoning_details:
            self._keep(delta.reasoning_details)
        if delta.reasoning_content:
            return self._thought(delta.reasoning_content, "reasoning_content")
        return self._thought(delta.reasoning, "reasoning")

    def _thought(self, thought: object, field: str) -> tuple[ProviderEvent, ...]:
        events = self.reasoning(thought) if isinstance(thought, str) else ()
        if events:
            self._thinks_in = field
        return events

    def _thought_over(self) -> tuple[ProviderEvent, ...]:
        """Marks the reasoning that something else follows, so that it can be returned to this endpoint."""
        if not self._details and not self._thinks_in:
            return ()
        data = storable(msgspec.json.encode(self._details).decode()) if self._details else ""
        signature = Signature(self.provider, data, DETAILS if self._details else self._thinks_in)
        signed = Signed(signature, alone=not self._thinks_in)
        self._thinks_in, self._details = "", []
        return (signed,)

    def _keep(self, details: object) -> None:
        """Keeps OpenRouter's details of reasoning; pieces of one text are put together."""
        for piece in details if isinstance(details, list) else ():
            last = self._details[-1] if self._details else {}
            if not isinstance(piece, dict):
                continue
            if "type" in last and all(piece.get(name) == last.get(name) for name in ("type", "index")):
                for name, value in piece.items():
                    old = last.get(name)
                    grows = name in ("text", "summary", "data") and isinstance(old, str) and isinstance(value, str)
                    last[name] = old + value if grows else value or old
            else:
                self._details.append(dict(piece))

    def _block(self, block: object) -> Iterator[ProviderEvent]:
        """Yields one block of Mistral's content: text, thinking, or a block without text."""
        told = block if isinstance(block, Mapping) else {}
        if thinking := _text(told.get(THINKING)):
            yield from self._thought(thinking, THINKING)
        elif text := _text(told.get("text")):
            yield from self._thought_over() + self.text(text)
        elif isinstance(kind := told.get("type"), str) and kind not in ("text", THINKING):
            yield from self._thought_over()
            yield self._item(kind, told)

    def _called(self, calls: object) -> tuple[ProviderEvent, ...]:
        if not isinstance(calls, list):
            return ()
        if len(calls) == 1:
            return self._calls.take(calls[0])
        return tuple(event for call in calls for event in self._calls.take(call))

    def _more(self, delta: Delta) -> Iterator[ProviderEvent]:
        """Yields what few deltas have."""
        if delta.function_call:
            yield from self._calls.take({"function": delta.function_call})
        for note in delta.annotations if isinstance(delta.annotations, list) else ():
            if isinstance(note, Mapping):
                yield from self._annotation(note)
        for tool in delta.executed_tools if isinstance(delta.executed_tools, list) else ():
            # Groq's tools come twice, first without what they found.
            if isinstance(tool, Mapping) and tool.get("output") is not None:
                yield self._item("executed_tools", tool)

    def _annotation(self, note: Mapping[str, Any]) -> Iterator[ProviderEvent]:
        told = note.get("url_citation")
        if isinstance(told, Mapping) and isinstance(url := told.get("url"), str):
            title, quote = (_text(told.get(name)) for name in ("title", "content"))
            start, end = (value if isinstance(value, int) and value >= 0 else 0 for value in _span(told))
            self._cited.add(url)
            yield self._citation(url, title, quote, start, end)

    def _pages(self, chunk: Chunk) -> Iterator[ProviderEvent]:
        """Yields Perplexity's sources, which it repeats in each chunk."""
        titles = {page.get("url"): _text(page.get("title")) for page in _mappings(chunk.search_results)}
        urls = chunk.citations if isinstance(chunk.citations, list) and chunk.citations else [*titles]
        for url in urls:
            if isinstance(url, str) and url not in self._cited:
                self._cited.add(url)
                yield self._citation(url, titles.get(url, ""), "", 0, 0)

    def _citation(self, url: str, title: str, quote: str, start: int, end: int) -> CitationFound:
        return CitationFound(Citation(WebSource(storable(url)), storable(title), storable(quote), start, end))

    def _item(self, kind: str, item: Mapping[str, Any]) -> ItemFound:
        return ItemFound(ProviderItem(self.provider, storable(kind), storable(msgspec.json.encode(item).decode())))

    def _closed(self) -> tuple[ProviderEvent, ...]:
        """Returns what ends with the answer; a limit may have cut the last call off."""
        events = self._thought_over() + tuple(self._calls.close(cut_off=self.stop is StopReason.MAX_TOKENS))
        if self._calls and self.stop is StopReason.END_TURN:
            # Ollama, and others, say it of calls too.
            self.stop = StopReason.TOOL_USE
        elif not self._calls and self.stop is StopReason.TOOL_USE:
            self.stop = StopReason.OTHER
        return events

    def _output(self) -> tuple[int, bool]:
        """Returns all output tokens, and whether the vendor reported them.

        Reasoning is part of the completion; at xAI it is separate, and the total shows that. Gemini's compatible
        endpoint counts its thoughts only in the total, which is accepted as far as the answer may be that long.
        """
        told = self.figures
        completion, reasoning = told["output"], told["reasoning"] or told["reasoning_beside"]
        rest = told["total"] - told["prompt"] if told["prompt"] else 0
        if rest > completion and rest == completion + reasoning:
            return rest, bool(completion) or not self._answered
        if rest <= 0 and reasoning > completion:
            return completion + reasoning, False
        if completion < rest <= completion + self.request.max_output_tokens:
            return rest, False
        return completion, True


def _text(content: object) -> str:
    """Returns the text of a block: a string, or text blocks again."""
    if isinstance(content, str):
        return content
    texts = (block.get("text") for block in _mappings(content))
    return "".join(text for text in texts if isinstance(text, str))


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _span(told: Mapping[str, Any]) -> tuple[object, object]:
    return told.get("start_index"), told.get("end_index")
