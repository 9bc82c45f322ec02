"""The stand-in as an HTTP application."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

from aiohttp import web

from . import control, pages
from .api import Api
from .resources import (
    cards,
    checkout,
    credit_notes,
    customers,
    events,
    invoice_items,
    invoices,
    payments,
    portal,
    prices,
    subscriptions,
)
from .state import Account

_RESOURCES = (
    cards,
    checkout,
    credit_notes,
    customers,
    events,
    invoice_items,
    invoices,
    payments,
    portal,
    prices,
    subscriptions,
)


def make_app(file: Path | None, webhook_url: str | None) -> web.Application:
    """Creates the application for the account in `file`, or for an empty one in memory; events go to `webhook_url`."""
    account = Account.open(file)
    account.webhooks.url = webhook_url
    api = Api(account)

    async def sending(_: web.Application) -> AsyncGenerator[None, None]:
        async with account.webhooks.running():
            yield

    app = web.Application()
    app.cleanup_ctx.append(sending)
    control.add_routes(app, api)
    pages.add_routes(app, account)
    for resource in _RESOURCES:
        for route in resource.ROUTES:
            app.router.add_route(route.method, route.path, api.serving(route))
    app.router.add_route("*", "/{rest:v1/.*}", api.unknown)
    return app
