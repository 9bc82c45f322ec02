"""Renders e-mails from the templates beside this file: `<name>.txt` and `<name>.html`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from aichat_server.mail.domain import MailTemplates

_FOLDER = Path(__file__).with_name("templates")


class FileTemplates(MailTemplates):
    """Renders e-mails. Values are escaped in HTML."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=FileSystemLoader(_FOLDER), undefined=StrictUndefined, autoescape=select_autoescape(("html",))
        )

    def render(self, name: str, values: Mapping[str, object]) -> tuple[str, str]:
        """Returns text and HTML of the e-mail `name`; every value that its templates name must be present."""
        text, html = (self._templates.get_template(f"{name}.{kind}").render(values) for kind in ("txt", "html"))
        return text, html
