"""Records docs/pictures/terminal.svg, or the file that is named: `.venv/bin/python docs/pictures/record.py [FILE]`.

The commands run for real, in a terminal of their own, against the platform that `make run` started in this folder, or
that AICHAT_ENDPOINT names. The picture shows what they print, and when. Only the typing is simulated.
"""

from __future__ import annotations

import os
import pty
import sys
import time
from codecs import getincrementaldecoder
from collections.abc import Iterator, Mapping
from pathlib import Path

from drawing import COLUMNS, Frame, draw
from screen import Screen

ROOT = Path(__file__).resolve().parents[2]
PICTURE = Path(__file__).with_name("terminal.svg")
COMMANDS = (
    'aichat chat "Name three rivers." --model claude-haiku-5-5',
    'head -n 20 README.md | aichat chat "What is this about, in a word?" --model gpt-6-luna',
    "aichat usage",
)
TYPING_SECONDS = 0.03
PAUSE_SECONDS = 0.8


def main(picture: Path) -> int:
    """Runs the commands and writes the picture; returns 1 if a command failed."""
    screen, frames, now = Screen(COLUMNS), list[Frame](), 0.5
    for command in COMMANDS:
        frames.extend(_type(screen, command, now))
        now = frames[-1].moment + PAUSE_SECONDS / 2
        began = now
        try:
            for seconds, output in _run(command):
                screen.write(output)
                now = began + seconds
                frames.append(Frame(now, screen.rows()))
        except ChildProcessError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        screen.write("\n")
        now += PAUSE_SECONDS
    picture.write_text(draw(frames, "aichat asks Claude and GPT, and shows what it cost"))
    return 0


def _type(screen: Screen, command: str, begin: float) -> Iterator[Frame]:
    """Frames of a command as it is typed."""
    screen.write("\x1b[32m$ \x1b[0m")
    yield Frame(begin, screen.rows())
    # By words: a picture that changes with each key is three times as large.
    for number, word in enumerate(command.split(" ")):
        screen.write(f" {word}" if number else word)
        begin += TYPING_SECONDS * (len(word) + 1)
        yield Frame(begin, screen.rows())
    screen.write("\r\n")


def _run(command: str) -> Iterator[tuple[float, str]]:
    """What a command prints and when, in seconds. Raises ChildProcessError if it fails."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe("sh", ["sh", "-c", command], _environment())  # noqa: S606, S607 - the commands above
    began = time.monotonic()
    decoder = getincrementaldecoder("utf-8")()
    while output := _read(terminal):
        yield time.monotonic() - began, decoder.decode(output)
    os.close(terminal)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code:
        raise ChildProcessError(f"{command}: exit code {code}")


def _environment() -> Mapping[str, str]:
    path = f"{ROOT}/.venv/bin:{os.environ['PATH']}"
    target = {name: os.environ[name] for name in ("AICHAT_ENDPOINT", "AICHAT_API_KEY") if name in os.environ}
    terminal = {"TERM": "xterm-256color", "LANG": "C.UTF-8", "COLUMNS": str(COLUMNS), "LINES": "40"}
    return {"PATH": path, "HOME": str(ROOT), **terminal, **target}


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says the end of a terminal so.
        return b""


if __name__ == "__main__":
    chosen = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else PICTURE
    os.chdir(ROOT)
    sys.exit(main(chosen))
