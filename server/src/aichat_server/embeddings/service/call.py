"""One call for embeddings, as a generation: what it holds, how it begins, and how it ends."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from uuid import UUID

import msgspec

from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.ids import new_id
from aichat_server.embeddings.domain.embeddings import AskedEmbeddings
from aichat_server.generations.domain.generation import Beginning, Claim, Ending, GenerationKey, GenerationState
from aichat_server.identity.domain.principals import Principal
from aichat_server.models.domain import pricing
from aichat_server.models.domain.models import Model
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.embeddings import EmbeddingAnswer, EmbeddingRequest, most_tokens

_STATES = {
    Reason.SERVER_DRAINING: GenerationState.INTERRUPTED,
    Reason.GENERATION_CANCELLED: GenerationState.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class EmbeddingCall:
    """A call."""

    principal: Principal
    model: Model
    asked: AskedEmbeddings
    generation_id: UUID = field(default_factory=new_id)

    @property
    def key(self) -> GenerationKey:
        """The generation's."""
        return GenerationKey(self.principal.org_id, self.generation_id)

    @property
    def stream(self) -> str:
        """What rate limits call it: the same call again joins it."""
        return str(self.asked.request_id or self.generation_id)

    @property
    def request(self) -> EmbeddingRequest:
        """What the vendor is asked."""
        return EmbeddingRequest(self.model.vendor_model, self.asked.inputs, self.asked.dimensions, self.asked.task)

    @property
    def claim(self) -> Claim | None:
        """The caller's request id; None if there is none."""
        asked = self.asked
        if asked.request_id is None:
            return None
        told = msgspec.json.encode((asked.model, asked.inputs, asked.dimensions, asked.task))
        return Claim(asked.request_id, hashlib.sha256(told).digest())

    def beginning(self) -> Beginning:
        """Returns what is stored when it begins: no text, and the most that it can cost."""
        options = {"inputs": len(self.asked.inputs), "dimensions": self.asked.dimensions, "task": self.asked.task}
        return Beginning(
            org_id=self.principal.org_id,
            member_id=self.principal.member_id,
            key_id=self.principal.key_id,
            generation_id=self.generation_id,
            model=self.model.id,
            provider=self.model.provider,
            options={name: value for name, value in options.items() if value is not None},
            hold=pricing.hold_for(
                self.model.prices,
                input_bytes=0,
                more_tokens=most_tokens(self.asked.inputs),
                has_history=False,
                max_output_tokens=0,
                # A window is for one input.
                context_window=0,
                most_percent=self.model.most_percent,
            ),
            claim=self.claim,
        )

    def ending(self, answer: EmbeddingAnswer | None, failure: AichatError | None) -> Ending:
        """Returns how it ended. What failed has given its caller nothing, and costs nothing."""
        usage = answer.usage if answer is not None else Usage()
        return Ending(
            org_id=self.principal.org_id,
            member_id=self.principal.member_id,
            generation_id=self.generation_id,
            model=self.model.id,
            provider=self.model.provider,
            state=GenerationState.COMPLETE if failure is None else _STATES.get(failure.reason, GenerationState.FAILED),
            parts=() if failure is None else None,
            stop_reason=None,
            usage=usage,
            raw_usage=answer.raw if answer is not None else {},
            cost=pricing.cost(self.model.prices, usage),
            price_version=self.model.price_version,
            error_reason=failure.reason if failure is not None else None,
            error_message=failure.message if failure is not None else None,
        )
