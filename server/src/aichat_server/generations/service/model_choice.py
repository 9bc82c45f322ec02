"""Which models a caller may ask, and which of them may answer."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from aichat_server.content.parts import Part
from aichat_server.core.errors import Reason
from aichat_server.identity.domain.principals import Principal
from aichat_server.models.domain.models import Model
from aichat_server.plans.service import PlanBook
from aichat_server.providers.domain.lacks import Lack, lack_of, needs_of, refusal
from aichat_server.providers.domain.requests import ChatOptions
from aichat_server.providers.domain.verbatim import VendorApi
from aichat_server.providers.service.models import Models
from aichat_server.providers.service.upstream import Upstream

_MOST_NAMED = 16
"""The most models that a refusal names."""


class ModelChoice:
    """The models that plans offer."""

    def __init__(self, models: Models, upstream: Upstream, plans: PlanBook) -> None:
        self._models = models
        self._upstream = upstream
        self._plans = plans

    def offered(self, principal: Principal) -> list[Model]:
        """Returns the models that the caller may ask."""
        return [model for model in self._models.list() if self._plans.offers(principal.plan, model.id)]

    def offered_embedding(self, principal: Principal) -> list[Model]:
        """Returns the embedding models that the caller may use."""
        return [model for model in self._models.list_embedding() if self._plans.offers(principal.plan, model.id)]

    def embedding_model(self, principal: Principal, name: str) -> Model:
        """Returns an embedding model. No other stands in for it: its vectors could not be compared.

        Raises MODEL_UNKNOWN, MODEL_NOT_IN_PLAN, MODEL_UNSUITABLE and PROVIDER_NOT_CONFIGURED.
        """
        model = self._models.get(name)
        self._plans.check_model(principal.plan, model.id)
        if model.embedding is None:
            able = (other.id for other in self.offered_embedding(principal))
            text = "makes no embeddings: ask an embedding model"
            raise refusal(model, Lack(Reason.MODEL_UNSUITABLE, "model", text), islice(able, _MOST_NAMED))
        self._models.provider(model)
        return model

    def model(self, principal: Principal, name: str) -> Model:
        """Returns the model that the caller asks for. Raises MODEL_UNKNOWN and MODEL_NOT_IN_PLAN."""
        model = self._models.get(name)
        self._plans.check_model(principal.plan, model.id)
        return model

    def speaks(self, model: Model, api: VendorApi) -> bool:
        """Whether requests of that API may go to the model's vendor as they were sent."""
        return self._models.provider(model).speaks(api)

    def candidates(
        self, principal: Principal, name: str, options: ChatOptions, parts: Iterable[Part] = ()
    ) -> list[Model]:
        """Returns the models that may answer, the one that is asked for first. `parts`: the new message's.

        Raises MODEL_UNKNOWN, MODEL_NOT_IN_PLAN, MODEL_UNSUITABLE, PROVIDER_NOT_CONFIGURED, OPTION_UNSUPPORTED and
        PART_UNSUPPORTED.
        """
        model = self.model(principal, name)
        needs = needs_of(options, parts)
        candidates = self._upstream.candidates(model, needs)
        if (lack := lack_of(model, needs)) is not None:
            able = (other.id for other in self.offered(principal) if lack_of(other, needs) is None)
            raise refusal(model, lack, islice(able, _MOST_NAMED))
        return [candidate for candidate in candidates if self._plans.offers(principal.plan, candidate.id)]
