"""What an answer of Gemini cites, and the searches that found it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from aichat_server.content.parts import Citation, WebSource
from aichat_server.core.texts import storable

_NOWHERE = WebSource("")


class Segment(msgspec.Struct):
    """A passage of the answer, in bytes."""

    start: int = msgspec.field(default=0, name="startIndex")
    end: int = msgspec.field(default=0, name="endIndex")
    text: str = ""


class Support(msgspec.Struct):
    """A passage, and the sources that it is taken from."""

    segment: Segment | None = None
    chunks: list[int] | None = msgspec.field(default=None, name="groundingChunkIndices")


class GroundingMetadata(msgspec.Struct):
    """What Google's search found for an answer."""

    queries: list[str] | None = msgspec.field(default=None, name="webSearchQueries")
    chunks: list[dict[str, Any]] | None = msgspec.field(default=None, name="groundingChunks")
    supports: list[Support] | None = msgspec.field(default=None, name="groundingSupports")


class Quoted(msgspec.Struct):
    """A passage that the model has taken from a source word for word."""

    uri: str | None = None
    title: str | None = None
    start: int = msgspec.field(default=0, name="startIndex")
    end: int = msgspec.field(default=0, name="endIndex")


class CitationMetadata(msgspec.Struct):
    """Such passages; the API has two names for them."""

    sources: list[Quoted] | None = msgspec.field(default=None, name="citationSources")
    citations: list[Quoted] | None = None


class ReadUrl(msgspec.Struct):
    """An address that the model has read."""

    url: str | None = msgspec.field(default=None, name="retrievedUrl")


class UrlContextMetadata(msgspec.Struct):
    """All of them."""

    read: list[ReadUrl] | None = msgspec.field(default=None, name="urlMetadata")


class Grounding:
    """Finds the passages that are cited in the text that is being written."""

    def __init__(self) -> None:
        self.searches = 0
        """How many searches the answer reports."""
        self._texts: list[str] = []
        self._before = 0
        """The bytes of the answer's texts before this one."""
        self._found: set[Citation] = set()

    def add(self, text: str) -> None:
        """Takes more of the text."""
        self._texts.append(text)

    def end_text(self) -> None:
        """The next text is another part."""
        if self._texts:
            self._before += len("".join(self._texts).encode())
            self._texts = []

    def cited(self, told: GroundingMetadata) -> Iterator[Citation]:
        """Yields the citations that were not yielded before."""
        # Google does not charge for a search without a query.
        self.searches = max(self.searches, sum(1 for query in told.queries or () if query.strip()))
        chunks = [_source(chunk) for chunk in told.chunks or ()]
        if not told.supports:
            yield from self._new(chunks)
        for support in told.supports or ():
            start, end = self._place(support.segment or Segment())
            named = [chunks[n] for n in support.chunks or () if 0 <= n < len(chunks)]
            yield from self._new(msgspec.structs.replace(citation, start=start, end=end) for citation in named)

    def quoted(self, told: CitationMetadata) -> Iterator[Citation]:
        """Yields the citations of passages that are quoted word for word, as far as their source is known."""
        for quoted in (*(told.sources or ()), *(told.citations or ())):
            if quoted.uri:
                start, end = self._place(Segment(quoted.start, quoted.end))
                yield from self._new([_citation(quoted.uri, quoted.title or "", "", start, end)])

    def read(self, told: UrlContextMetadata) -> Iterator[Citation]:
        """Yields the addresses that the model has read and not cited otherwise."""
        known = {citation.source for citation in self._found}
        urls = [_citation(page.url) for page in told.read or () if page.url]
        yield from self._new(citation for citation in urls if citation.source not in known)

    def _new(self, citations: Iterable[Citation]) -> Iterator[Citation]:
        for citation in citations:
            if citation not in self._found and (citation.source != _NOWHERE or citation.title or citation.quote):
                self._found.add(citation)
                yield citation

    def _place(self, segment: Segment) -> tuple[int, int]:
        """Returns where the passage is, in code points of the text that is being written; (0, 0) if it is not there."""
        written, passage = "".join(self._texts).encode(), segment.text.encode("utf-8", "replace")
        start, end = segment.start - self._before, segment.end - self._before
        if passage and (start < 0 or written[start:end] != passage):
            start = written.find(passage)
            end = start + len(passage)
        if not 0 <= start < end <= len(written):
            return 0, 0
        return len(written[:start].decode("utf-8", "ignore")), len(written[:end].decode("utf-8", "ignore"))


def _source(chunk: dict[str, Any]) -> Citation:
    """Returns the citation of a page, a place on a map, or a stored document."""
    told = next((value for value in chunk.values() if isinstance(value, dict)), {})
    words = {name: value for name, value in told.items() if isinstance(value, str)}
    return _citation(words.get("uri") or words.get("sourceUri", ""), words.get("title", ""), words.get("text", ""))


def _citation(url: str, title: str = "", quote: str = "", start: int = 0, end: int = 0) -> Citation:
    return Citation(WebSource(storable(url)), storable(title), storable(quote), start, end)
