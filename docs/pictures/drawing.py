"""Draws a recorded terminal as an SVG that plays in any browser, without scripts: CSS shows each row in its time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from screen import Span

COLUMNS = 96
_CHARACTER, _LINE, _MARGIN, _BAR = 8.4, 19, 18, 34
_STYLE = """\
text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #d7dae0; white-space: pre; }
.bold { font-weight: 600; fill: #fff; } .dim { fill: #8b919d; } .red { fill: #f2777a; } .green { fill: #8fd18b; }
.yellow { fill: #f2c66d; } .blue { fill: #7fb2f0; } .pink { fill: #d3a0e8; } .cyan { fill: #6fd0d0; }
@keyframes hide { from, to { visibility: hidden; } }
@keyframes show { from, to { visibility: visible; } }
.gone { visibility: hidden; }
@media (prefers-reduced-motion: reduce) { text { animation: none !important; } }"""


@dataclass(frozen=True, slots=True)
class Frame:
    """What the screen showed from a moment on, in seconds."""

    moment: float
    rows: tuple[tuple[Span, ...], ...]


def draw(frames: Sequence[Frame], title: str) -> str:
    """Returns the SVG. Where nothing moves, it shows the last frame."""
    height = _BAR + len(frames[-1].rows) * _LINE + _MARGIN
    width = round(COLUMNS * _CHARACTER + 2 * _MARGIN)
    lights = "".join(
        f'<circle cx="{20 + 18 * place}" cy="18" r="5.5" fill="{colour}"/>'
        for place, colour in enumerate(("#ff5f57", "#febc2e", "#28c840"))
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">'
    window = f'<rect width="{width}" height="{height}" rx="8" fill="#16181d"/>{lights}'
    texts = [line for row in range(len(frames[-1].rows)) for line in _row(frames, row)]
    return "\n".join(
        [head, f"<title>{escape(title)}</title>", f"<style>\n{_STYLE}\n</style>", window, *texts, "</svg>\n"]
    )


def _row(frames: Sequence[Frame], row: int) -> Iterator[str]:
    """Each content that the row has, in its time."""
    shown: list[tuple[float, tuple[Span, ...]]] = [(0.0, ())]
    for frame in frames:
        content = frame.rows[row] if row < len(frame.rows) else ()
        if content != shown[-1][1]:
            shown.append((frame.moment, content))
    ends = [moment for moment, _ in shown[1:]]
    for (begin, content), end in zip(shown, [*ends, None], strict=True):
        if content:
            yield _text(content, row, begin, end)


def _text(content: tuple[Span, ...], row: int, begin: float, end: float | None) -> str:
    spans = "".join(
        f'<tspan class="{classes}">{escape(text)}</tspan>' if classes else escape(text) for text, classes in content
    )
    if end is None:
        timing = f'style="animation: hide {begin:.2f}s"'
    else:
        timing = f'class="gone" style="animation: show {end - begin:.2f}s {begin:.2f}s"'
    return f'<text x="{_MARGIN}" y="{_BAR + (row + 1) * _LINE}" xml:space="preserve" {timing}>{spans}</text>'
