"""The sink that stores each answer as a message of a conversation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from aichat_server.content.parts import Role
from aichat_server.conversations.storage.turns import TurnStore
from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.domain.generation import Beginning, Ending, Known, Orphan, Place
from aichat_server.generations.domain.options import read_options
from aichat_server.models.domain.media import rates_of
from aichat_server.providers.domain.requests import estimated_tokens


class MessageSink:
    """Stores answers as messages."""

    name = "message"

    def __init__(self, turns: TurnStore) -> None:
        self._turns = turns

    async def end(self, ending: Ending, *, orphan: bool = False) -> Known | None:
        """See Sink. A turn whose last answer leaves nothing is taken back, and its question with it."""
        known = await self._turns.end(ending, orphan=orphan)
        if known is None or known.parts is None:
            return known
        # Servers of the version before read the end of a stream as a whole message.
        whole = {"org_id": str(ending.org_id), "role": Role.ASSISTANT.value}
        return replace(known, place={**known.place, **whole})

    async def abandon(self, beginning: Beginning, failure: AichatError) -> None:
        """See Sink."""
        await self._turns.abandon(beginning, failure)

    async def asked_tokens(self, orphan: Orphan) -> int:
        """See Sink. It is less if the conversation was deleted."""
        path = await self._turns.path(orphan.key)
        return estimated_tokens(read_options(orphan.options), path, rates_of(orphan.provider, orphan.model))

    def error_metadata(self, place: Place) -> Mapping[str, str]:
        """See Sink."""
        return {"conversation_id": place["conversation_id"]}

    def not_kept(self, place: Place, *, while_written: bool = False) -> AichatError:
        """See Sink."""
        text = "the conversation was deleted" + (" while the answer was written" if while_written else "")
        return AichatError(Reason.CONVERSATION_NOT_FOUND, text, metadata=self.error_metadata(place))

    def not_resumable(self, known: Known) -> AichatError:
        """See Sink."""
        place = {name: known.place[name] for name in ("conversation_id", "message_id")}
        metadata = {"generation_id": str(known.generation_id), **place}
        text = "the answer has ended and its events are not kept any more; read the message, which is stored"
        return AichatError(Reason.GENERATION_NOT_RESUMABLE, text, metadata=metadata)
