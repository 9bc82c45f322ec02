"""Failures of a vendor become the contract's errors, with the usage so far."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Any

import pytest
from aichat_server.core.errors import Reason
from aichat_server.providers.domain.events import Stop, UsageReport
from aichat_server.providers.gateway.base import BaseAIProvider, ProviderConfig
from aichat_server.providers.gateway.factory import AIProviderFactory

from tests.fixtures.vendors import MODELS, Answer, Vendors, answer, asking, scripted

STATUSES = [
    (400, Reason.PROVIDER_REQUEST_REJECTED),
    (401, Reason.PROVIDER_CREDENTIALS_REJECTED),
    (403, Reason.PROVIDER_CREDENTIALS_REJECTED),
    (404, Reason.PROVIDER_MODEL_MISSING),
    (413, Reason.PROVIDER_REQUEST_REJECTED),
    (422, Reason.PROVIDER_REQUEST_REJECTED),
    (429, Reason.PROVIDER_RATE_LIMITED),
    (500, Reason.PROVIDER_UNAVAILABLE),
    (502, Reason.PROVIDER_UNAVAILABLE),
    (503, Reason.PROVIDER_OVERLOADED),
    (529, Reason.PROVIDER_OVERLOADED),
]
BREAKS: list[tuple[dict[str, Any], Reason]] = [
    ({"cut_after": 2}, Reason.PROVIDER_STREAM_BROKEN),
    ({"cut_after": 4}, Reason.PROVIDER_STREAM_BROKEN),
    ({"stop": "refusal"}, Reason.ANSWER_REFUSED),
]


def assert_failed(got: Answer, reason: Reason, vendor: str) -> None:
    assert got.error is not None
    assert got.error.reason is reason
    assert got.error.metadata["provider"] == vendor
    assert not any(isinstance(event, Stop) for event in got.events)


@pytest.mark.parametrize(("status", "reason"), STATUSES)
async def test_an_http_error_is_named_and_asked_for_once(
    provider: BaseAIProvider, vendor: str, vendors: Vendors, status: int, reason: Reason
) -> None:
    got = await answer(provider, asking(vendor, scripted(status=status)))
    assert_failed(got, reason, vendor)
    assert got.events == []
    assert len(vendors.log()) == 1


async def test_a_refused_request_shows_the_vendors_words(provider: BaseAIProvider, vendor: str) -> None:
    got = await answer(provider, asking(vendor, scripted(status=400)))
    assert got.error
    assert "Scripted failure 400" in got.error.message


async def test_a_missing_model_is_named(provider: BaseAIProvider, vendor: str) -> None:
    got = await answer(provider, asking(vendor, scripted(status=404)))
    assert got.error
    assert got.error.metadata == {"provider": vendor, "model": MODELS[vendor]}


async def test_the_vendors_wait_is_passed_on(provider: BaseAIProvider, vendor: str) -> None:
    got = await answer(provider, asking(vendor, scripted(status=429, retry_after=2.5)))
    assert got.error
    assert got.error.retry_after == 2.5


@pytest.mark.parametrize(("script", "reason"), BREAKS)
async def test_what_had_arrived_and_been_used_comes_before_the_error(
    provider: BaseAIProvider, vendor: str, script: dict[str, Any], reason: Reason
) -> None:
    got = await answer(provider, asking(vendor, scripted(deltas=["four", "five", "six ", "more"], **script)))
    assert_failed(got, reason, vendor)
    assert got.text.startswith("fourfive")
    report = got.events[-1]
    assert isinstance(report, UsageReport)
    assert report.usage.estimated is (reason is not Reason.ANSWER_REFUSED)
    assert report.usage.input > 0
    assert report.usage.output == len(got.text) // 4


async def test_an_error_event_inside_the_stream(provider: BaseAIProvider, vendor: str) -> None:
    got = await answer(provider, asking(vendor, scripted(words=5, error_after=3)))
    expected = Reason.PROVIDER_UNAVAILABLE if vendor == "openai" else Reason.PROVIDER_OVERLOADED
    assert_failed(got, expected, vendor)
    assert got.text == "word0 word1 word2 "


async def test_a_vendor_that_did_nothing_but_fail_has_used_nothing(provider: BaseAIProvider, vendor: str) -> None:
    got = await answer(provider, asking(vendor, scripted(words=5, error_after=0)))
    counted = vendor == "anthropic"  # which counts the input before it writes anything
    assert all(isinstance(event, UsageReport) for event in got.events)
    assert bool(got.events) is counted


async def test_an_answer_without_a_word(provider: BaseAIProvider, vendor: str) -> None:
    got = await answer(provider, asking(vendor, scripted(empty=True)))
    assert_failed(got, Reason.PROVIDER_EMPTY_ANSWER, vendor)


@pytest.fixture
async def impatient(vendor: str, vendors: Vendors) -> AsyncIterator[BaseAIProvider]:
    """The vendor's provider, with a time limit of one second."""
    factory = AIProviderFactory([vendors.config(vendor, stall_seconds=1.0)])
    yield factory.get(vendor)
    await factory.aclose()


async def test_a_vendor_that_never_answers(impatient: BaseAIProvider, vendor: str) -> None:
    got = await answer(impatient, asking(vendor, scripted(hang=True)))
    assert_failed(got, Reason.PROVIDER_TIMEOUT, vendor)
    assert got.events == []


async def test_a_vendor_that_falls_silent(impatient: BaseAIProvider, vendor: str) -> None:
    got = await answer(impatient, asking(vendor, scripted(words=5, hang_after=2)))
    assert_failed(got, Reason.PROVIDER_TIMEOUT, vendor)
    assert got.text == "word0 word1 "
    assert isinstance(got.events[-1], UsageReport)
    assert got.events[-1].usage.estimated


async def test_a_vendor_that_is_slow_but_steady_is_waited_for(impatient: BaseAIProvider, vendor: str) -> None:
    got = await answer(impatient, asking(vendor, scripted(words=12, interval_ms=150)))
    assert got.error is None


async def test_a_model_that_reasons_may_be_silent_for_longer(vendor: str, vendors: Vendors) -> None:
    factory = AIProviderFactory([vendors.config(vendor, stall_seconds=0.2, reasoning_stall_seconds=20)])
    text = scripted(words=2, interval_ms=800)
    thought = await answer(factory.get(vendor), asking(vendor, text, reasons=True))
    at_once = await answer(factory.get(vendor), asking(vendor, text))
    await factory.aclose()
    assert (thought.error, thought.text) == (None, "word0 word1 ")
    assert_failed(at_once, Reason.PROVIDER_TIMEOUT, vendor)


async def test_a_vendor_that_is_not_there(vendor: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    factory = AIProviderFactory([ProviderConfig(vendor, "a-key", f"http://127.0.0.1:{port}")])
    got = await answer(factory.get(vendor), asking(vendor, "Hi"))
    assert_failed(got, Reason.PROVIDER_UNAVAILABLE, vendor)
    await factory.aclose()


async def test_a_vendor_that_takes_no_connection_cannot_be_reached(vendor: str) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, ExitStack() as stack:
        for _ in range(4):  # more than the connection's queue holds, so that the next one gets no answer at all
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        factory = AIProviderFactory([ProviderConfig(vendor, "a-key", url, connect_seconds=0.2, stall_seconds=5)])
        got = await answer(factory.get(vendor), asking(vendor, "Hi"))
        assert_failed(got, Reason.PROVIDER_UNAVAILABLE, vendor)
        await factory.aclose()


async def test_neither_key_nor_headers_show_in_an_error(vendor: str, vendors: Vendors) -> None:
    config = ProviderConfig(vendor, "sk-very-secret", vendors.base_url(vendor))
    factory = AIProviderFactory([config])
    for status, _ in STATUSES:
        got = await answer(factory.get(vendor), asking(vendor, scripted(status=status)))
        assert "sk-very-secret" not in f"{config!r} {got.error!r} {got.error and got.error.__cause__!r}"
    await factory.aclose()


def test_the_standin_wants_a_key(vendor: str, vendors: Vendors) -> None:
    path = {
        "anthropic": "/v1/messages", "openai": "/chat/completions", "gemini": "/v1/models/m:streamGenerateContent",
    }  # fmt: skip
    assert vendors.http.post(vendors.base_url(vendor) + path[vendor], json={}).status_code == 401
