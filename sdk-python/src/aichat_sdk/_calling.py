"""Calls tools for a model, and turns whatever happens into results that the model can read."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from aichat_sdk._proto.aichat.v1 import ToolCallPart
from aichat_sdk._schema import json_of
from aichat_sdk.content import Document, Image, ResultContent, ToolResult
from aichat_sdk.tools import Tool

_MOST_TEXT_BYTES = 1 << 20
_MOST_PARTS = 32
_MOST_ERROR_CHARACTERS = 2000


async def call_all(calls: Sequence[ToolCallPart], tools: Mapping[str, Tool]) -> list[ToolResult]:
    """Calls the tools at the same time, and returns their results in the order of the calls."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_call(call, tools)) for call in calls]
    return [task.result() for task in tasks]


async def _call(call: ToolCallPart, tools: Mapping[str, Tool]) -> ToolResult:
    tool = tools.get(call.name)
    if tool is None:
        return _failed(call, f"there is no tool {call.name!r}; there are {', '.join(tools)}")
    try:
        return ToolResult(call.call_id, _content(await tool.call(call.arguments)))
    except (Exception, SystemExit) as error:  # noqa: BLE001 — the model reads it, and may do better
        # A SystemExit, as of argparse, would end the event loop, and those who wait for it would wait forever.
        return _failed(call, f"{type(error).__name__}: {error}")
    except asyncio.CancelledError:
        # A function may also raise it by itself.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        return _failed(call, "CancelledError")


def _failed(call: ToolCallPart, text: str) -> ToolResult:
    sendable = text.encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
    return ToolResult(call.call_id, sendable[:_MOST_ERROR_CHARACTERS], is_error=True)


def _content(result: Any) -> ResultContent:
    """Returns what a function returned as content: text, images and documents as they are, other values as JSON."""
    if isinstance(result, list | tuple) and any(isinstance(one, Image | Document) for one in result):
        if len(result) > _MOST_PARTS:
            raise ValueError(f"the result has {len(result)} parts, at most {_MOST_PARTS} can be sent")
        parts = [one if isinstance(one, Image | Document) else _text(one) for one in result]
        return [one for one in parts if not isinstance(one, str) or one.strip()]
    if result is None or isinstance(result, Image | Document):
        return result
    text = _text(result)
    # A part of text holds more than white space.
    return text if text.strip() else None


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json_of(value)
    size = len(text.encode())
    if size > _MOST_TEXT_BYTES:
        raise ValueError(f"the result has {size} bytes, at most {_MOST_TEXT_BYTES} can be sent")
    if "\0" in text:
        raise ValueError("the result holds a NUL character")
    return text
