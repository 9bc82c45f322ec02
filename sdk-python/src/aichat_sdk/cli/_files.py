"""`aichat files`: stores files, describes them, and reads them back."""

from __future__ import annotations

from pathlib import Path

from aichat_sdk.cli._attached import attached
from aichat_sdk.cli._context import Context
from aichat_sdk.cli._parts import size_text
from aichat_sdk.client import AsyncAIChat
from aichat_sdk.types import File


def upload(context: Context, *, path: str) -> int:
    """Stores a file, and prints its id and what was found in it."""
    attached(path)
    return _show(context, context.runner.run(context.client.files.upload(path)))


def get(context: Context, *, file_id: str, output: Path | None) -> int:
    """Prints what is known of a file; with `output`, writes its bytes there."""
    file = context.runner.run(context.client.files.get(file_id))
    if output is not None:
        context.runner.run(_save(context.client, file_id, output))
    return _show(context, file)


async def _save(client: AsyncAIChat, file_id: str, output: Path) -> None:
    with output.open("wb") as file:
        async for piece in client.files.download(file_id):
            file.write(piece)


def _show(context: Context, file: File) -> int:
    if context.json:
        return context.document(file=file)
    context.terminal.line(f"{file.file_id}  {file.media_type}  {size_text(file.size_bytes)}")
    return 0
