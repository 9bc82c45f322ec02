"""Secrets are removed, and ordinary words are not."""

from __future__ import annotations

from uuid import uuid4

import pytest
from aichat_server.telemetry.scrubbing import Scrubber

OURS = "ak_0gNYdHQB636UdTD8ZoYUoq0352Ha8fTFElKb1WM5WfBQZr71sMeKonVrWQGAy1NAun5BcUdIQyiT"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIHVzZXIifQ.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "secret",
    [
        OURS,
        TOKEN,
        "sk-ant-api03-AbCdEf_123-xyz",
        "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
        "whsec_5WbX5kEWLlfzsGNjH64I8lOOqUB6e8FH",
        "AIzaSyA-1234567890abcdefghijkl",
    ],
)
@pytest.mark.parametrize("around", ["{}", "refused: {}.", '{{"key": "{}"}}', "first\\n{}\\nthird", "x={}&y=1"])
def test_what_looks_like_a_secret_is_removed(secret: str, around: str) -> None:
    text = around.format(secret)
    assert secret not in Scrubber().text(text)
    assert secret.encode() not in Scrubber().line(text.encode())


def test_credentials_in_headers_and_addresses_are_removed() -> None:
    text = "authorization: Bearer abc.def-123456 to postgresql://someone:pass-word@host/db"
    assert Scrubber().text(text) == "authorization: [removed] to postgresql://[removed]host/db"


def test_what_is_known_to_be_secret_is_removed_whatever_it_looks_like() -> None:
    scrubber = Scrubber(["correct horse", "correct horse battery", "short"])
    assert (
        scrubber.text("a correct horse battery, a correct horse, a short one")
        == "a [removed], a [removed], a short one"
    )


def test_words_and_ids_stay() -> None:
    text = f"task_runner asks gpt-6-luna, risk-assessment {uuid4()}, break_even, bearer of news, eyJ"
    assert Scrubber().text(text) == text
