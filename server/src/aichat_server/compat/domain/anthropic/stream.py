"""An answer as the events of Anthropic's stream. The same answer is told by the same events, each time it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID

from aichat_server.compat.domain.anthropic.content import ContentBlocks, ThinkingShown, Told
from aichat_server.compat.domain.anthropic.told import REFUSAL, message_of, stop_of, stop_sequence, usage_of
from aichat_server.generations.domain.stream import Completed, Heartbeat, Started, StreamEvent, UsageSoFar
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import Sent, TextDelta

PING: Told = {"type": "ping"}


@dataclass(frozen=True, slots=True)
class MessageAsked:
    """What the caller asked for, as far as its answer tells it."""

    model: str
    stop: tuple[str, ...]
    shown: ThinkingShown


class MessageStream:
    """Takes the events of an answer in order, and tells them as Anthropic does."""

    def __init__(self, asked: MessageAsked, input_tokens: Callable[[], int]) -> None:
        """`input_tokens` are called once, when the message begins before its vendor has counted them."""
        self.generation_id: UUID | None = None
        """Known once the answer has started."""
        self._asked = asked
        self._input_tokens = input_tokens
        self._blocks = ContentBlocks(asked.shown)
        self._provider = ""
        self._usage = Usage()
        self._begun = False

    def take(self, event: StreamEvent) -> Iterator[Told]:  # noqa: C901 — one case for each kind
        """Yields what tells the next event."""
        if isinstance(event, TextDelta) and (more := self._blocks.more_text(event.text)) is not None:
            yield more
            return
        match event:
            case Started(generation_id=generation_id, provider=provider):
                self.generation_id, self._provider = generation_id, provider
            case UsageSoFar(usage):
                self._usage = usage
                if usage.total_input and not usage.estimated:
                    yield from self._begin()
            case Heartbeat() if self.generation_id is None:
                """The call can still be refused, with a status of its own."""
            case Heartbeat():
                yield from self._begin()
                yield PING
            case Completed(answer):
                self.generation_id = answer.generation_id
                yield from self._begin()
                reason = stop_of(answer.stop_reason, self._provider)
                stopped_by = stop_sequence(answer.stop_reason, self._asked.stop)
                yield from self._end(reason, stopped_by, usage_of(answer.usage, answer.cost))
            case Sent():
                """Other responses have the vendor's bytes."""
            case _:
                yield from self._begin()
                yield from self._blocks.take(event)

    def refused(self) -> Iterator[Told]:
        """Yields the end of an answer that the vendor refuses to write, or to continue."""
        yield from self._begin()
        yield from self._end(REFUSAL, None, usage_of(self._usage))

    def _begin(self) -> Iterator[Told]:
        if self._begun or self.generation_id is None:
            return
        self._begun = True
        usage = self._usage if self._usage.total_input else Usage(input=self._input_tokens())
        message_id = f"msg_{self.generation_id.hex}"
        yield {"type": "message_start", "message": message_of(message_id, self._asked.model, usage)}

    def _end(self, reason: str, stopped_by: str | None, usage: Told) -> Iterator[Told]:
        yield from self._blocks.finish()
        delta = {"stop_reason": reason, "stop_sequence": stopped_by}
        yield {"type": "message_delta", "delta": delta, "usage": usage}
        yield {"type": "message_stop"}
