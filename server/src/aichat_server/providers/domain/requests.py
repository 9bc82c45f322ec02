"""A turn's request to a vendor."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, assert_never
from uuid import UUID

from aichat_server.content.parts import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Part,
    PartKind,
    ProviderItem,
    ReasoningPart,
    Role,
    StoredFile,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from aichat_server.core.errors import AichatError, Reason
from aichat_server.models.domain.media import MOST_RATES, MediaRates
from aichat_server.models.domain.models import ServiceTier
from aichat_server.models.domain.usage import STANDARD_PERCENT, estimate_tokens
from aichat_server.providers.domain.verbatim import SentRequest


class ReasoningEffort(StrEnum):
    """How much a model should reason before it answers."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class Tool:
    """A function of the caller's that a model may call."""

    name: str
    description: str = ""
    parameters: str = ""
    """The JSON Schema of its arguments, as JSON text; empty for no arguments."""


class ToolChoiceMode(StrEnum):
    """Whether a model calls tools."""

    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"
    ONE = "one"


@dataclass(frozen=True, slots=True)
class ToolChoice:
    """Whether a model calls tools, and which."""

    mode: ToolChoiceMode
    name: str = ""
    """The one that it calls; empty for every other mode."""


@dataclass(frozen=True, slots=True)
class ResponseFormat:
    """The form of an answer."""

    json_schema: str
    """As JSON text."""
    name: str = "answer"


@dataclass(frozen=True, slots=True)
class WebSearch:
    """How a model may search the web, by its vendor's own search."""

    max_searches: int = 5
    """For one answer."""
    allowed_domains: tuple[str, ...] = ()
    """Empty: all."""


class LongHistory(StrEnum):
    """What happens if a conversation is longer than the model's context."""

    DROP = "drop"
    SUMMARIZE = "summarize"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """Options of an answer; None means the default in the contract."""

    max_output_tokens: int | None = None
    temperature: float | None = None
    stop: tuple[str, ...] = ()
    system_prompt: str = ""
    reasoning_effort: ReasoningEffort | None = None
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    top_p: float | None = None
    seed: int | None = None
    web_search: WebSearch | None = None
    service_tier: ServiceTier | None = None
    cache: bool | None = None
    long_history: LongHistory | None = None

    @property
    def texts(self) -> tuple[str, ...]:
        """All texts of the options that the model reads."""
        tools = (text for tool in self.tools for text in (tool.name, tool.description, tool.parameters))
        schema = (self.response_format.json_schema,) if self.response_format is not None else ()
        return (self.system_prompt, *tools, *schema)


@dataclass(frozen=True, slots=True)
class PathMessage:
    """A message that a model reads: one step of the path from the conversation's first message to the last."""

    role: Role
    parts: tuple[Part, ...]
    generation_id: UUID | None = None
    """The generation that is still writing it, whose parts are not stored yet; None if there is none."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """What was left out of a prompt that would exceed the model's context."""

    tool_results: int = 0
    """How many of the oldest results lost their content."""
    messages: int = 0
    """How many of the oldest messages were left out."""
    summarized: bool = False
    """Whether a summary replaces those messages."""
    tokens: int = 0
    """About how many tokens all that had."""


class FileReader(Protocol):
    """Reads the stored files of one organisation."""

    def read(self, file: StoredFile) -> AsyncIterator[bytes]:
        """Yields the file's bytes in pieces. Raises FILE_NOT_FOUND, FILES_UNAVAILABLE and FILES_NOT_CONFIGURED."""
        ...


class NoFiles:
    """There are no files."""

    async def read(self, file: StoredFile) -> AsyncIterator[bytes]:
        """Raises FILES_NOT_CONFIGURED."""
        for _ in file.sha256:
            raise AichatError(Reason.FILES_NOT_CONFIGURED, "this server has no storage for files: send text")
        yield b""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is shown besides the options."""

    messages: tuple[PathMessage, ...]
    """The conversation so far, the new message last; the roles need not alternate."""
    files: FileReader = field(default_factory=NoFiles)
    """Reads the files that the messages name."""
    cache_key: str = ""
    """The same for all turns of a conversation: vendors find a cached beginning by it. Empty: none."""
    left_out: LeftOut | None = None
    """None if the whole conversation is shown."""
    sent: SentRequest | None = None
    """What the model is shown instead: the vendor gets it as it was sent. `messages` then has its media alone."""


@dataclass(frozen=True, slots=True)
class ProviderRequest:
    """A request to a vendor."""

    model: str
    """The vendor's own id of the model."""
    prompt: Prompt
    max_output_tokens: int
    options: ChatOptions = field(default_factory=ChatOptions)
    reasons: bool = False
    """Whether the model reasons before it answers, and so may be silent for minutes."""
    reads: frozenset[PartKind] = frozenset(PartKind)
    """The kinds of parts that the model can read."""
    calls: bool = True
    """Whether the model knows tools."""
    media: MediaRates = MOST_RATES
    """How the vendor counts images, documents and audio for the model."""
    tier_percents: Mapping[ServiceTier, int] = field(default_factory=dict)
    """What the classes of service cost besides the standard one, in percent of the standard prices for tokens."""

    @property
    def estimated_tokens(self) -> int:
        """About how many tokens the vendor counts as input: for when it never says."""
        sent = self.prompt.sent.estimated_tokens if self.prompt.sent is not None else 0
        return estimated_tokens(self.options, self.prompt.messages, self.media) + sent

    def percent(self, served: object = None) -> int:
        """Returns what the tokens cost, as Usage.percent. `served`: the class of service that the vendor says it gave,
        in its own word; if it is no text, the class that was asked for.
        """
        word = served if isinstance(served, str) else self.options.service_tier or ServiceTier.STANDARD
        # Gemini writes "PRIORITY" and "SERVICE_TIER_PRIORITY", too.
        name = word.lower().removeprefix("service_tier_")
        return next((percent for tier, percent in self.tier_percents.items() if tier.value == name), STANDARD_PERCENT)


_TOOL_TOKENS = 64
"""More tokens than vendors add to one tool's texts."""
_TOOLS_TOKENS = 1_024
"""More tokens than vendors add if tools are offered, a search, or a form of the answer: instructions of their own."""


def added_tokens(options: ChatOptions, *, follows: bool) -> int:
    """Returns the most tokens that vendors add to the texts of `options`. `follows`: the conversation may hold calls of
    tools, which are offered again.
    """
    more = options.tools or options.web_search or options.response_format
    return len(options.tools) * _TOOL_TOKENS + (_TOOLS_TOKENS if more or follows else 0)


def estimated_tokens(options: ChatOptions, messages: Sequence[PathMessage], media: MediaRates) -> int:
    """Returns about how many tokens a vendor counts for what a model is shown."""
    texts = sum(map(estimate_tokens, (*options.texts, *texts_of(messages))))
    return texts + sum(media.estimate(message.parts) for message in messages) + len(options.tools) * _TOOL_TOKENS


def texts_of(messages: Iterable[PathMessage]) -> Iterator[str]:
    """Yields all texts of the messages that a model may read."""
    for message in messages:
        for part in message.parts:
            yield from _texts(part)


def mark_bytes(messages: Iterable[PathMessage]) -> int:
    """Returns the bytes of the vendors' marks in the messages: a vendor counts at most one token for each."""
    parts = (part for message in messages for part in message.parts)
    marked = (part for part in parts if isinstance(part, TextPart | ReasoningPart | ToolCallPart))
    return sum(len(part.signature.data.encode()) for part in marked if part.signature is not None)


def _texts(part: Part) -> Iterator[str]:
    match part:
        case TextPart(text) | ReasoningPart(text):
            yield text
        case ToolCallPart(name=name, arguments=arguments):
            yield name
            yield arguments
        case ToolResultPart(parts=parts):
            for inner in parts:
                yield from _texts(inner)
        case ProviderItem(json=json):
            yield json
        case DocumentPart(title=title):
            yield title
        case ImagePart() | AudioPart():
            """No text of its own."""
        case _:
            assert_never(part)
