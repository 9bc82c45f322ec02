"""What every client is asked, with each vendor's model."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Coroutine
from typing import Any

ENDPOINT = f"http://{os.environ['AICHAT_ENDPOINT']}"
KEY = os.environ["AICHAT_API_KEY"]
OPENAI = f"{ENDPOINT}/openai/v1"
ANTHROPIC = f"{ENDPOINT}/anthropic"
MODELS = ("claude-haiku-5-5", "gpt-6-luna", "gemini-3.5-flash-lite")

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
"""A PNG of one pixel, in base64."""


def script(**how: Any) -> str:
    """Returns a question that tells the vendors' stand-ins how to answer."""
    return f"#script {json.dumps(how)}"


HELLO = script(deltas=["Hello ", "there."])
SAID = "Hello there."
ROUNDS = script(
    rounds=[
        {"tools": [{"name": "add", "arguments": {"a": 1, "b": 2}}]},
        {"tools": [{"name": "add", "arguments": {"a": 3, "b": 3}}]},
        {"tools": [{"name": "add", "arguments": {"a": 6, "b": 4}}]},
        {"deltas": ["The sum ", "is 10."]},
    ]
)
SUM = "The sum is 10."
SUMS = [3, 6, 10]
"""What the tool returns, round by round."""
CITY = script(deltas=['{"name": "Oslo", ', '"people": 700000}'])
CITY_SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["name", "people"],
    "additionalProperties": False,
}


def done(*names: str) -> None:
    """Tells the test what has been checked."""
    print("ok", *names, flush=True)


def each_model(check: Callable[[str], Coroutine[Any, Any, None]]) -> Callable[[], Coroutine[Any, Any, None]]:
    """Returns a check of all models."""

    async def all_models() -> None:
        for model in MODELS:
            await check(model)
            done(check.__name__, model)

    return all_models
