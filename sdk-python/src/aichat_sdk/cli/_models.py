"""`aichat models`."""

from __future__ import annotations

from aichat_sdk.cli._context import Context
from aichat_sdk.cli._terminal import dollars
from aichat_sdk.types import Model, money_usd

_ABILITIES = {
    "images": "images",
    "documents": "documents",
    "audio": "audio",
    "tools": "tools",
    "response_format": "schemas",
    "reasoning": "reasoning",
    "web_search": "search",
    "caching": "caching",
}


def list_models(context: Context) -> int:
    """Prints one line for each model: id, vendor, prices, abilities."""
    models = context.runner.run(context.client.models.list())
    if context.json:
        return context.document(models=models)
    width = max((len(model.model) for model in models), default=0)
    vendors = max((len(model.provider) for model in models), default=0)
    for model in models:
        facts = " · ".join(filter(None, [_prices(model), _abilities(model)]))
        context.terminal.line(f"{model.model:<{width}}  {model.provider:<{vendors}}  {facts}")
    return 0


def _prices(model: Model) -> str:
    if not model.prices:
        return ""
    base = model.prices[0]
    return f"{dollars(money_usd(base.input))} in, {dollars(money_usd(base.output))} out per million tokens"


def _abilities(model: Model) -> str:
    return ", ".join(word for name, word in _ABILITIES.items() if getattr(model.abilities, name, False))
