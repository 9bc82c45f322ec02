"""Builds the compatible APIs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from aichat_server.app.engine import Engine
from aichat_server.compat.domain.observing import ReaderObserver
from aichat_server.compat.gateway.readers import SharedReaders
from aichat_server.compat.rpc.anthropic.errors import AnthropicErrors
from aichat_server.compat.rpc.anthropic.messages import Messages
from aichat_server.compat.rpc.anthropic.models import AnthropicModels
from aichat_server.compat.rpc.anthropic.servicer import AnthropicServicer
from aichat_server.compat.rpc.openai.chat_completions import ChatCompletions
from aichat_server.compat.rpc.openai.embeddings import Embeddings
from aichat_server.compat.rpc.openai.errors import OpenAIErrors
from aichat_server.compat.rpc.openai.models import OpenAIModels
from aichat_server.compat.rpc.openai.responses import Responses
from aichat_server.compat.rpc.openai.servicer import OpenAIServicer
from aichat_server.compat.rpc.verbatim import AsSent
from aichat_server.compat.service.counting import Counting
from aichat_server.compat.service.embedding_readers import EmbeddingReaders
from aichat_server.compat.service.keeping import Keeping
from aichat_server.compat.service.readers import Patience, Readers
from aichat_server.compat.service.responses import StoredResponses
from aichat_server.compat.service.serving import Kept, Serving
from aichat_server.compat.service.verbatim import Verbatim
from aichat_server.compat.service.waiting import Departure, WaitingAnswers
from aichat_server.compat.storage.responses import ResponseStore
from aichat_server.conversations.service.kept_turns import KeptTurns
from aichat_server.embeddings.service.embeddings import Embeddings as EmbeddingsService
from aichat_server.files.service.files import Files
from aichat_server.generations.service.keep_for_retries import KeepForRetries
from aichat_server.generations.service.keep_nothing import KeepNothing
from aichat_server.settings import Settings
from aichat_server.transport.access import ForeignApi
from aichat_server.transport.foreign import ForeignErrors
from aichat_server.transport.services import Servicer

FOREIGN_ERRORS: Mapping[ForeignApi, ForeignErrors] = MappingProxyType(
    {ForeignApi.OPENAI: AsSent(OpenAIErrors()), ForeignApi.ANTHROPIC: AsSent(AnthropicErrors())}
)
"""How each API tells failures."""


def build_compat(
    engine: Engine,
    files: Files,
    embeddings: EmbeddingsService,
    sink: KeepNothing,
    settings: Settings,
    observer: ReaderObserver,
) -> tuple[Servicer, ...]:
    """Returns the services of the compatible APIs."""
    verbatim = Verbatim(engine.models, engine.counter, frozenset(settings.unpriced_features))
    turns = KeptTurns(engine.stores.turns)
    kept = Kept(sink, KeepForRetries(engine.stores.generations), Keeping(turns))
    stored = StoredResponses(ResponseStore(engine.database), turns, engine.running.answers)
    readers = _readers(engine, settings, observer)
    serving = Serving(engine.models, engine.running.launcher, files, engine.counter, kept, readers)
    counting = Counting(engine.models, files, engine.counter)
    openai = OpenAIServicer(
        ChatCompletions(serving, verbatim),
        Responses(serving, stored, verbatim),
        Embeddings(_embedding_readers(engine, embeddings, settings)),
        OpenAIModels(engine.models),
        engine.limits,
    )
    messages = Messages(serving, counting, verbatim)
    return openai, AnthropicServicer(messages, AnthropicModels(engine.models), engine.limits)


def _readers(engine: Engine, settings: Settings, observer: ReaderObserver) -> Readers:
    running = engine.running
    # What no retry could read need not wait for one.
    seconds = min(settings.reattach_seconds, settings.journal_retention_seconds)
    patience = Patience(seconds, cancels=settings.cancel_abandoned)
    return Readers(running.launcher, running.answers, running.generations, _shared(engine), patience, observer)


def _embedding_readers(engine: Engine, embeddings: EmbeddingsService, settings: Settings) -> EmbeddingReaders:
    seconds, generations = settings.reattach_seconds, engine.running.generations

    def end(_: Departure) -> None:
        """They end by themselves within seconds, and the vendor charges for them in any case."""

    waiting = WaitingAnswers(_shared(engine), generations.spawn, when_over=end)
    return EmbeddingReaders(embeddings, generations, waiting, window_seconds=seconds)


def _shared(engine: Engine) -> SharedReaders | None:
    redis = engine.running.redis
    return SharedReaders(redis) if redis is not None else None
