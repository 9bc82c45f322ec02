"""The models that chats can be held with, and what may be asked of each."""

from __future__ import annotations

from collections.abc import Mapping

from aichat_server.domain.chat import ChatOptions
from aichat_server.domain.errors import AichatError, Reason
from aichat_server.domain.models import Model
from aichat_server.providers.base import BaseAIProvider
from aichat_server.providers.factory import AIProviderFactory

DEFAULT_MAX_OUTPUT_TOKENS = 8192


class Models:
    """The catalogue, with the vendors that run its models."""

    def __init__(self, catalogue: Mapping[str, Model], providers: AIProviderFactory) -> None:
        self._catalogue = catalogue
        self._providers = providers

    def list(self) -> list[Model]:
        """The models whose vendors this server has credentials for, in the catalogue's order."""
        return [model for model in self._catalogue.values() if model.provider in self._providers]

    def get(self, model_id: str) -> Model:
        """The model, or MODEL_UNKNOWN."""
        model = self._catalogue.get(model_id)
        if model is None:
            message = f"there is no model {model_id!r}; ListModels tells which there are"
            raise AichatError(Reason.MODEL_UNKNOWN, message, metadata={"model": model_id})
        return model

    def provider(self, model: Model) -> BaseAIProvider:
        """The vendor that runs the model, or PROVIDER_NOT_CONFIGURED."""
        return self._providers.get(model.provider)


def output_limit(model: Model, options: ChatOptions) -> int:
    """The most tokens that the answer may have."""
    return options.max_output_tokens or min(DEFAULT_MAX_OUTPUT_TOKENS, model.max_output_tokens)


def check_options(model: Model, options: ChatOptions) -> None:
    """Raises OPTION_UNSUPPORTED for the first option that the model cannot do."""
    abilities = model.abilities
    if options.temperature is not None and not abilities.temperature:
        raise _unsupported(model, "temperature", "takes no temperature: leave it out")
    if options.stop and not abilities.stop:
        raise _unsupported(model, "stop", "takes no stop sequences: leave them out")
    if options.reasoning_effort is not None and not abilities.reasoning:
        raise _unsupported(model, "reasoning_effort", "does not reason: leave reasoning_effort out")
    if (options.max_output_tokens or 0) > model.max_output_tokens:
        raise _unsupported(model, "max_output_tokens", f"writes at most {model.max_output_tokens} tokens")


def _unsupported(model: Model, option: str, what: str) -> AichatError:
    metadata = {"model": model.id, "option": option}
    return AichatError(Reason.OPTION_UNSUPPORTED, f"{model.id} {what}", metadata=metadata)
