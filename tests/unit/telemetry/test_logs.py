"""Log lines: JSON without secrets, and exceptions without the lines after their first."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import logging, structlog
from aichat_server.telemetry.logs import configure_logs
from aichat_server.telemetry.scrubbing import Scrubber

reported = []
configure_logs("info", Scrubber(["correct horse"]), reported.append)
log = structlog.get_logger()

def fail():
    try:
        raise ValueError("first line\\nprivate row")
    except ValueError as cause:
        raise ExceptionGroup("several", [RuntimeError("correct horse\\nprivate, too")]) from cause

log.info("well", word="correct horse")
try:
    fail()
except ExceptionGroup:
    log.exception("ill")
logging.getLogger("library").error("theirs: %s", "correct horse")
log.info("reported", lines=[line["event"] for line in reported])
"""


def _lines() -> list[dict[str, object]]:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_lines_are_clean_and_faults_are_passed_on() -> None:
    well, ill, theirs, reported = _lines()
    assert well["word"] == "[removed]"
    assert "private" not in str(ill)
    assert "correct horse" not in str((ill, theirs))
    assert "ValueError: first line" in str(ill["exception"])
    assert "RuntimeError: [removed]" in str(ill["exception"])
    assert "in fail" in str(ill["exception"])
    assert (theirs["event"], theirs["logger"]) == ("theirs: [removed]", "library")
    assert reported["lines"] == ["ill", "theirs: [removed]"]
