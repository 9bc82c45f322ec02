"""The operator's commands for invoices, as typed."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from tests.fixtures.stripe import SECRET_KEY, Stripe
from tests.integration.commands.test_commands import run
from tests.integration.invoices.months import MARCH, USD, Shop
from tests.integration.usage.books import Entry


async def test_a_month_is_closed_and_its_invoices_are_managed(
    shop: Shop, stripe: Stripe, server_settings: dict[str, str], tmp_path: Path
) -> None:
    settings = server_settings | {"STRIPE_SECRET_KEY": SECRET_KEY, "AICHAT_STRIPE_BASE_URL": stripe.url}
    org = ("--organization-id", str(shop.org_id))
    month = ("--month", MARCH.name)
    why = ("--reason", "Sorry", "--actor", "ops")
    await shop.use(Entry(MARCH.start, 30 * USD))
    _, printed = await run(settings, tmp_path, "invoices", "run", *month, "--dry-run")
    assert f"{shop.org_id} not begun 12.00 USD\n" in printed
    code, _ = await run(settings, tmp_path, "invoices", "adjust", *org, "--usd=-2.5", *why)
    assert code == 0
    _, printed = await run(settings, tmp_path, "invoices", "run", *month)
    assert f"{shop.org_id} paid 9.50 USD\n" in printed
    refund = ("--cents", "50", *why, "--id", str(uuid4()))
    assert (await run(settings, tmp_path, "invoices", "refund", *org, *month, *refund))[1].endswith("refunded\n")
    code, printed = await run(settings, tmp_path, "invoices", "show", *org, *month)
    assert code == 0
    assert printed.startswith(f"{MARCH.name} paid 9.50 USD ")
    assert "Sorry" in printed
    for command in ("retry", "void"):
        code, printed = await run(settings, tmp_path, "invoices", command, *org, *month)
        assert (code, "the invoice is paid" in printed) == (1, True)


async def test_what_could_not_be_collected_is_listed_until_it_is_void(
    shop: Shop, stripe: Stripe, server_settings: dict[str, str], tmp_path: Path
) -> None:
    settings = server_settings | {"STRIPE_SECRET_KEY": SECRET_KEY, "AICHAT_STRIPE_BASE_URL": stripe.url}
    late = await shop.another("pm_card_chargeCustomerFail")
    await late.use(Entry(MARCH.start, 30 * USD))
    await late.bring_on()
    # The next check sees that Stripe tried to collect.
    await late.invoices.bring_on(late.org_id, MARCH)
    line = f"{late.org_id} 2024-03 12.00 USD since "
    assert line in (await run(settings, tmp_path, "invoices", "unpaid"))[1]
    void = ("invoices", "void", "--organization-id", str(late.org_id), "--month", MARCH.name)
    assert await run(settings, tmp_path, *void) == (0, "void\n")
    assert line not in (await run(settings, tmp_path, "invoices", "unpaid"))[1]
