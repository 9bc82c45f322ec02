"""Invoices at Stripe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from stripe.params import (
    InvoiceCreateParams,
    InvoiceItemCreateParams,
    InvoiceLineItemListParams,
    InvoiceListParams,
    InvoiceUpdateParams,
)

from aichat_server.core.errors import AichatError, Reason
from aichat_server.payments.domain.billing import (
    ChargeState,
    InvoiceItem,
    InvoiceLine,
    InvoicePage,
    InvoiceState,
    RefundState,
)
from aichat_server.payments.domain.provider import PaymentInvoices
from aichat_server.payments.gateway.stripe_calls import StripeCalls, new_key
from aichat_server.payments.gateway.stripe_values import id_of, invoice_line, invoice_state

MOST_ITEMS = 250
"""The most items that Stripe accepts on one invoice."""
_PAGE = 100


@dataclass(frozen=True, slots=True)
class StripeInvoices(PaymentInvoices):
    """Each method fails as `StripeCalls.send` does."""

    calls: StripeCalls

    async def create_draft(
        self,
        customer_id: str,
        currency: str,
        *,
        description: str,
        metadata: Mapping[str, str],
        key: str,
    ) -> InvoiceState:
        """Creates a draft without lines; items that wait for the customer's next invoice stay there.

        It is collected automatically once it is finalized: see `set_card`.
        """
        params: InvoiceCreateParams = {
            "customer": customer_id,
            "currency": currency,
            "auto_advance": False,
            "collection_method": "charge_automatically",
            "description": description,
            "metadata": dict(metadata),
            "pending_invoice_items_behavior": "exclude",
        }
        invoices = self.calls.client.v1.invoices
        return invoice_state(await self.calls.send(lambda: invoices.create_async(params, {"idempotency_key": key})))

    async def add_item(self, customer_id: str, item: InvoiceItem, *, invoice_id: str | None, key: str) -> str:
        """Adds the item to this draft, of the same currency and with fewer than MOST_ITEMS; returns the item's id.

        Without a draft it waits for the customer's next invoice.
        """
        params: InvoiceItemCreateParams = {
            "customer": customer_id,
            "amount": item.amount,
            "currency": item.currency,
            "description": item.description,
            "discountable": False,
            "metadata": dict(item.metadata),
            "period": {"start": int(item.period_start.timestamp()), "end": int(item.period_end.timestamp())},
        }
        if invoice_id is not None:
            params["invoice"] = invoice_id
        items = self.calls.client.v1.invoice_items
        return (await self.calls.send(lambda: items.create_async(params, {"idempotency_key": key}))).id

    async def fetch(self, invoice_id: str) -> InvoiceState:
        """Returns the invoice's current state."""
        invoices = self.calls.client.v1.invoices
        return invoice_state(await self.calls.send(lambda: invoices.retrieve_async(invoice_id)))

    async def fetch_lines(self, invoice_id: str) -> tuple[InvoiceLine, ...]:
        """Returns all its lines, in the invoice's order."""
        lines: list[InvoiceLine] = []
        params: InvoiceLineItemListParams = {"limit": _PAGE}
        line_items = self.calls.client.v1.invoices.line_items
        while True:
            page = await self.calls.send(partial(line_items.list_async, invoice_id, params))
            lines += [invoice_line(line) for line in page.data]
            if not page.has_more:
                return tuple(lines)
            params = {"limit": _PAGE, "starting_after": lines[-1].id}

    async def list_page(self, customer_id: str, *, size: int, after: str | None) -> InvoicePage:
        """Returns the customer's invoices after the id `after`, drafts included; at most 100."""
        params: InvoiceListParams = {"customer": customer_id, "limit": size}
        if after is not None:
            params["starting_after"] = after
        page = await self.calls.send(lambda: self.calls.client.v1.invoices.list_async(params))
        invoices = tuple(invoice_state(invoice) for invoice in page.data)
        return InvoicePage(invoices, invoices[-1].id if page.has_more else None)

    async def set_card(self, invoice_id: str, card_id: str) -> None:
        """Collects a draft or open invoice from this card, instead of the customer's default."""
        invoices, key = self.calls.client.v1.invoices, new_key()
        params: InvoiceUpdateParams = {"default_payment_method": card_id}
        await self.calls.send(lambda: invoices.update_async(invoice_id, params, {"idempotency_key": key}))

    async def pay(self, invoice_id: str, card_id: str) -> InvoiceState:
        """Collects an open one from this card now, once in a day for each card; as it is then, paid or not."""
        await self.set_card(invoice_id, card_id)
        invoices, key = self.calls.client.v1.invoices, f"pay:{invoice_id}:{card_id}"
        try:
            return invoice_state(
                await self.calls.send(lambda: invoices.pay_async(invoice_id, {}, {"idempotency_key": key}))
            )
        except AichatError as error:
            if error.reason not in {Reason.PAYMENT_DECLINED, Reason.BILLING_REQUEST_REJECTED}:
                raise
            return await self.fetch(invoice_id)

    async def finalize(self, invoice_id: str) -> InvoiceState:
        """Finalizes the draft and lets Stripe collect it; a final one stays as it is."""
        invoices, key = self.calls.client.v1.invoices, new_key()
        try:
            fixed = await self.calls.send(
                lambda: invoices.finalize_invoice_async(invoice_id, {"auto_advance": True}, {"idempotency_key": key})
            )
        except AichatError as error:
            return await self._unless_draft(invoice_id, error)
        return invoice_state(fixed)

    async def void(self, invoice_id: str) -> InvoiceState:
        """Voids an open invoice; a void one stays as it is."""
        invoices, key = self.calls.client.v1.invoices, new_key()
        try:
            gone = await self.calls.send(lambda: invoices.void_invoice_async(invoice_id, {}, {"idempotency_key": key}))
        except AichatError as error:
            found = await self._unless_draft(invoice_id, error)
            if found.status != "void":
                raise
            return found
        return invoice_state(gone)

    async def delete_draft(self, invoice_id: str) -> None:
        """Deletes the draft and every item on it; a missing draft is not a failure.

        Stripe would otherwise keep the items for the customer's next invoice.
        """
        for line in await self._lines_if_there(invoice_id):
            if line.item_id is not None:
                await self._delete_item(line.item_id)
        try:
            await self.calls.send(lambda: self.calls.client.v1.invoices.delete_async(invoice_id))
        except AichatError as error:
            if error.reason is not Reason.BILLING_OBJECT_MISSING:
                raise

    async def refund(self, invoice_id: str, amount: int, *, name: str) -> RefundState:
        """Refunds `amount` of the invoice's payment to the same payment method; once for each `name`.

        Raises BILLING_REQUEST_REJECTED also if nothing was paid, or less than that is left.
        """
        paid = await self.calls.send(
            lambda: self.calls.client.v1.invoice_payments.list_async({"invoice": invoice_id, "status": "paid"})
        )
        intent = next((id_of(one.payment.payment_intent) for one in paid.data), None)
        if intent is None:
            raise AichatError(Reason.BILLING_REQUEST_REJECTED, "nothing was paid for this invoice by card")
        refunds = self.calls.client.v1.refunds
        # Looked up by name first, since an idempotency key expires after a day.
        before = await self.calls.send(lambda: refunds.list_async({"payment_intent": intent, "limit": 100}))
        given = next((one for one in before.data if one.to_dict()["metadata"] == {"name": name}), None)
        if given is None:
            given = await self.calls.send(
                lambda: refunds.create_async(
                    {"payment_intent": intent, "amount": amount, "metadata": {"name": name}},
                    {"idempotency_key": f"refund:{name}"},
                )
            )
        return RefundState(given.id, given.amount, given.currency)

    async def fetch_charge(self, charge_id: str) -> ChargeState:
        """Returns a payment's current state, and the invoice that it paid."""
        charge = await self.calls.send(lambda: self.calls.client.v1.charges.retrieve_async(charge_id))
        intent, invoice = id_of(charge.payment_intent), None
        if intent is not None:
            paid = await self.calls.send(
                lambda: self.calls.client.v1.invoice_payments.list_async(
                    {"payment": {"type": "payment_intent", "payment_intent": intent}}
                )
            )
            invoice = next((id_of(one.invoice) for one in paid.data), None)
        return ChargeState(
            id=charge.id,
            customer_id=id_of(charge.customer),
            invoice_id=invoice,
            amount=charge.amount,
            amount_refunded=charge.amount_refunded,
            currency=charge.currency,
        )

    async def _unless_draft(self, invoice_id: str, error: AichatError) -> InvoiceState:
        """Returns the invoice, if it was refused because it is no longer a draft: a response may have been lost."""
        if error.reason is not Reason.BILLING_REQUEST_REJECTED:
            raise error
        found = await self.fetch(invoice_id)
        if found.status == "draft":
            raise error
        return found

    async def _lines_if_there(self, invoice_id: str) -> tuple[InvoiceLine, ...]:
        try:
            return await self.fetch_lines(invoice_id)
        except AichatError as error:
            if error.reason is not Reason.BILLING_OBJECT_MISSING:
                raise
            return ()

    async def _delete_item(self, item_id: str) -> None:
        try:
            await self.calls.send(lambda: self.calls.client.v1.invoice_items.delete_async(item_id))
        except AichatError as error:
            if error.reason is not Reason.BILLING_OBJECT_MISSING:
                raise
