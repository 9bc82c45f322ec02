"""E-mails, and what sends and writes them: `gateway` has one module for each way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


class MailError(Exception):
    """An e-mail was not taken. The message holds the server's words and no credentials."""


class MailServerUnavailableError(MailError):
    """The server cannot be reached, does not let us in, or breaks off: no e-mail gets through now."""


class MailDeferredError(MailError):
    """The server will not have the e-mail now, and may later."""


class MailRefusedError(MailError):
    """The e-mail cannot be sent, or the server will never have it."""


@dataclass(frozen=True, slots=True)
class Mail:
    """An e-mail to one person."""

    id: UUID
    """In its Message-ID, so that it is known for the same when it is sent again."""
    to: str
    subject: str
    text: str
    html: str
    unsubscribe_url: str | None
    """Takes the POST of RFC 8058; None: nobody is asked whether they want it."""


class Mailer(Protocol):
    """Sends e-mails."""

    async def send(self, mail: Mail) -> None:
        """Returns once the mail server has accepted it; a MailError says why it has not."""
        ...


class MailTemplates(Protocol):
    """Writes e-mails."""

    def render(self, name: str, values: Mapping[str, object]) -> tuple[str, str]:
        """Returns text and HTML of the e-mail called `name`. `values` has every value that its templates name."""
        ...
