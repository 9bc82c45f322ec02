"""The sink of clients that keep their answers themselves: it books the usage, and keeps nothing of the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.domain.generation import Beginning, Begun, Ending, Known, Orphan, Place
from aichat_server.generations.domain.options import read_options
from aichat_server.generations.storage.generations import GenerationStore
from aichat_server.models.domain.media import rates_of
from aichat_server.providers.domain.requests import PathMessage, Prompt, estimated_tokens
from aichat_server.providers.domain.verbatim import SentRequest

_ASKED_TOKENS = "asked_tokens"


class KeepNothing:
    """Keeps nothing of any answer."""

    name = "nothing"

    def __init__(self, store: GenerationStore) -> None:
        self._store = store

    async def begin(
        self, beginning: Beginning, path: tuple[PathMessage, ...], sent: SentRequest | None = None
    ) -> Begun:
        """Begins a generation whose model is shown `path`, or what was sent: see Question.begin and Prompt."""
        media = rates_of(beginning.provider, beginning.model)
        more = sent.estimated_tokens if sent is not None else 0
        size = {_ASKED_TOKENS: estimated_tokens(read_options(beginning.options), path, media) + more}
        return await self._store.begin(replace(beginning, options={**beginning.options, **size}), self.name)

    async def end(self, ending: Ending, *, orphan: bool = False) -> Known | None:
        """See Sink. The parts that it returns are the ending's own."""
        known = await self._store.end(ending, orphan=orphan)
        is_this = known is not None and known.state is ending.state
        return replace(known, parts=ending.parts) if known is not None and is_this else known

    async def abandon(self, beginning: Beginning, failure: AichatError) -> None:
        """See Sink."""
        await self._store.abandon(beginning, self.name, failure)

    async def asked_tokens(self, orphan: Orphan) -> int:
        """See Sink. The size of what the model was shown is kept, and nothing else of it."""
        tokens = orphan.options.get(_ASKED_TOKENS)
        return tokens if isinstance(tokens, int) else 0

    def error_metadata(self, _place: Place) -> Mapping[str, str]:
        """See Sink."""
        return {}

    def not_kept(self, _place: Place, *, while_written: bool = False) -> AichatError:  # noqa: ARG002 — all the same
        """See Sink."""
        return _expired({})

    def not_resumable(self, known: Known) -> AichatError:
        """See Sink."""
        return _expired({"generation_id": str(known.generation_id)})


class UnkeptQuestion:
    """Asks a model, and keeps nothing of its answer."""

    def __init__(self, sink: KeepNothing, path: tuple[PathMessage, ...]) -> None:
        """`path`: what the model is shown, the caller's whole history."""
        self.sink = sink
        self._path = path

    async def begin(self, beginning: Beginning) -> Begun:
        """See Question."""
        return await self.sink.begin(beginning, self._path)

    async def prompt(self) -> Prompt:
        """See Question."""
        return Prompt(self._path)


def _expired(metadata: Mapping[str, str]) -> AichatError:
    text = "the answer has ended, its events have expired, and it is not kept; ask again with a new request_id"
    return AichatError(Reason.GENERATION_NOT_RESUMABLE, text, metadata=metadata)
