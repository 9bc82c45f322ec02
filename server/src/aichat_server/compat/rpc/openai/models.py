"""The models, in the form of OpenAI. One model also has the fields of Anthropic, whose clients read the same path."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from typing import Any

from google.api.httpbody_pb2 import HttpBody

from aichat_server.compat.rpc.pieces import json_piece
from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.service.model_choice import ModelChoice
from aichat_server.identity.service.caller import current_principal
from aichat_server.models.domain.models import Model

_UNKNOWN, _UNKNOWN_TIME = 0, "1970-01-01T00:00:00Z"


class OpenAIModels:
    """Lists the models that the caller may ask."""

    def __init__(self, choice: ModelChoice) -> None:
        self._choice = choice

    async def list(self) -> AsyncGenerator[HttpBody, None]:
        """Yields the list."""
        yield json_piece({"object": "list", "data": [_told(model) for model in self._offered()]})

    async def get(self, model: str) -> AsyncGenerator[HttpBody, None]:
        """Yields one model. Raises MODEL_UNKNOWN."""
        found = next((one for one in self._offered() if one.id == model), None)
        if found is None:
            text = f"The model `{model}` does not exist, or your plan does not offer it"
            raise AichatError(Reason.MODEL_UNKNOWN, text, metadata={"model": model})
        yield json_piece(_told(found))

    def _offered(self) -> Iterator[Model]:
        """Yields the models, and those that make embeddings."""
        principal = current_principal()
        yield from self._choice.offered(principal)
        yield from self._choice.offered_embedding(principal)


def _told(model: Model) -> dict[str, Any]:
    return {
        "id": model.id,
        "object": "model",
        "created": _UNKNOWN,
        "owned_by": model.provider,
        "type": "model",
        "display_name": model.display_name,
        "created_at": _UNKNOWN_TIME,
        "max_input_tokens": model.context_window or None,
        "max_tokens": model.max_output_tokens,
    }
