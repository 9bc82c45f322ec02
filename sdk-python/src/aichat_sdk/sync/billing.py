"""Plans, the subscription and invoices of the organisation. Generated from billing.py: do not edit."""

from __future__ import annotations

from aichat_sdk._portal import Portal
from aichat_sdk.billing import Billing as AsyncBilling
from aichat_sdk.sync.paging import Pager
from aichat_sdk.types import Invoice, InvoiceProof, Plan, Subscription

__all__ = ["Billing"]


class Billing:
    """`client.billing`. Changes and invoices are for owners: other members get PermissionDeniedError.

    Raises BillingError if the organisation has no subscription, or if the platform has no account at a payment
    provider; plans, the subscription and proofs need no account.
    """

    def __init__(self, inner: AsyncBilling, portal: Portal) -> None:
        self._inner = inner
        self._portal = portal

    def list_plans(self, *, timeout: float | None = None) -> list[Plan]:
        """Returns the plans, the smallest first."""
        return self._portal.run(self._inner.list_plans(timeout=timeout))

    def get_subscription(self, *, timeout: float | None = None) -> Subscription:
        """Returns the organisation's plan, and its subscription if it has one."""
        return self._portal.run(self._inner.get_subscription(timeout=timeout))

    def create_checkout_session(
        self, plan: str, *, success_url: str, cancel_url: str, timeout: float | None = None
    ) -> str:
        """Returns the address of a page on which the organisation subscribes.

        The page then leads to one of the two URLs.
        """
        return self._portal.run(
            self._inner.create_checkout_session(plan, success_url=success_url, cancel_url=cancel_url, timeout=timeout)
        )

    def create_portal_session(self, *, return_url: str, timeout: float | None = None) -> str:
        """Returns the address of a page on which the organisation manages its cards, subscription and invoices."""
        return self._portal.run(self._inner.create_portal_session(return_url=return_url, timeout=timeout))

    def change_plan(self, plan: str, *, timeout: float | None = None) -> Subscription:
        """Changes to another paid plan at once, or to "free" when the paid month ends."""
        return self._portal.run(self._inner.change_plan(plan, timeout=timeout))

    def list_invoices(
        self, *, page_size: int = 0, page_token: str = "", timeout: float | None = None
    ) -> Pager[Invoice]:
        """Lists the organisation's invoices, the newest first; page size 0 is the server's default."""
        return Pager(
            self._inner.list_invoices(page_size=page_size, page_token=page_token, timeout=timeout), self._portal
        )

    def verify_invoice(self, month: str, *, timeout: float | None = None) -> InvoiceProof:
        """Verifies the invoice for the usage of a month, such as "2026-10", line by line.

        Raises NotFoundError if the month has no invoice yet.
        """
        return self._portal.run(self._inner.verify_invoice(month, timeout=timeout))
