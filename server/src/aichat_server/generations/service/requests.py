"""What a client of generations asks for: who asks, which models may answer, what they are asked, and for which sink."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from uuid import UUID

from aichat_server.core.ids import new_id
from aichat_server.generations.domain.generation import Beginning, Claim, GenerationKey
from aichat_server.generations.domain.sinks import Question
from aichat_server.identity.domain.principals import Principal
from aichat_server.models.domain.models import Model
from aichat_server.models.domain.pricing import Hold, dearest_hold, hold_for
from aichat_server.models.domain.usage import estimate_tokens
from aichat_server.providers.domain.requests import ChatOptions
from aichat_server.providers.domain.schemas import AnswerSchema
from aichat_server.providers.service.models import output_limit


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """A generation to launch."""

    principal: Principal
    """Who asks."""
    candidates: Sequence[Model]
    """The models that may answer, the one that is asked for first."""
    question: Question
    asked: tuple[str, ...]
    """The texts that the caller sent, without the system prompt."""
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
        asked = estimate_tokens("\n\n".join(self.asked)) + sum(map(estimate_tokens, self.options.texts))
        return asked + output_limit(self.candidates[0], self.options)

    def beginning(self) -> Beginning:
        """Returns what is stored when the generation begins."""
        model = self.candidates[0]
        return Beginning(
            org_id=self.principal.org_id,
            member_id=self.principal.member_id,
            key_id=self.principal.key_id,
            generation_id=self.generation_id,
            model=model.id,
            provider=model.provider,
            options=stored_options(self.options, cancel_on_disconnect=self.cancel_on_disconnect),
            hold=dearest_hold([self._hold(candidate) for candidate in self.candidates]),
            claim=self.claim,
        )

    def _hold(self, model: Model) -> Hold:
        texts = (*self.options.texts, *self.asked)
        return hold_for(
            model.prices,
            input_bytes=sum(len(text.encode()) for text in texts),
            has_history=self.has_history,
            max_output_tokens=output_limit(model, self.options),
            context_window=model.context_window,
            most_percent=model.most_percent,
        )


def stored_options(options: ChatOptions, *, cancel_on_disconnect: bool) -> Mapping[str, object]:
    """Returns the options that differ from their defaults, as they are stored."""
    stored = {name: value for name, value in asdict(options).items() if value not in (None, (), "")}
    return {**stored, "cancel_on_disconnect": True} if cancel_on_disconnect else stored
