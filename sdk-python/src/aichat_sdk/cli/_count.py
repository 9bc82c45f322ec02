"""`aichat count`: counts the tokens of a message with its conversation."""

from __future__ import annotations

from typing import Unpack

from aichat_sdk.cli._asked import Asked, files_of, params_of, parts_of, text_of
from aichat_sdk.cli._context import Context


def count(context: Context, *, text: str | None, **asked: Unpack[Asked]) -> int:
    """Prints the input tokens that the message would have; it is not sent."""
    files = files_of(asked)
    params = params_of(context, asked)
    params["parts"] = parts_of(files, text_of(context, text, asked))
    counted = context.runner.run(context.client.chat.count_tokens(**params))
    if context.json:
        return context.fields(counted)
    about = "at most " if counted.estimated else ""
    window = f" of the {counted.context_window} that fit" if counted.context_window else ""
    context.terminal.line(f"{about}{counted.input_tokens} tokens{window}")
    return 0
