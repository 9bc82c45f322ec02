"""Makes a model's Markdown safe to print on a terminal."""

from __future__ import annotations

from itertools import dropwhile

from markdown_it import MarkdownIt
from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Markdown
from rich.segment import Segment

_CONTROLS = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"}


def printable(text: str) -> str:
    """Returns the text without control characters, which could move the cursor or do worse."""
    return text.translate(_CONTROLS)


class SafeMarkdown(Markdown):
    """Markdown that shows HTML tags as text, and starts without an empty line.

    rich's own drops the tags, and starts a list with an empty line.
    """

    def __init__(self, text: str) -> None:
        super().__init__("")
        self.markup = printable(text)
        self.parsed = _parser().parse(self.markup)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        return dropwhile(lambda segment: segment == Segment.line(), super().__rich_console__(console, options))


def split_finished(text: str) -> tuple[str, str]:
    """Returns the blocks that cannot grow any more, and the rest: the last block with the line still being written."""
    complete, newline, _ = text.rpartition("\n")
    starts = [token.map[0] for token in _parser().parse(complete + newline) if token.level == 0 and token.map]
    if len(starts) < 2:
        return "", text
    lines = text.split("\n")
    return "\n".join(lines[: starts[-1]]), "\n".join(lines[starts[-1] :])


def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("strikethrough").enable("table")
