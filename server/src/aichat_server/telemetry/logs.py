"""Logs: one JSON object per line on standard error, for the libraries' lines, too."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from aichat_server.telemetry.scrubbing import Scrubber

Report = Callable[[Mapping[str, Any]], None]
"""Receives each line from "error" up, with its exception, if any, as `exc_info`."""


def configure_logs(level: str, scrubber: Scrubber | None = None, report: Report | None = None) -> None:
    """Sets up this process's logs, from `level` ("debug", "info", "warning", "error") up."""
    clean = scrubber or Scrubber()
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        *([_reporting(report)] if report else []),
        structlog.processors.ExceptionRenderer(_first_words),
    ]

    def render(line: object, **_: object) -> bytes:
        return clean.line(msgspec.json.encode(line, enc_hook=str))

    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(render)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(file=sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.JSONRenderer(lambda line, **_: render(line).decode()),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # The HTTP clients log a line per request; those that matter are logged where their purpose is known.
    for name in ("httpx", "httpx2", "google_genai"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _first_words(exc_info: ExcInfo) -> str:
    """Returns the traceback with the first line of each exception's message.

    The values of local variables may be secret, and later lines may be data: Postgres quotes the refused row there.
    """
    return "\n".join(reversed(list(_told(exc_info[1]))))


def _told(error: BaseException | None) -> Iterator[str]:
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        words = str(error).split("\n", 1)[0]
        yield f"{''.join(traceback.format_tb(error.__traceback__))}{type(error).__qualname__}: {words}"
        if isinstance(error, BaseExceptionGroup):
            for part in error.exceptions:
                yield from _told(part)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _reporting(report: Report) -> Processor:
    def pass_on(_logger: WrappedLogger, method: str, line: EventDict) -> EventDict:
        if method in ("error", "critical", "exception"):
            report(line)
        return line

    return pass_on
