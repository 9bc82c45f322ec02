"""Sends e-mails to the SMTP server of a URL, one message per connection."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UnstructuredHeader
from email.message import EmailMessage
from email.policy import SMTP, Policy
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

import aiosmtplib

from aichat_server.mail.domain import (
    Mail,
    MailDeferredError,
    Mailer,
    MailError,
    MailRefusedError,
    MailServerUnavailableError,
)

_SECONDS = 30.0
"""How long sending one e-mail may take."""
_NOT_LET_IN = (
    aiosmtplib.SMTPConnectResponseError,
    aiosmtplib.SMTPHeloError,
    aiosmtplib.SMTPAuthenticationError,
    aiosmtplib.SMTPSenderRefused,
)
_DEFAULT_PORTS = {"smtp": 587, "smtps": 465}
_PLAIN = ("list-unsubscribe", "list-unsubscribe-post")
_LONGEST_LINE = 998
"""Characters (RFC 5322)."""


class _PlainHeader(UnstructuredHeader, BaseHeader):
    """A header for programs, which RFC 2047 does not allow to encode, however long it is."""

    def fold(self, *, policy: Policy) -> str:
        """Returns the header in one line; raises ValueError if it does not fit into one."""
        line = f"{self.name}: {self}"
        if not line.isascii() or not line.isprintable() or len(line) > _LONGEST_LINE:
            raise ValueError(f"{self.name} does not fit into a line")
        return line + policy.linesep


class SmtpMailer(Mailer):
    """Sends e-mails by SMTP. `smtps://` is TLS from the start.

    `smtp://` switches to TLS if the server offers it, and must do so to send a password, unless the server is on this
    machine.
    """

    def __init__(self, url: str, sender: str) -> None:
        """`sender` is one address, with or without a name."""
        parts = urlsplit(url)
        self._host = parts.hostname or ""
        self._port = parts.port or _DEFAULT_PORTS[parts.scheme]
        self._username = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._tls = parts.scheme == "smtps"
        # None: if the server offers it.
        self._start_tls = True if self._password and not self._tls and not _is_loopback(self._host) else None
        self._sender = sender

    async def send(self, mail: Mail) -> None:
        """Returns once the server has taken it; a MailError says why it has not."""
        with _mail_errors():
            # For the whole e-mail: the client's own limit is one for each command.
            await asyncio.wait_for(self._send(mail), _SECONDS)

    async def _send(self, mail: Mail) -> None:
        await aiosmtplib.send(
            _message(mail, self._sender),
            hostname=self._host,
            port=self._port,
            username=self._username,
            password=self._password,
            use_tls=self._tls,
            start_tls=False if self._tls else self._start_tls,
            timeout=_SECONDS,
        )


def _message(mail: Mail, sender: str) -> EmailMessage:
    headers = HeaderRegistry()
    for name in _PLAIN:
        headers.map_to_type(name, _PlainHeader)
    message = EmailMessage(policy=SMTP.clone(header_factory=headers))
    message["From"] = sender
    message["To"] = _address(mail.to)
    message["Subject"] = mail.subject
    message["Message-ID"] = f"<{mail.id}@{message['From'].addresses[0].domain}>"
    message["Date"] = datetime.now(UTC)
    message["Auto-Submitted"] = "auto-generated"
    if mail.unsubscribe_url is not None:
        message["List-Unsubscribe"] = f"<{mail.unsubscribe_url}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message


def _address(text: str) -> Address:
    try:
        address = Address(addr_spec=text)
    except (ValueError, IndexError, HeaderParseError):
        raise MailRefusedError("the address is none") from None
    if not address.domain:
        raise MailRefusedError("the address has no domain")
    return address


@contextmanager
def _mail_errors() -> Iterator[None]:
    # Without causes: aiosmtplib's exceptions may contain the dialogue with the credentials.
    try:
        yield
    except _NOT_LET_IN as error:
        raise MailServerUnavailableError(f"the mail server does not let us in: {error.code}") from None
    except aiosmtplib.SMTPRecipientsRefused as error:
        raise _refusal(error.recipients[0]) from None
    except aiosmtplib.SMTPResponseException as error:
        raise _refusal(error) from None
    except (aiosmtplib.SMTPNotSupported, ValueError) as error:
        raise MailRefusedError(f"the e-mail cannot be written: {type(error).__name__}") from None
    except (aiosmtplib.SMTPException, OSError) as error:
        raise MailServerUnavailableError(f"the mail server cannot be reached: {type(error).__name__}") from None


def _refusal(error: aiosmtplib.SMTPResponseException) -> MailError:
    said = f"{error.code} {error.message}"
    return MailRefusedError(said) if error.code >= 500 else MailDeferredError(said)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
