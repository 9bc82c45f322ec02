"""The content blocks of an answer of Claude's while they arrive."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from aichat_server.content.parts import Citation, DocumentSource, ProviderItem, Signature, WebSource
from aichat_server.core.texts import storable
from aichat_server.providers.gateway.answer import decoded

CALL, THINKING, REDACTED = "tool_use", "thinking", "redacted_thinking"


class Head(msgspec.Struct):
    """A block as it begins."""

    type: str = ""
    id: str = ""
    name: str = ""
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str = ""
    input: msgspec.Raw = msgspec.Raw(b"")
    citations: list[msgspec.Raw] | None = None


@dataclass(slots=True)
class OpenBlock:
    """A block that has begun."""

    head: Head
    raw: bytes
    """The block as it began, as JSON."""
    pieces: list[str] = field(default_factory=list)
    """Its input, if that comes in pieces of JSON."""
    fields: dict[str, msgspec.Raw] = field(default_factory=dict)
    """What later events have set."""
    signature: str = ""
    shown: bool = False
    """Whether any of its thinking is shown."""
    cited: bool = False

    @property
    def whole_input(self) -> bool:
        """Whether the pieces of its input are JSON."""
        try:
            msgspec.json.decode("".join(self.pieces) or "{}")
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return False
        return True

    def item(self, provider: str) -> ProviderItem:
        """Returns the block as it was built up, byte for byte if nothing was added after its beginning."""
        if self.whole_input and (told := "".join(self.pieces)):
            self.fields["input"] = msgspec.Raw(told.encode(errors="replace"))
        raw = self.raw
        if self.fields:
            raw = msgspec.json.encode(decoded(_FIELDS, raw) | self.fields)
        return ProviderItem(provider, storable(self.head.type), storable(raw.decode(errors="replace")))


_HEADS = msgspec.json.Decoder(Head)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class _AnyDelta(msgspec.Struct):
    delta: dict[str, msgspec.Raw]


_DELTAS = msgspec.json.Decoder(_AnyDelta)


def opened(block: msgspec.Raw) -> OpenBlock:
    """Returns the block that begins. Raises BrokenStreamError if it cannot be read."""
    raw = bytes(block)
    head = decoded(_HEADS, raw)
    return OpenBlock(head, raw, signature=head.signature or "")


def fields_of(event: bytes) -> dict[str, msgspec.Raw]:
    """Returns what the event of a delta sets in its block."""
    told = decoded(_DELTAS, event).delta
    told.pop("type", None)
    return told


class _Citation(msgspec.Struct):
    type: str = ""
    cited_text: str | None = None
    title: str | None = None
    document_title: str | None = None
    url: str | None = None
    source: str | None = None
    document_index: int | None = None
    start_page_number: int | None = None
    end_page_number: int | None = None


_CITATIONS = msgspec.json.Decoder(_Citation)


def citation(raw: msgspec.Raw, provider: str) -> Citation:
    """Returns what a citation says, and the citation itself, which its vendor recognises."""
    told = decoded(_CITATIONS, bytes(raw))
    source: WebSource | DocumentSource
    if told.document_index is None:
        source = WebSource(storable(told.url or told.source or ""))
    else:
        first = max(told.start_page_number or 0, 0)
        # Anthropic names the page behind the last one.
        source = DocumentSource(max(told.document_index, 0), first, max(first, (told.end_page_number or 1) - 1))
    return Citation(
        source,
        title=storable(told.title or told.document_title or ""),
        quote=storable(told.cited_text or ""),
        signature=Signature(provider, storable(bytes(raw).decode(errors="replace")), storable(told.type)),
    )
