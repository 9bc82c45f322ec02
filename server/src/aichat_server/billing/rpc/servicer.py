"""The RPCs of BillingService about plans, subscriptions and payments."""

from __future__ import annotations

from aichat.v1 import billing_pb2 as pb
from aichat.v1.billing_pb2_grpc import BillingServiceServicer, add_BillingServiceServicer_to_server

from aichat_server.billing.rpc.messages import invoice_to_proto, plan_to_proto, standing_to_proto
from aichat_server.billing.service.billing import Billing
from aichat_server.billing.service.webhooks import WebhookInbox
from aichat_server.identity.service.caller import current_principal
from aichat_server.transport.call import Context
from aichat_server.transport.page_tokens import DEFAULT_PAGE_SIZE, decode_name_token, encode_name_token

_INVOICES = "invoices"
_SIGNATURE = "stripe-signature"


class BillingRpcs(BillingServiceServicer):
    """Serves billing to an organisation's members, and receives the payment provider's events.

    `invoices` has the other RPCs of BillingService; `app` makes one servicer of both.
    """

    add_to = add_BillingServiceServicer_to_server

    def __init__(self, billing: Billing, inbox: WebhookInbox) -> None:
        self._billing = billing
        self._inbox = inbox

    async def ListPlans(  # noqa: N802 — the contract names the methods
        self, _request: pb.ListPlansRequest, _context: Context
    ) -> pb.ListPlansResponse:
        """Lists the plans."""
        return pb.ListPlansResponse(plans=[plan_to_proto(terms) for terms in self._billing.list_plans()])

    async def GetSubscription(  # noqa: N802
        self, _request: pb.GetSubscriptionRequest, _context: Context
    ) -> pb.GetSubscriptionResponse:
        """Gets the organisation's plan and subscription."""
        standing = await self._billing.get_standing(current_principal())
        return pb.GetSubscriptionResponse(subscription=standing_to_proto(standing))

    async def CreateCheckoutSession(  # noqa: N802
        self, request: pb.CreateCheckoutSessionRequest, _context: Context
    ) -> pb.CreateCheckoutSessionResponse:
        """Opens a page to subscribe on."""
        url = await self._billing.open_checkout(
            current_principal(), request.plan, success_url=request.success_url, cancel_url=request.cancel_url
        )
        return pb.CreateCheckoutSessionResponse(url=url)

    async def CreatePortalSession(  # noqa: N802
        self, request: pb.CreatePortalSessionRequest, _context: Context
    ) -> pb.CreatePortalSessionResponse:
        """Opens a page to manage billing on."""
        url = await self._billing.open_portal(current_principal(), return_url=request.return_url)
        return pb.CreatePortalSessionResponse(url=url)

    async def ChangePlan(  # noqa: N802
        self, request: pb.ChangePlanRequest, _context: Context
    ) -> pb.ChangePlanResponse:
        """Changes to another plan."""
        standing = await self._billing.change_plan(current_principal(), request.plan)
        return pb.ChangePlanResponse(subscription=standing_to_proto(standing))

    async def ListInvoices(  # noqa: N802
        self, request: pb.ListInvoicesRequest, _context: Context
    ) -> pb.ListInvoicesResponse:
        """Lists invoices, the newest first."""
        after = decode_name_token(_INVOICES, request.page_token)
        size = request.page_size or DEFAULT_PAGE_SIZE
        page = await self._billing.list_invoices(current_principal(), size, after)
        return pb.ListInvoicesResponse(
            invoices=[invoice_to_proto(invoice) for invoice in page.invoices],
            next_page_token=encode_name_token(_INVOICES, page.next_after) if page.next_after else "",
        )

    async def StripeWebhook(  # noqa: N802
        self, request: pb.StripeWebhookRequest, context: Context
    ) -> pb.StripeWebhookResponse:
        """Receives an event from Stripe."""
        metadata = context.invocation_metadata() or ()
        signature = next((value for name, value in metadata if name == _SIGNATURE and isinstance(value, str)), None)
        await self._inbox.receive(request.event.data, signature)
        return pb.StripeWebhookResponse()
