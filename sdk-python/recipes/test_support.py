"""How to test a program that uses the SDK: with pytest, without a platform."""

from __future__ import annotations

import pytest
from aichat_sdk import AIChat, RateLimitError
from aichat_sdk.testing import FakePlatform, ToolCall


def reply_to(client: AIChat, question: str) -> str:
    """The program under test: answers customers, and looks orders up for that."""

    def order_state(number: int) -> str:
        return {7: "sent on Monday"}.get(number, "unknown")

    try:
        with client.chat.run_tools(model="gpt-6-luna", text=question, tools=[order_state]) as run:
            return run.get_final_text()
    except RateLimitError:
        return "Please ask again in a minute."


@pytest.fixture
def platform() -> FakePlatform:
    return FakePlatform()


def test_it_looks_orders_up(platform: FakePlatform) -> None:
    platform.answer(ToolCall("order_state", {"number": 7}))
    platform.answer("It was ", "sent on Monday.")
    with platform.client() as client:
        assert reply_to(client, "Where is order 7?") == "It was sent on Monday."
    first, second = platform.calls
    assert first.text == "Where is order 7?"
    assert second.request.parts[0].tool_result.parts[0].text.text == "sent on Monday"


def test_it_is_polite_when_it_is_busy(platform: FakePlatform) -> None:
    platform.fail(RateLimitError("too many requests", reason="RATE_LIMITED"))
    with platform.client() as client:
        assert reply_to(client, "Hello?") == "Please ask again in a minute."
