"""The recipients and the contents of warnings."""

from __future__ import annotations

from email.message import EmailMessage
from urllib.parse import parse_qs, urlsplit

import pytest
from aichat_server.core.database.database import Database
from aichat_server.identity.service.organizations import Organizations
from aichat_server.identity.storage.organizations import OrganizationRepository
from aichat_server.mail.domain import MailServerUnavailableError
from aichat_server.notifications.domain import unsubscribe
from aichat_server.notifications.service.notifications import Notifications
from aichat_server.notifications.service.warnings import QuotaWarnings
from aichat_server.quotas.domain import QuotaPeriod, QuotaScope

from tests.fixtures.mail import MailServer
from tests.integration.notifications.conftest import SECRET, Companies, Company, build
from tests.integration.notifications.test_p12_warnings import NOON


async def warned(company: Company, warnings: QuotaWarnings, mail_server: MailServer) -> list[EmailMessage]:
    """Returns the e-mails of a run after half of a quota of 100 dollars was spent."""
    await company.spend(50, NOON)
    await warnings.run(NOON)
    return await mail_server.mails()


def body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    content: str = part.get_content()
    return content


async def test_it_has_text_html_and_a_link_that_ends_them(
    acme: Company, warnings: QuotaWarnings, mail_server: MailServer
) -> None:
    await acme.limit(100)
    [mail] = await warned(acme, warnings, mail_server)
    assert mail["subject"] == "Acme: 50 % of the organisation's quota for January 2026 is used"
    assert (mail["from"], mail["to"]) == ("AI Chat <no-reply@aichat.example>", "owner@example.com")
    assert mail["message-id"].endswith("@aichat.example>")
    assert mail.get_content_type() == "multipart/alternative"

    link = mail["list-unsubscribe"].strip("<>")
    assert mail["list-unsubscribe-post"] == "List-Unsubscribe=One-Click"
    assert link.startswith("https://api.example.com/v1/notifications/unsubscribe?token=")
    [token] = parse_qs(urlsplit(link).query)["token"]
    assert unsubscribe.read(SECRET, token) == (acme.principal.org_id, acme.principal.member_id)
    for kind in ("plain", "html"):
        told = body(mail, kind)
        assert link in told
        assert "50.00 of 100.00 US dollars" in told
        assert "would go beyond it are refused" in told
        assert "1 February 2026 (UTC)" in told
    assert "src=" not in body(mail, "html")


async def test_headers_for_mail_programs_are_not_encoded(
    acme: Company, warnings: QuotaWarnings, mail_server: MailServer
) -> None:
    await acme.limit(100)
    await acme.spend(50, NOON)
    await warnings.run(NOON)
    [sent] = await mail_server.raw()
    head = sent.replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    token = unsubscribe.sign(SECRET, acme.principal.org_id, acme.principal.member_id)
    link = f"https://api.example.com/v1/notifications/unsubscribe?token={token}"
    # RFC 2047 allows no encoded word there, and RFC 8058 requires both in this form.
    assert f"List-Unsubscribe: <{link}>".encode() in head.split(b"\n")
    assert b"List-Unsubscribe-Post: List-Unsubscribe=One-Click" in head.split(b"\n")
    assert b"=?" not in head


@pytest.mark.parametrize(
    ("hard", "soft", "dollars", "told"),
    [(100, None, 100, "Messages are refused until"), (None, 100, 100, "Nothing is refused"), (200, 100, 100, "beyond")],
)
async def test_it_says_what_the_limit_does(
    acme: Company,
    warnings: QuotaWarnings,
    mail_server: MailServer,
    hard: int | None,
    soft: int | None,
    dollars: int,
    told: str,
) -> None:
    await acme.limit(hard, soft=soft)
    await acme.spend(dollars, NOON)
    await warnings.run(NOON)
    [mail] = await mail_server.mails()
    assert told in body(mail, "plain")
    assert told in body(mail, "html")


async def test_a_name_is_neither_markup_nor_header(
    companies: Companies, warnings: QuotaWarnings, mail_server: MailServer
) -> None:
    name = '<b>Acme</b> & "Co"\r\nBcc: victim@example.com\r\n\r\nCall\u2028us \u202eüber'
    company = await companies.make(name)
    await company.limit(100)
    [mail] = await warned(company, warnings, mail_server)
    shown = '<b>Acme</b> & "Co" Bcc: victim@example.com Call us über'
    assert mail["subject"].startswith(f"{shown}: 50 % of ")
    assert mail["bcc"] is None
    assert f"\n{shown}: 50 % of " in body(mail, "plain")
    html = body(mail, "html")
    assert "<b>" not in html
    assert "&lt;b&gt;Acme&lt;/b&gt; &amp; &#34;Co&#34; Bcc:" in html


@pytest.mark.parametrize("email", ["x@example.com\r\nRCPT TO:<victim@example.com>", "a, b@example.com", "nobody", ""])
async def test_an_invalid_address_gets_no_mail(
    companies: Companies, warnings: QuotaWarnings, mail_server: MailServer, email: str
) -> None:
    company = await companies.make(email=email or "placeholder@example.com")
    if not email:
        async with company.database.session(company.principal.org_id, company.principal.actor) as session:
            await OrganizationRepository(session).ensure_personal(company.principal.member_id, "")
    await company.limit(100)
    assert await warned(company, warnings, mail_server) == []
    assert [state for _, state in await company.states()] == ["refused" if email else "no_address"]


async def test_an_organisations_owners_are_warned_each_and_of_one_address_once(
    companies: Companies, acme: Company, warnings: QuotaWarnings, mail_server: MailServer
) -> None:
    await companies.add_owner(acme, "second@example.com")
    await companies.add_owner(acme, "Owner@example.com")
    await acme.limit(100)
    mails = await warned(acme, warnings, mail_server)
    assert sorted(mail["to"].lower() for mail in mails) == ["owner@example.com", "second@example.com"]
    assert len({mail["message-id"] for mail in mails}) == 2


async def test_each_scope_and_period_warns_for_itself(
    companies: Companies, acme: Company, warnings: QuotaWarnings, mail_server: MailServer
) -> None:
    await companies.add_owner(acme, "second@example.com")
    for scope in (QuotaScope.MEMBER, QuotaScope.KEY):
        for period in QuotaPeriod:
            await acme.limit(100, scope=scope, period=period)
    mails = await warned(acme, warnings, mail_server)
    assert {mail["to"] for mail in mails} == {"owner@example.com"}
    key = f"the quota of API key {acme.principal.key_id}"
    assert {mail["subject"] for mail in mails} == {
        f"Acme: 50 % of {whose} for {period} is used"
        for whose in ("your quota", key)
        for period in ("January 2026", "15 January 2026")
    }
    assert len(mails) == 4


async def test_a_program_has_no_address_but_its_organisations_contact(
    companies: Companies, database: Database, warnings: QuotaWarnings, mail_server: MailServer
) -> None:
    program = await companies.make(email=None)
    await program.limit(100, scope=QuotaScope.KEY)
    assert await warned(program, warnings, mail_server) == []
    assert await program.states() == [(50, "no_address")]
    organizations = Organizations(database)
    assert await organizations.set_contact(program.principal.org_id, "contact@example.com")
    await program.spend(30, NOON)
    await warnings.run(NOON)
    [mail] = await mail_server.mails()
    assert mail["to"] == "contact@example.com"
    assert await organizations.set_contact(program.principal.org_id, None)


async def test_a_member_who_unsubscribes_gets_none_until_resubscribing(
    companies: Companies, acme: Company, database: Database, warnings: QuotaWarnings, mail_server: MailServer
) -> None:
    second = await companies.add_owner(acme, "second@example.com")
    await acme.limit(100)
    notifications = Notifications(database, SECRET)
    await notifications.unsubscribe(unsubscribe.sign(SECRET, acme.principal.org_id, second))
    [mail] = await warned(acme, warnings, mail_server)
    assert mail["to"] == "owner@example.com"
    assert await acme.states() == [(50, "sent"), (50, "unsubscribed")]

    await notifications.unsubscribe(unsubscribe.sign(SECRET, acme.principal.org_id, acme.principal.member_id))
    await acme.spend(30, NOON)
    await warnings.run(NOON)
    assert await mail_server.mails() == []
    assert await notifications.update(acme.principal, quota_warnings=True)
    await acme.spend(20, NOON)
    await warnings.run(NOON)
    [mail] = await mail_server.mails()
    assert mail["to"] == "owner@example.com"


async def test_a_quota_of_nothing_warns_nobody(acme: Company, warnings: QuotaWarnings) -> None:
    await acme.limit(0)
    assert (await warnings.run(NOON)).noted == 0


async def test_a_password_goes_to_no_other_machine_in_the_clear_and_into_no_error(
    acme: Company, mail_settings: dict[str, str], database: Database, mail_server: MailServer
) -> None:
    await acme.limit(100)
    await acme.spend(50, NOON)
    # Not spelled like this machine's address; the stand-in offers no TLS.
    url = f"smtp://someone:hunter2@127.1:{mail_server.port}"
    with pytest.raises(MailServerUnavailableError) as raised:
        await build({**mail_settings, "SMTP_URL": url}, database).run(NOON)
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert await mail_server.names() == []
    assert await acme.states() == [(50, "pending")]
