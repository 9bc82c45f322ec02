"""What a client of generations asks for: who asks, which models may answer, what they are asked, and for which sink."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from aichat_server.core.ids import new_id
from aichat_server.generations.domain.generation import Beginning, Claim, GenerationKey
from aichat_server.generations.domain.options import stored_options, with_percent
from aichat_server.generations.domain.sinks import Question
from aichat_server.identity.domain.principals import Principal
from aichat_server.models.domain.media import rates_of
from aichat_server.models.domain.models import Model
from aichat_server.models.domain.pricing import Hold, dearest_hold, hold_for
from aichat_server.providers.domain.requests import (
    ChatOptions,
    PathMessage,
    added_tokens,
    estimated_tokens,
    mark_bytes,
    texts_of,
)
from aichat_server.providers.domain.schemas import AnswerSchema
from aichat_server.providers.domain.verbatim import SentRequest
from aichat_server.providers.service.models import most_searches, output_limit, tier_percent


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """A generation to launch."""

    principal: Principal
    """Who asks."""
    candidates: Sequence[Model]
    """The models that may answer, the one that is asked for first."""
    question: Question
    asked: tuple[PathMessage, ...]
    """The messages that the caller sent."""
    has_history: bool
    """Whether the model is shown more than the caller sent."""
    options: ChatOptions
    claim: Claim | None = None
    """None: the same call launches another generation each time."""
    cancel_on_disconnect: bool = False
    """Whether the answer is cancelled when its last reader goes away."""
    schema: AnswerSchema | None = None
    """What the whole answer must follow; None: anything."""
    generation_id: UUID = field(default_factory=new_id)
    sent: SentRequest | None = None
    """What goes to the vendor as it was sent, where `asked` has its media alone."""

    @property
    def key(self) -> GenerationKey:
        """The generation's."""
        return GenerationKey(self.principal.org_id, self.generation_id)

    @property
    def stream(self) -> str:
        """What rate limits call the stream: the same call again joins it."""
        if self.claim is None:
            return str(self.generation_id)
        lane = f"/{self.claim.lane}" if self.claim.lane else ""
        return f"{self.claim.request_id}{lane}"

    def most_tokens(self) -> int:
        """Returns what the generation may use, as far as it is known: the history is counted at its end."""
        model = self.candidates[0]
        asked = estimated_tokens(self.options, self.asked, rates_of(model.provider, model.vendor_model))
        asked += self.sent.estimated_tokens if self.sent is not None else 0
        return min(asked, model.context_window or asked) + output_limit(model, self.options)

    def beginning(self) -> Beginning:
        """Returns what is stored when the generation begins."""
        model = self.candidates[0]
        options = stored_options(self.options, cancel_on_disconnect=self.cancel_on_disconnect)
        return Beginning(
            org_id=self.principal.org_id,
            member_id=self.principal.member_id,
            key_id=self.principal.key_id,
            generation_id=self.generation_id,
            model=model.id,
            provider=model.provider,
            options=with_percent(options, tier_percent(model, self.options)),
            hold=dearest_hold([self._hold(candidate) for candidate in self.candidates]),
            claim=self.claim,
        )

    def _hold(self, model: Model) -> Hold:
        texts = (*self.options.texts, *texts_of(self.asked))
        media = rates_of(model.provider, model.vendor_model)
        sent = self.sent.text_bytes if self.sent is not None else 0
        return hold_for(
            model.prices,
            input_bytes=sum(len(text.encode()) for text in texts) + mark_bytes(self.asked) + sent,
            more_tokens=sum(media.most(message.parts) for message in self.asked)
            + added_tokens(self.options, follows=self.has_history),
            searches=most_searches(model, self.options),
            has_history=self.has_history,
            max_output_tokens=output_limit(model, self.options),
            context_window=model.context_window,
            most_percent=model.most_percent * max(tier_percent(model, self.options), 100) // 100,
        )
