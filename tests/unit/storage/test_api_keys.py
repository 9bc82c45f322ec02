"""API keys as text."""

from __future__ import annotations

from uuid import UUID

import pytest
from aichat_server.domain import api_keys
from hypothesis import given
from hypothesis import strategies as st

ORG = UUID("01890000-0000-7000-8000-00000000abcd")


@given(st.uuids())
def test_a_key_names_its_organisation_and_itself(org_id: UUID) -> None:
    key_id, text = api_keys.new_key(org_id)
    assert api_keys.parse(text) == (org_id, key_id)


@pytest.mark.parametrize("org_id", [UUID(int=0), UUID(int=(1 << 128) - 1)])
def test_the_smallest_and_the_largest_id_fit(org_id: UUID) -> None:
    key_id, text = api_keys.new_key(org_id)
    assert api_keys.parse(text) == (org_id, key_id)


def test_a_key_is_79_letters_and_digits_behind_its_prefix() -> None:
    _, text = api_keys.new_key(ORG)
    assert text.startswith("ak_")
    assert len(text) == 3 + 22 + 22 + 32
    assert text[3:].isascii()
    assert text[3:].isalnum()


def test_no_two_keys_are_alike() -> None:
    keys = {api_keys.new_key(ORG)[1] for _ in range(100)}
    assert len(keys) == len({api_keys.digest(key) for key in keys}) == len({key[-32:] for key in keys}) == 100


@given(st.text())
def test_other_text_is_no_key_and_breaks_nothing(text: str) -> None:
    assert api_keys.parse(text) is None
    assert api_keys.parse("ak_" + text) is None or len(text) == 76


@pytest.mark.parametrize(
    "change",
    [
        lambda key: key[:-1],
        lambda key: key + "0",
        lambda key: "sk_" + key[3:],
        lambda key: key[:30] + "-" + key[31:],
        lambda key: key[:30] + "é" + key[31:],
        lambda key: key[:30] + "٣" + key[31:],
        lambda key: "ak_" + "z" * 22 + key[25:],
    ],
    ids=["short", "long", "prefix", "symbol", "letter", "digit", "id too large"],
)
def test_what_is_nearly_a_key_is_none(change: object) -> None:
    assert callable(change)
    assert api_keys.parse(change(api_keys.new_key(ORG)[1])) is None


def test_the_digest_takes_any_text() -> None:
    assert len(api_keys.digest("ak_\ud800")) == 32
