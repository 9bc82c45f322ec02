"""As much of a terminal as the command `aichat` needs: it turns a program's output into rows of styled text."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

Span = tuple[str, str]
"""Text, and the CSS classes it has."""

_TOKEN = re.compile(r"\x1b\[([0-9;?]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")
_CLASSES = {
    "1": "bold",
    "2": "dim",
    "31": "red",
    "32": "green",
    "33": "yellow",
    "34": "blue",
    "35": "pink",
    "36": "cyan",
}
_NO_CELL = (" ", "")


@dataclass
class Screen:
    """Rows of cells, as tall as the output needs."""

    columns: int
    cells: list[list[Span]] = field(default_factory=lambda: [[]])
    row: int = 0
    column: int = 0
    classes: tuple[str, ...] = ()

    def write(self, text: str) -> None:
        """Takes output. Raises ValueError for an escape sequence that it does not know."""
        position = 0
        for token in _TOKEN.finditer(text):
            if token.start() != position:
                break
            position = token.end()
            parameters, command, control, plain = token.groups()
            if command:
                self._obey(parameters, command)
            elif control:
                self._move(control)
            else:
                self._put(plain)
        if position != len(text):
            raise ValueError(f"unknown output: {text[position : position + 20]!r}")

    def rows(self) -> tuple[tuple[Span, ...], ...]:
        """Each row as spans, without the blanks at its end."""
        return tuple(_spans(row) for row in self.cells)

    def _move(self, control: str) -> None:
        self.column = 0
        if control == "\n":
            self.row += 1
            if self.row == len(self.cells):
                self.cells.append([])

    def _put(self, text: str) -> None:
        for character in text:
            if self.column == self.columns:
                self._move("\n")
            row = self.cells[self.row]
            row += [_NO_CELL] * (self.column - len(row))
            row[self.column : self.column + 1] = [(character, " ".join(self.classes))]
            self.column += 1

    def _obey(self, parameters: str, command: str) -> None:
        if command == "m":
            for code in parameters.split(";"):
                # A background, and whatever else has no class, is not drawn.
                self.classes = () if code in ("", "0") else (*self.classes, *filter(None, [_CLASSES.get(code)]))
        elif command == "A":
            self.row = max(0, self.row - int(parameters or 1))
        elif command == "K":
            self.cells[self.row] = [] if parameters == "2" else self.cells[self.row][: self.column]
        elif command not in "hl":
            raise ValueError(f"unknown escape sequence: {parameters}{command}")


def _spans(row: list[Span]) -> tuple[Span, ...]:
    spans: list[Span] = []
    for character, classes in row:
        if spans and spans[-1][1] == classes:
            spans[-1] = (spans[-1][0] + character, classes)
        else:
            spans.append((character, classes))
    while spans and not spans[-1][0].strip():
        spans.pop()
    if spans:
        spans[-1] = (spans[-1][0].rstrip(), spans[-1][1])
    return tuple(spans)
