"""Plans, the subscription and invoices of the organisation."""

from __future__ import annotations

from aichat_sdk import _methods as methods
from aichat_sdk._proto.aichat import v1
from aichat_sdk._transport import Transport
from aichat_sdk.errors import ServerError
from aichat_sdk.paging import Page, Pager
from aichat_sdk.types import Invoice, InvoiceProof, Plan, Subscription

__all__ = ["Billing"]


class Billing:
    """`client.billing`. Changes and invoices are for owners: other members get PermissionDeniedError.

    Raises BillingError if the organisation has no subscription, or if the platform has no account at a payment
    provider; plans, the subscription and proofs need no account.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list_plans(self, *, timeout: float | None = None) -> list[Plan]:
        """Returns the plans, the smallest first."""
        response = await self._transport.call(methods.LIST_PLANS, v1.ListPlansRequest(), timeout=timeout)
        return response.plans

    async def get_subscription(self, *, timeout: float | None = None) -> Subscription:
        """Returns the organisation's plan, and its subscription if it has one."""
        request = v1.GetSubscriptionRequest()
        response = await self._transport.call(methods.GET_SUBSCRIPTION, request, timeout=timeout)
        return _present(response.subscription)

    async def create_checkout_session(
        self, plan: str, *, success_url: str, cancel_url: str, timeout: float | None = None
    ) -> str:
        """Returns the address of a page on which the organisation subscribes.

        The page then leads to one of the two URLs.
        """
        request = v1.CreateCheckoutSessionRequest(plan=plan, success_url=success_url, cancel_url=cancel_url)
        return (await self._transport.call(methods.CREATE_CHECKOUT_SESSION, request, timeout=timeout)).url

    async def create_portal_session(self, *, return_url: str, timeout: float | None = None) -> str:
        """Returns the address of a page on which the organisation manages its cards, subscription and invoices."""
        request = v1.CreatePortalSessionRequest(return_url=return_url)
        return (await self._transport.call(methods.CREATE_PORTAL_SESSION, request, timeout=timeout)).url

    async def change_plan(self, plan: str, *, timeout: float | None = None) -> Subscription:
        """Changes to another paid plan at once, or to "free" when the paid month ends."""
        request = v1.ChangePlanRequest(plan=plan)
        response = await self._transport.call(methods.CHANGE_PLAN, request, timeout=timeout)
        return _present(response.subscription)

    def list_invoices(
        self, *, page_size: int = 0, page_token: str = "", timeout: float | None = None
    ) -> Pager[Invoice]:
        """Lists the organisation's invoices, the newest first; page size 0 is the server's default."""

        async def fetch(token: str) -> Page[Invoice]:
            request = v1.ListInvoicesRequest(page_size=page_size, page_token=token)
            response = await self._transport.call(methods.LIST_INVOICES, request, timeout=timeout)
            return Page(response.invoices, response.next_page_token)

        return Pager(fetch, page_token)

    async def verify_invoice(self, month: str, *, timeout: float | None = None) -> InvoiceProof:
        """Verifies the invoice for the usage of a month, such as "2026-10", line by line.

        Raises NotFoundError if the month has no invoice yet.
        """
        request = v1.VerifyInvoiceRequest(month=month)
        return await self._transport.call(methods.VERIFY_INVOICE, request, timeout=timeout)


def _present(subscription: Subscription | None) -> Subscription:
    if subscription is None:
        raise ServerError("the server left out the subscription")
    return subscription
