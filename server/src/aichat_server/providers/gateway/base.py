"""The interface of every vendor: one async generator of typed events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from enum import StrEnum

from aichat_server.core.errors import AichatError, Reason
from aichat_server.providers.domain.embeddings import EmbeddingAnswer, EmbeddingRequest
from aichat_server.providers.domain.events import ProviderEvent
from aichat_server.providers.domain.requests import ProviderRequest
from aichat_server.providers.domain.verbatim import SentRequest, VendorApi
from aichat_server.providers.gateway import failures
from aichat_server.providers.gateway.transport import PreparedPost


class OpenAIApi(StrEnum):
    """The APIs by which OpenAI's models can be asked."""

    RESPONSES = "responses"
    CHAT_COMPLETIONS = "chat_completions"


@dataclass(frozen=True, slots=True)
class ProviderConfig:
    """How to reach one vendor."""

    name: str
    """The vendor's name in the catalogue, for example "anthropic"."""
    api_key: str = field(repr=False)
    base_url: str | None = None
    """None: the vendor's public address."""
    connect_seconds: float = 5.0
    """Longest wait for a connection."""
    stall_seconds: float = 60.0
    """Longest silence, before the first byte of an answer and between any two later ones."""
    reasoning_stall_seconds: float = 600.0
    """The same for a reasoning model, which may reason silently."""
    openai_compatible: bool = False
    """An endpoint with any name that speaks OpenAI's Chat Completions; it needs a `base_url`."""
    openai_api: OpenAIApi | None = None
    """By which API OpenAI is asked. None: by Responses, unless `base_url` names an endpoint without it."""
    searching_models: frozenset[str] = frozenset()
    """The models, by the vendor's ids, for whose searches such an endpoint charges."""


class BaseAIProvider(ABC):
    """One vendor. Many tasks of one event loop may use it at once."""

    def __init__(self, config: ProviderConfig) -> None:
        self.name = config.name

    def speaks(self, api: VendorApi) -> bool:  # noqa: ARG002 — Gemini's own API is none of these
        """Whether requests of that API may go to the vendor as they were sent (Prompt.sent)."""
        return False

    @abstractmethod
    def prepare(self, model: str, *, reasons: bool, api: VendorApi | None = None) -> PreparedPost:
        """Gets a request ready before it is known what is asked: pass it to `stream`, or close it.

        The vendor hears of it when it is sent. `reasons`: see ProviderRequest. `api`: that of a request that goes as it
        was sent; None for any other.
        """

    @abstractmethod
    def stream(
        self, request: ProviderRequest, prepared: PreparedPost | None = None
    ) -> AsyncGenerator[ProviderEvent, None]:
        """Asks the model and yields its answer as it arrives; `prepared`: the request that is used for it.

        Yields any number of TextDelta, ReasoningDelta and UsageReport, then exactly one Stop, last. Text is never
        empty and holds no NUL and no lone surrogate. Failures are AichatError with a PROVIDER_ reason or
        ANSWER_REFUSED; usage known by then has been yielded. Closing the generator closes the vendor's stream.
        """

    async def count_tokens(self, request: ProviderRequest) -> int | None:  # noqa: ARG002 — most vendors can
        """Returns the input tokens that the vendor counts for `request`; None if it cannot count.

        Raises AichatError with a PROVIDER_ reason if it does not answer.
        """
        return None

    async def embed(self, request: EmbeddingRequest) -> EmbeddingAnswer:
        """Returns the vectors of the inputs, all of one length. Raises AichatError with a PROVIDER_ reason."""
        raise failures.failure(Reason.PROVIDER_MODEL_MISSING, self.name, request.model)

    async def count_as_sent(self, sent: SentRequest, model: str) -> bytes:
        """Returns the vendor's answer to a request that counts tokens, as it came.

        Raises VendorRefusalError, and AichatError with a PROVIDER_ reason; OPTION_UNSUPPORTED if it cannot count.
        """
        raise AichatError(Reason.OPTION_UNSUPPORTED, f"{self.name} cannot count tokens for {sent.api} ({model})")

    @abstractmethod
    async def aclose(self) -> None:
        """Closes all connections."""
