"""What the command line asks a model: `aichat chat` sends it, and `aichat count` counts it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from aichat_sdk.cli._attached import Attached, attached, piped, schema
from aichat_sdk.cli._config import chosen_model
from aichat_sdk.cli._context import Context
from aichat_sdk.cli._default_model import default_model
from aichat_sdk.cli._state import recall
from aichat_sdk.errors import InvalidRequestError
from aichat_sdk.types import CountParams, Effort

STDIN = "-"
"""Names standard input among the files."""


class Asked(TypedDict):
    """The arguments of both subcommands, except the text."""

    model: str | None
    conversation: str | None
    continues: bool
    """Whether to continue the last conversation."""
    system: str | None
    max_output_tokens: int | None
    effort: Effort | None
    files: list[str]
    search: bool
    schema: str | None


def params_of(context: Context, asked: Asked) -> CountParams:
    """Returns the parameters of the call, without the message; asks for the models if none is named."""
    last = recall(context.endpoint) if asked["continues"] else None
    model = asked["model"] or (last.model if last else None) or chosen_model()
    return CountParams(
        model=model or context.runner.run(default_model(context.client)),
        conversation_id=last.conversation_id if last else asked["conversation"],
        system_prompt=asked["system"],
        max_output_tokens=asked["max_output_tokens"],
        reasoning_effort=asked["effort"],
        web_search=asked["search"],
        response_format=None if asked["schema"] is None else schema(asked["schema"]),
    )


def files_of(asked: Asked) -> list[Attached]:
    """Returns the files; raises InvalidRequestError if one cannot be sent."""
    return [piped() if path == STDIN else attached(path) for path in asked["files"]]


def text_of(context: Context, text: str | None, asked: Asked) -> str:
    """Returns the text of the arguments, followed by the piped text, as in `aichat chat "Sum this up:" < report.txt`.

    Either may be missing. What is piped is no text if it is a file of the message.
    """
    if STDIN in asked["files"]:
        return text or ""
    if text is None:
        return context.terminal.read()
    piped = "" if context.terminal.has_person else context.terminal.read()
    return f"{text}\n\n{piped}" if piped.strip() else text


def parts_of(files: Sequence[Attached], text: str) -> list[Attached | str]:
    """Returns the content of a message: files first, and the text, which may be missing beside a file.

    Raises InvalidRequestError if there is neither.
    """
    if not files and not text.strip():
        raise InvalidRequestError("there is nothing to send: give a text, or pipe one in")
    return [*files, text] if text.strip() else list(files)
