"""The RPCs of BillingService that verify invoices."""

from __future__ import annotations

from aichat.v1 import billing_pb2 as pb
from aichat.v1.billing_pb2_grpc import BillingServiceServicer

from aichat_server.core.periods import parse_month
from aichat_server.identity.service.caller import current_principal
from aichat_server.invoices.rpc.messages import proof_to_proto
from aichat_server.invoices.service.proofs import InvoiceProofs
from aichat_server.transport.call import Context


class InvoiceRpcs(BillingServiceServicer):
    """Verifies invoices for callers. `billing` has the other RPCs of the service."""

    def __init__(self, proofs: InvoiceProofs) -> None:
        self._proofs = proofs

    async def VerifyInvoice(  # noqa: N802 — the contract names the methods
        self, request: pb.VerifyInvoiceRequest, _context: Context
    ) -> pb.VerifyInvoiceResponse:
        """Verifies an invoice line by line."""
        return proof_to_proto(await self._proofs.verify(current_principal(), parse_month(request.month)))
