"""Converts proofs of invoices from the domain to the contract."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from aichat.v1 import billing_pb2 as pb
from aichat.v1 import invoices_pb2

from aichat_server.invoices.domain.invoices import InvoiceStage, LineKind
from aichat_server.invoices.service.proofs import InvoiceProof, LineProof
from aichat_server.transport.values import cents_to_proto, money_to_proto, timestamp, usage_to_proto

_STAGES: Mapping[InvoiceStage, invoices_pb2.InvoiceStage.ValueType] = MappingProxyType(
    {
        InvoiceStage.DRAFTED: invoices_pb2.INVOICE_STAGE_DRAFTED,
        InvoiceStage.CREATED: invoices_pb2.INVOICE_STAGE_CREATED,
        InvoiceStage.PUSHED: invoices_pb2.INVOICE_STAGE_PUSHED,
        InvoiceStage.COMPARED: invoices_pb2.INVOICE_STAGE_COMPARED,
        InvoiceStage.FINALIZED: invoices_pb2.INVOICE_STAGE_FINALIZED,
        InvoiceStage.PAID: invoices_pb2.INVOICE_STAGE_PAID,
        InvoiceStage.VOID: invoices_pb2.INVOICE_STAGE_VOID,
        InvoiceStage.UNCOLLECTIBLE: invoices_pb2.INVOICE_STAGE_UNCOLLECTIBLE,
        InvoiceStage.SETTLED: invoices_pb2.INVOICE_STAGE_SETTLED,
        InvoiceStage.BLOCKED: invoices_pb2.INVOICE_STAGE_BLOCKED,
    }
)
_KINDS: Mapping[LineKind, invoices_pb2.InvoiceLineKind.ValueType] = MappingProxyType(
    {
        LineKind.USAGE: invoices_pb2.INVOICE_LINE_KIND_USAGE,
        LineKind.ADJUSTMENT: invoices_pb2.INVOICE_LINE_KIND_ADJUSTMENT,
        LineKind.CARRIED: invoices_pb2.INVOICE_LINE_KIND_CARRIED,
    }
)


def proof_to_proto(proof: InvoiceProof) -> pb.VerifyInvoiceResponse:
    """Converts an invoice's proof, line by line."""
    invoice = proof.invoice
    return pb.VerifyInvoiceResponse(
        month=invoice.month.name,
        stage=_STAGES[invoice.stage],
        number=invoice.number or "",
        proven=proof.difference is None,
        difference=proof.difference or "",
        ledger_cost=money_to_proto(proof.books),
        hourly_cost=money_to_proto(proof.hourly),
        total=cents_to_proto(invoice.total or 0),
        sha256=invoice.digest or "",
        lines=[_line(one) for one in proof.lines],
    )


def _line(proof: LineProof) -> invoices_pb2.VerifiedLine:
    line, subject = proof.line, proof.line.subject
    told = invoices_pb2.VerifiedLine(
        line=line.number,
        kind=_KINDS[line.kind],
        description=line.description,
        model=subject.model or "",
        provider=subject.provider or "",
        member_id=str(subject.member_id or ""),
        plan=line.terms.plan if line.terms else "",
        overage_basis_points=line.terms.overage if line.terms else 0,
        usage=usage_to_proto(line.usage),
        cost=money_to_proto(line.cost),
        included=money_to_proto(line.included),
        amount=cents_to_proto(line.cents),
        sha256=line.hash,
        proven=proof.is_proven,
    )
    if subject.price_version is not None:
        told.price_time.CopyFrom(timestamp(subject.price_version))
    if line.events is not None:
        told.event_count = line.events.count
        told.first_event_time.CopyFrom(timestamp(line.events.first_at))
        told.first_generation_id = str(line.events.first_id)
        told.last_event_time.CopyFrom(timestamp(line.events.last_at))
        told.last_generation_id = str(line.events.last_id)
    if proof.fresh is not None:
        told.ledger_cost.CopyFrom(money_to_proto(proof.fresh.cost))
        told.ledger_amount.CopyFrom(cents_to_proto(proof.fresh.cents))
        told.ledger_sha256 = proof.fresh.hash
    if proof.sent is not None:
        told.provider_amount.CopyFrom(cents_to_proto(proof.sent.amount))
    return told
