"""The forms that vendors give their errors and their waits."""

from __future__ import annotations

import email.utils
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import openai
import pytest
from aichat_server.domain.errors import AichatError, Reason
from aichat_server.providers import failures
from google.genai import errors as genai


def response_error(status: int, body: object = None, **headers: str) -> AichatError:
    """What becomes of an HTTP error."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    response = httpx2.Response(status, headers=named, request=httpx2.Request("POST", "http://vendor"))
    error = openai.APIStatusError("failed", response=response, body=body)
    return failures.from_exception(error, "a-vendor", "a-model", begun=False)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": "0.5"}, 0.5),
        ({"retry_after": "7", "retry_after_ms": "1500"}, 1.5),
        ({"retry_after": "soon"}, None),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "-3"}, None),
        ({"retry_after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({}, None),
    ],
)
def test_the_wait_in_a_header(headers: dict[str, str], seconds: float | None) -> None:
    assert response_error(429, **headers).retry_after == seconds


def test_the_wait_may_be_a_date() -> None:
    date = email.utils.format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    wait = response_error(429, retry_after=date).retry_after
    assert wait is not None
    assert 50 < wait <= 60


@pytest.mark.parametrize("body", [None, "text", [], {"error": "text"}, {"message": 5}, {"error": {"details": [1]}}])
def test_an_error_of_any_shape_is_an_error(body: object) -> None:
    assert response_error(500, body).reason is Reason.PROVIDER_UNAVAILABLE


def test_the_vendors_words_are_cut_short() -> None:
    error = response_error(400, {"message": "too long\0" * 500})
    assert error.message.startswith("a-vendor refused the request: too longtoo long")
    assert len(error.message) < 600


def test_geminis_way_to_refuse_a_key() -> None:
    detail = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
    body = {"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT", "details": [detail]}}
    error = failures.from_exception(genai.ClientError(400, body), "gemini", "a-model", begun=False)
    assert error.reason is Reason.PROVIDER_CREDENTIALS_REJECTED


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        ({"type": "overloaded_error", "message": "Overloaded"}, Reason.PROVIDER_OVERLOADED),
        ({"type": "rate_limit_error", "message": "…"}, Reason.PROVIDER_RATE_LIMITED),
        ({"type": "api_error", "message": "…"}, Reason.PROVIDER_UNAVAILABLE),
        ({"type": "invalid_request_error", "code": "rate_limit_exceeded"}, Reason.PROVIDER_RATE_LIMITED),
        ({"type": "server_error", "code": None}, Reason.PROVIDER_UNAVAILABLE),
        ({"code": 429, "status": "RESOURCE_EXHAUSTED"}, Reason.PROVIDER_RATE_LIMITED),
        ({"code": 502, "message": "Provider disconnected"}, Reason.PROVIDER_UNAVAILABLE),
        ({"code": 401, "message": "…"}, Reason.PROVIDER_CREDENTIALS_REJECTED),
        ("text", Reason.PROVIDER_UNAVAILABLE),
        (None, Reason.PROVIDER_UNAVAILABLE),
    ],
)
def test_an_error_event_goes_by_its_name_or_number(event: Any, reason: Reason) -> None:
    assert failures.from_event(event, "a-vendor", "a-model").reason is reason


def test_every_reason_has_a_message_that_fits() -> None:
    for reason in failures.MESSAGES:
        error = failures.failure(reason, "a-vendor", "a-model")
        assert "a-vendor" in error.message
        assert "{" not in error.message
    named = {*failures.STATUSES.values(), *failures.NAMES.values()}
    assert named <= failures.MESSAGES.keys()
