"""What people see. Text from the platform never reaches a terminal with the control characters it may hold."""

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

# Who pipes something in mostly does so at once.
_QUIET_SECONDS = 3.0


class Terminal:
    """Standard output for what was asked for; standard error for failures, and for notes that would get in between."""

    def __init__(self, *, silent: bool) -> None:
        """`silent`: answers are not shown while they arrive."""
        self._silent = silent
        self._out = Console(highlight=False, markup=False, emoji=False)
        self._err = Console(highlight=False, markup=False, emoji=False, stderr=True)
        self._fancy = sys.stdout.isatty() and not self._out.is_dumb_terminal

    @property
    def has_person(self) -> bool:
        """Whether a person types; what a program says comes through a pipe or from a file."""
        return sys.stdin is not None and sys.stdin.isatty()

    @property
    def converses(self) -> bool:
        """Whether there is a person at both ends."""
        return self.has_person and sys.stdout.isatty()

    def read(self) -> str:
        """What is piped in, to its end; tells whoever left a pipe open that this is waited for."""
        if sys.stdin is None:
            return ""
        with suppress(OSError, ValueError):
            # Not all systems can tell, and not of everything.
            if not select.select([sys.stdin], [], [], _QUIET_SECONDS)[0] and not self.has_person:
                self.note("Waiting for the end of what is piped in; `< /dev/null` stands for nothing.")
        return sys.stdin.read()

    def answer(self) -> Answer:
        """Shows an answer as it arrives: live Markdown on a terminal, plain text elsewhere."""
        if self._silent:
            return SilentAnswer()
        return LiveAnswer(self._out) if self._fancy else PlainAnswer(sys.stdout)

    def markdown(self, text: str) -> None:
        """Prints a whole text of a person or a model."""
        if self._fancy:
            self._out.print(SafeMarkdown(text))
        else:
            self.line(text)

    def line(self, text: str) -> None:
        """Prints a line as it is."""
        if sys.stdout.isatty():
            text = printable(text)
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def heading(self, text: str) -> None:
        """Prints a line that stands out."""
        self._out.print(printable(text), style="bold", soft_wrap=True)

    def bar(self, label: str, pieces: Iterable[tuple[str, str]]) -> None:
        """Prints a line that goes on with coloured pieces, each a text and the name of a colour."""
        texts = [Text(printable(text), style=colour) for text, colour in pieces]
        self._out.print(Text.assemble(printable(label), *texts), soft_wrap=True)

    def note(self, text: str) -> None:
        """Prints a line in the background, beside the output if that is not for people."""
        console = self._out if sys.stdout.isatty() else self._err
        console.print(printable(text), style="dim", soft_wrap=True)

    def complain(self, text: str) -> None:
        """Prints what went wrong, on one line."""
        self._err.print(f"aichat: {printable(' '.join(text.split()))}", style="red", soft_wrap=True)


def dollars(amount: Decimal) -> str:
    """An amount with as many digits as it needs, and at least two after the point."""
    digits = max(2, -int(amount.normalize().as_tuple().exponent))
    return f"${amount:.{digits}f}"
