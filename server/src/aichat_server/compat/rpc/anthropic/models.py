"""The models, in the form of Anthropic."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from aichat.v1 import anthropic_pb2 as pb
from google.api.httpbody_pb2 import HttpBody

from aichat_server.compat.domain.anthropic.models import model_of
from aichat_server.compat.domain.anthropic.versions import version_of
from aichat_server.compat.rpc.headers import Headers
from aichat_server.compat.rpc.pieces import json_piece
from aichat_server.core.errors import AichatError, Reason, invalid_request
from aichat_server.generations.service.model_choice import ModelChoice
from aichat_server.identity.service.caller import current_principal

_DEFAULT_LIMIT, _MOST = 20, 1000


class AnthropicModels:
    """Lists the models that the caller may ask."""

    def __init__(self, choice: ModelChoice) -> None:
        self._choice = choice

    async def list(self, request: pb.ListAnthropicModelsRequest, headers: Headers) -> AsyncGenerator[HttpBody, None]:
        """Yields a page of models."""
        version = version_of(headers)
        if not 0 <= request.limit <= _MOST:
            raise invalid_request("limit", f"must be from 1 to {_MOST}")
        models = {model.id: model_of(model, version) for model in self._choice.offered(current_principal())}
        yield json_piece(_page(request, models))

    async def get(self, model: str, headers: Headers) -> AsyncGenerator[HttpBody, None]:
        """Yields one model."""
        version = version_of(headers)
        for one in self._choice.offered(current_principal()):
            if one.id == model:
                yield json_piece(model_of(one, version))
                return
        raise AichatError(Reason.MODEL_UNKNOWN, f"model: {model}", metadata={"model": model})


def _page(request: pb.ListAnthropicModelsRequest, models: Mapping[str, Any]) -> dict[str, Any]:
    ids = list(models)
    limit = request.limit or _DEFAULT_LIMIT
    first, last = 0, len(ids)
    if request.after_id:
        first = _place(ids, request.after_id, "after_id") + 1
    if request.before_id:
        last = _place(ids, request.before_id, "before_id")
    # A page before a model is the one right before it.
    start = max(first, last - limit) if request.before_id and not request.after_id else first
    shown = ids[start : min(last, start + limit)]
    more = start > first if request.before_id and not request.after_id else start + limit < last
    return {
        "data": [models[name] for name in shown],
        "has_more": more,
        "first_id": shown[0] if shown else None,
        "last_id": shown[-1] if shown else None,
    }


def _place(ids: list[str], wanted: str, field: str) -> int:
    try:
        return ids.index(wanted)
    except ValueError:
        raise invalid_request(field, f"no model has the id {wanted!r}") from None
