"""What all calls of vendors have in common: how a request is made of a prompt, and which failures callers see."""

from __future__ import annotations

from aichat_server.core.errors import AichatError, Reason
from aichat_server.models.domain.media import rates_of
from aichat_server.models.domain.models import Model
from aichat_server.providers.domain.requests import ChatOptions, Prompt, ProviderRequest
from aichat_server.providers.service.models import output_limit


def request_to(model: Model, prompt: Prompt, options: ChatOptions) -> ProviderRequest:
    """Returns the request that asks `model`."""
    return ProviderRequest(
        model=model.vendor_model,
        prompt=prompt,
        max_output_tokens=output_limit(model, options),
        options=options,
        reasons=reasons(model),
        reads=model.abilities.reads,
        calls=model.abilities.tools,
        media=rates_of(model.provider, model.vendor_model),
        tier_percents=dict(model.abilities.service_tiers),
    )


def reasons(model: Model) -> bool:
    """Whether the model reasons before it answers, and so may be silent for minutes."""
    return model.abilities.reasoning or model.abilities.thinks


def public(error: AichatError) -> AichatError:
    """Returns the failure in the callers' form: they do not learn that a vendor refuses the operator's account."""
    if error.reason is not Reason.PROVIDER_CREDENTIALS_REJECTED:
        return error
    provider = error.metadata["provider"]
    message = f"{provider} is unavailable; ask another model, or try again later"
    shown = AichatError(Reason.PROVIDER_UNAVAILABLE, message, metadata={"provider": provider})
    shown.__cause__ = error
    return shown
