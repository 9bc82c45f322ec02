"""Reads and writes the terminal. Text from the platform never reaches it with control characters."""

from __future__ import annotations

import select
import sys
from collections.abc import Iterable
from contextlib import suppress
from decimal import Decimal

from rich.console import Console
from rich.text import Text

from aichat_sdk.cli._answer import Answer, LiveAnswer, PlainAnswer, SilentAnswer
from aichat_sdk.cli._markdown import SafeMarkdown, printable

# A program that pipes text in usually does so at once.
_QUIET_SECONDS = 3.0


class Terminal:
    """Writes results to standard output; failures, and notes that would mix with the results, to standard error."""

    def __init__(self, *, silent: bool) -> None:
        """`silent`: for a program: shows no answers while they arrive, and no notes."""
        self._silent = silent
        self._out = Console(highlight=False, markup=False, emoji=False)
        self._err = Console(highlight=False, markup=False, emoji=False, stderr=True)
        self._fancy = sys.stdout.isatty() and not self._out.is_dumb_terminal

    @property
    def has_person(self) -> bool:
        """Whether a person types; otherwise standard input is a pipe or a file."""
        return sys.stdin is not None and sys.stdin.isatty()

    @property
    def converses(self) -> bool:
        """Whether a person both types and reads."""
        return self.has_person and sys.stdout.isatty()

    def read(self) -> str:
        """Returns the whole piped text; after a few silent seconds, prints that it is still waiting for the end."""
        if sys.stdin is None:
            return ""
        with suppress(OSError, ValueError):
            # Not every system supports this, and not for every kind of input.
            if not select.select([sys.stdin], [], [], _QUIET_SECONDS)[0] and not self.has_person:
                self.note("Waiting for the end of the piped text; use `< /dev/null` for none.")
        return sys.stdin.read()

    def answer(self) -> Answer:
        """Returns what shows an answer as it arrives: live Markdown on a terminal, plain text elsewhere."""
        if self._silent:
            return SilentAnswer()
        return LiveAnswer(self._out) if self._fancy else PlainAnswer(sys.stdout)

    def markdown(self, text: str) -> None:
        """Prints a complete text of a person or a model."""
        if self._fancy:
            self._out.print(SafeMarkdown(text))
        else:
            self.line(text)

    def line(self, text: str) -> None:
        """Prints a line unchanged."""
        if sys.stdout.isatty():
            text = printable(text)
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def heading(self, text: str) -> None:
        """Prints a line that stands out."""
        self._out.print(printable(text), style="bold", soft_wrap=True)

    def bar(self, label: str, pieces: Iterable[tuple[str, str]]) -> None:
        """Prints a label and coloured pieces on one line; each piece is a text and the name of a colour."""
        texts = [Text(printable(text), style=colour) for text, colour in pieces]
        self._out.print(Text.assemble(printable(label), *texts), soft_wrap=True)

    def note(self, text: str) -> None:
        """Prints a dim line; to standard error if its output is a pipe."""
        if self._silent:
            return
        console = self._out if sys.stdout.isatty() else self._err
        console.print(printable(text), style="dim", soft_wrap=True)

    def fail(self, text: str) -> None:
        """Prints a line to standard error unchanged."""
        sys.stderr.write(text + "\n")

    def complain(self, text: str) -> None:
        """Prints what went wrong, on one line."""
        self._err.print(f"aichat: {printable(' '.join(text.split()))}", style="red", soft_wrap=True)


def dollars(amount: Decimal) -> str:
    """Returns an amount with as many digits as it needs, and at least two after the point."""
    digits = max(2, -int(amount.normalize().as_tuple().exponent))
    return f"${amount:.{digits}f}"
