"""E-mails, and the interfaces that send and write them: `gateway` has a module for each implementation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


class MailError(Exception):
    """An e-mail was not accepted. The message has the server's reply and no credentials."""


class MailServerUnavailableError(MailError):
    """The server is unreachable, refuses our login, or disconnects: no e-mail can be sent now."""


class MailDeferredError(MailError):
    """The server does not accept the e-mail now, but may later."""


class MailRefusedError(MailError):
    """The e-mail cannot be sent, or the server refuses it for good."""


@dataclass(frozen=True, slots=True)
class Mail:
    """An e-mail to one person."""

    id: UUID
    """Part of its Message-ID, so that a repeated e-mail can be recognized."""
    to: str
    subject: str
    text: str
    html: str
    unsubscribe_url: str | None
    """Accepts the POST of RFC 8058; None: the e-mail has no unsubscribe link."""


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
