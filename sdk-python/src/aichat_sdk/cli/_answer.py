"""Shows an answer while it arrives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console
from rich.live import Live

from aichat_sdk.cli._markdown import SafeMarkdown, printable, split_finished


class Answer(ABC):
    """An answer that is arriving: enter it, add the pieces, and leave it after the last one."""

    @abstractmethod
    def add(self, text: str) -> None:
        """Shows the next piece."""

    @abstractmethod
    def __enter__(self) -> Self: ...

    @abstractmethod
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class SilentAnswer(Answer):
    """For programs, which get the whole answer at its end."""

    def add(self, text: str) -> None:
        """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Shows nothing."""


class PlainAnswer(Answer):
    """For files, pipes and simple terminals: the text as it arrives."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._written = False

    def add(self, text: str) -> None:
        """Writes the piece at once."""
        self._file.write(printable(text) if self._file.isatty() else text)
        self._file.flush()
        self._written = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._written:
            self._file.write("\n")
            self._file.flush()


class LiveAnswer(Answer):
    """For terminals: Markdown that is redrawn as it grows.

    A finished block is printed for good. Only the last one is redrawn, so that an answer longer than the screen does
    not flicker and leaves no copies of itself behind.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        # Only this thread draws: rich's refresh thread would draw between two prints of another thread.
        self._live = Live("…", console=console, auto_refresh=False, transient=True)
        self._open = ""
        self._printed = False

    def add(self, text: str) -> None:
        """Redraws the last block with the piece."""
        finished, self._open = split_finished(self._open + text)
        self._live.update(SafeMarkdown(self._open))
        self._print(finished)
        self._live.refresh()

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Emptied first, because rich cannot clear what is taller than the screen.
        self._live.update("", refresh=True)
        self._live.stop()
        self._print(self._open)

    def _print(self, text: str) -> None:
        if not text.strip():
            return
        if self._printed:
            self._console.print()
        self._console.print(SafeMarkdown(text))
        self._printed = True
