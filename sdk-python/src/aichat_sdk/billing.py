"""What the organisation is subscribed to, and what it pays."""

from __future__ import annotations

from aichat_sdk import _methods as methods
from aichat_sdk._proto.aichat import v1
from aichat_sdk._transport import Transport
from aichat_sdk.errors import ServerError
from aichat_sdk.paging import Page, Pager
from aichat_sdk.types import Invoice, InvoiceProof, Plan, Subscription

__all__ = ["Billing"]


class Billing:
    """`client.billing`. What changes something, and the invoices, are for owners: PermissionDeniedError otherwise.

    BillingError if the platform has no account at a payment provider, but for plans, subscription and proofs, or if the
    organisation has no subscription.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list_plans(self, *, timeout: float | None = None) -> list[Plan]:
        """The plans, the smallest first."""
        response = await self._transport.call(methods.LIST_PLANS, v1.ListPlansRequest(), timeout=timeout)
        return response.plans

    async def get_subscription(self, *, timeout: float | None = None) -> Subscription:
        """The plan that the organisation is on, and its subscription, if there is one."""
        request = v1.GetSubscriptionRequest()
        response = await self._transport.call(methods.GET_SUBSCRIPTION, request, timeout=timeout)
        return _present(response.subscription)

    async def create_checkout_session(
        self, plan: str, *, success_url: str, cancel_url: str, timeout: float | None = None
    ) -> str:
        """The address of a page on which the organisation subscribes; it leads to one of the two when it is done."""
        request = v1.CreateCheckoutSessionRequest(plan=plan, success_url=success_url, cancel_url=cancel_url)
        return (await self._transport.call(methods.CREATE_CHECKOUT_SESSION, request, timeout=timeout)).url

    async def create_portal_session(self, *, return_url: str, timeout: float | None = None) -> str:
        """The address of a page on which cards, subscription and invoices are looked after."""
        request = v1.CreatePortalSessionRequest(return_url=return_url)
        return (await self._transport.call(methods.CREATE_PORTAL_SESSION, request, timeout=timeout)).url

    async def change_plan(self, plan: str, *, timeout: float | None = None) -> Subscription:
        """Goes over to another plan at once, or to "free" when the month that is paid for ends."""
        request = v1.ChangePlanRequest(plan=plan)
        response = await self._transport.call(methods.CHANGE_PLAN, request, timeout=timeout)
        return _present(response.subscription)

    def list_invoices(
        self, *, page_size: int = 0, page_token: str = "", timeout: float | None = None
    ) -> Pager[Invoice]:
        """The organisation's invoices, the newest first; 0 is the server's page size."""

        async def fetch(token: str) -> Page[Invoice]:
            request = v1.ListInvoicesRequest(page_size=page_size, page_token=token)
            response = await self._transport.call(methods.LIST_INVOICES, request, timeout=timeout)
            return Page(response.invoices, response.next_page_token)

        return Pager(fetch, page_token)

    async def verify_invoice(self, month: str, *, timeout: float | None = None) -> InvoiceProof:
        """Proves the invoice for the usage of a month, such as "2026-10", line by line.

        NotFoundError if the month has none yet.
        """
        request = v1.VerifyInvoiceRequest(month=month)
        return await self._transport.call(methods.VERIFY_INVOICE, request, timeout=timeout)


def _present(subscription: Subscription | None) -> Subscription:
    if subscription is None:
        raise ServerError("the server left out the subscription")
    return subscription
