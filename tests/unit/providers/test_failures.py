"""The forms of vendors' errors and delays."""

from __future__ import annotations

import email.utils
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aichat_server.core.errors import AichatError, Reason
from aichat_server.providers.domain.retry import is_outage
from aichat_server.providers.gateway import failures
from aichat_server.providers.gateway.transport import StatusError
from multidict import CIMultiDict


def response_error(status: int, body: Mapping[str, object], **headers: str) -> AichatError:
    """Returns the error for an HTTP error."""
    named = CIMultiDict({name.replace("_", "-"): value for name, value in headers.items()})
    return failures.from_exception(StatusError(status, body, named), "a-vendor", "a-model", begun=False)


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
    assert response_error(429, {}, **headers).retry_after == seconds


def test_the_wait_may_be_a_date() -> None:
    date = email.utils.format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    wait = response_error(429, {}, retry_after=date).retry_after
    assert wait is not None
    assert 50 < wait <= 60


@pytest.mark.parametrize("body", [{}, {"error": "text"}, {"message": 5}, {"error": {"details": [1]}}])
def test_an_error_of_any_shape_is_an_error(body: Mapping[str, object]) -> None:
    assert response_error(500, body).reason is Reason.PROVIDER_UNAVAILABLE


def test_the_vendors_words_are_cut_short() -> None:
    error = response_error(400, {"message": "too long\0" * 500})
    assert error.message.startswith("a-vendor refused the request: too longtoo long")
    assert len(error.message) < 600


def test_geminis_way_to_refuse_a_key() -> None:
    detail = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
    body = {"error": {"code": 400, "message": "API key not valid.", "status": "INVALID_ARGUMENT", "details": [detail]}}
    assert response_error(400, body).reason is Reason.PROVIDER_CREDENTIALS_REJECTED


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


ACCOUNTS = [
    (400, {"type": "invalid_request_error", "message": "Your credit balance is too low to access the API."}),
    (400, {"type": "invalid_request_error", "message": "You have reached your specified API usage limits."}),
    (400, {"type": "invalid_request_error", "message": "This organization has been disabled."}),
    (400, {"status": "FAILED_PRECONDITION", "message": "Please enable billing on your project."}),
    (400, {"code": "billing_hard_limit_reached", "message": "Billing hard limit has been reached"}),
    (401, {"message": "Incorrect API key provided: sk-ab1*****c9. See https://vendor.example/keys."}),
    (402, {"message": "Insufficient Balance"}),
    (403, {"type": "permission_error", "message": "Your account does not have access to this model."}),
    (412, {"message": "Account acme-1 is suspended, possibly for a payment that failed"}),
    (429, {"type": "insufficient_quota", "code": "insufficient_quota", "message": "You exceeded your quota."}),
    (429, {"code": "billing_not_active", "message": "Your account is not active"}),
    (429, {"status": "RESOURCE_EXHAUSTED", "message": "Your prepayment credits are depleted."}),
    (429, {"code": "1113", "message": "Insufficient balance or no resource package. Please recharge."}),
]


@pytest.mark.parametrize(("status", "error"), ACCOUNTS)
def test_problems_of_the_operators_account_are_recognized(status: int, error: dict[str, Any]) -> None:
    """With any status, and also as an event."""
    assert response_error(status, {"error": error}).reason is Reason.PROVIDER_CREDENTIALS_REJECTED
    event = {"code": status, **error}
    assert failures.from_event(event, "a-vendor", "a-model").reason is Reason.PROVIDER_CREDENTIALS_REJECTED


LIMITED = {
    "code": 429,
    "status": "RESOURCE_EXHAUSTED",
    "message": "You exceeded your current quota, please check your plan and billing details.",
    "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17s"}],
}


@pytest.mark.parametrize(
    ("status", "error", "reason"),
    [
        (429, LIMITED, Reason.PROVIDER_RATE_LIMITED),
        (
            429,
            {"code": "rate_limit_exceeded", "message": "Rate limit reached for tokens"},
            Reason.PROVIDER_RATE_LIMITED,
        ),
        (400, {"message": "prompt is too long: 210000 tokens > 200000 maximum"}, Reason.PROVIDER_REQUEST_REJECTED),
        (400, {"code": "content_filter", "message": "filtered"}, Reason.ANSWER_REFUSED),
        (403, {"message": "moderated", "metadata": {"flagged_input": "…"}}, Reason.ANSWER_REFUSED),
        (500, {"message": "billing details cannot be looked up"}, Reason.PROVIDER_UNAVAILABLE),
    ],
)
def test_other_problems_keep_their_reason(status: int, error: dict[str, Any], reason: Reason) -> None:
    assert response_error(status, {"error": error}).reason is reason


def test_callers_read_no_addresses_and_keys_and_half_characters() -> None:
    said = (
        "Unsupported value, see https://platform.vendor.example/docs?x=1 or www.vendor.example/help; "
        "org-Ab12345678 with sk-proj-Ab12*****9z asked, says ops@vendor.example \ud83d\0"
    )
    message = response_error(400, {"error": {"message": said}}).message
    assert message == ("a-vendor refused the request: Unsupported value, see […] or […] […] with […] asked, says […] ?")


def test_words_of_a_request_are_not_secrets() -> None:
    said = "messages.2.content: user-provided text of 5000 tokens, max_tokens: 100, request_id is missing"
    assert response_error(400, {"message": said}).message.endswith(said)


def test_an_error_in_unknown_words_is_not_an_outage() -> None:
    for event in ({"message": "No such thing"}, {"code": "E42"}, "text", None, {"code": True}):
        error = failures.from_event(event, "a-vendor", "a-model")
        assert error.reason is Reason.PROVIDER_UNAVAILABLE
        assert not is_outage(error)
    assert is_outage(failures.from_event({"type": "api_error"}, "a-vendor", "a-model"))
    assert is_outage(failures.from_event({"code": "503"}, "a-vendor", "a-model"))
