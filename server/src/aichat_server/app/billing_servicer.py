"""Builds BillingService from the features that its RPCs belong to."""

from __future__ import annotations

from aichat_server.billing.rpc.servicer import BillingRpcs
from aichat_server.billing.service.billing import Billing
from aichat_server.billing.service.webhooks import WebhookInbox
from aichat_server.invoices.rpc.servicer import InvoiceRpcs
from aichat_server.invoices.service.proofs import InvoiceProofs


class BillingServicer(BillingRpcs, InvoiceRpcs):
    """All RPCs of BillingService."""

    def __init__(self, billing: Billing, inbox: WebhookInbox, proofs: InvoiceProofs) -> None:
        BillingRpcs.__init__(self, billing, inbox)
        InvoiceRpcs.__init__(self, proofs)
