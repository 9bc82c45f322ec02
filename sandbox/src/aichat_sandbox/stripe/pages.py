"""The pages that Stripe would show to a customer."""

from __future__ import annotations

from html import escape

from aiohttp import web

from .failures import CallFailedError
from .resources import cards, checkout, portal
from .state import Account
from .world import Object

_BUTTONS = (("pm_card_visa", "Pay"), ("pm_card_chargeCustomerFail", "Pay with a card that is declined"))


def add_routes(app: web.Application, account: Account) -> None:
    """Adds the routes."""
    pages = _Pages(account)
    app.add_routes(
        [
            web.get("/_pages/checkout/{id}", pages.checkout),
            web.post("/_pages/checkout/{id}", pages.pay),
            web.get("/_pages/portal/{id}", pages.portal),
            web.post("/_pages/portal/{id}", pages.change_card),
            web.get("/_pages/invoices/{id}.pdf", pages.pdf),
            web.get("/_pages/invoices/{id}", pages.invoice),
        ]
    )


class _Pages:
    def __init__(self, account: Account) -> None:
        self._account = account

    def _find(self, request: web.Request, kind: str) -> Object:
        try:
            return self._account.world.find(kind, request.match_info["id"])
        except CallFailedError:
            raise web.HTTPNotFound from None

    async def checkout(self, request: web.Request) -> web.Response:
        """Shows a form with a valid card and one that is declined."""
        session = self._find(request, "checkout.session")
        buttons = "".join(f'<button name="card" value="{card}">{words}</button> ' for card, words in _BUTTONS)
        back = f'<a href="{escape(session["cancel_url"])}">Back</a>' if session["cancel_url"] else ""
        amount = _amount(session["amount_total"], session["currency"])
        return _page("Checkout", f'<p>{amount}</p><form method="post">{buttons}</form>{back}')

    async def pay(self, request: web.Request) -> web.Response:
        """Pays, and redirects to the session's URL."""
        session = self._find(request, "checkout.session")
        card = str((await request.post()).get("card"))
        try:
            checkout.complete(self._account.world, session["id"], card)
        except (CallFailedError, KeyError) as failure:
            return _page("Checkout", f"<p>{escape(str(failure))}</p>")
        finally:
            self._account.save()
        raise web.HTTPSeeOther(session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"]))

    async def portal(self, request: web.Request) -> web.Response:
        """Shows a form that adds a card as the new default."""
        session = self._find(request, "billing_portal.session")
        back = f'<a href="{escape(session["return_url"])}">Back</a>' if session["return_url"] else ""
        added = "".join(f'<button name="card" value="{card}">Add {card}</button> ' for card in cards.TEST_CARDS)
        words = f"<p>Cards of {session['customer']}.</p>"
        return _page("Billing portal", f'{words}<form method="post">{added}</form>{back}')

    async def change_card(self, request: web.Request) -> web.Response:
        """Adds the card, and shows the page again."""
        session = self._find(request, "billing_portal.session")
        card = str((await request.post()).get("card"))
        if card not in cards.TEST_CARDS:
            raise web.HTTPBadRequest
        portal.change_card(self._account.world, session["id"], card)
        self._account.save()
        raise web.HTTPSeeOther(request.path)

    async def invoice(self, request: web.Request) -> web.Response:
        """Shows the lines and their total."""
        lines = "".join(f"<p>{escape(line)}</p>" for line in _lines(self._find(request, "invoice")))
        return _page("Invoice", lines)

    async def pdf(self, request: web.Request) -> web.Response:
        """Returns the same as a document."""
        body = _pdf(_lines(self._find(request, "invoice")))
        return web.Response(body=body, content_type="application/pdf")


def _lines(invoice: Object) -> list[str]:
    lines = [
        f"{line['description'] or ''}: {_amount(line['amount'], line['currency'])}" for line in invoice["lines"]["data"]
    ]
    total = f"Total: {_amount(invoice['total'], invoice['currency'])}"
    return [f"Invoice {invoice['number'] or 'draft'}, {invoice['status']}", *lines, total]


def _amount(amount: int, currency: str) -> str:
    units, cents = divmod(abs(amount), 100)
    return f"{'-' if amount < 0 else ''}{units}.{cents:02} {currency.upper()}"


def _page(title: str, body: str) -> web.Response:
    text = f"<!doctype html><title>{title}</title><h1>{title}</h1><p>A stand-in for Stripe.</p>{body}"
    return web.Response(text=text, content_type="text/html")


def _pdf(lines: list[str]) -> bytes:
    shown = [line.encode("latin-1", "replace").translate(None, b"()\\").decode("latin-1") for line in lines]
    text = " ".join(f"({line}) Tj T*" for line in shown)
    stream = f"BT /F1 10 Tf 14 TL 50 780 Td {text} ET".encode("latin-1")
    parts = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    body, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(body))
        body += b"%d 0 obj%s endobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 6\n0000000000 65535 f \n" + table + b"trailer<</Size 6/Root 1 0 R>>\n"
    return body + head + b"startxref\n%d\n%%%%EOF\n" % len(body)
