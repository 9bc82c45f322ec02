"""API keys as text."""

from __future__ import annotations

import random
import string
from uuid import UUID

import pytest
from aichat_server.identity.domain import api_keys
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


@given(st.integers(3, 78), st.sampled_from("0Aa9Zz"))
def test_a_key_with_one_letter_changed_is_invalid(at: int, letter: str) -> None:
    _, text = api_keys.new_key(ORG)
    changed = text[:at] + letter + text[at + 1 :]
    parsed = api_keys.parse(changed)
    # A changed id may be that of an older key, which has no checksum.
    assert changed == text or parsed is None or parsed[1].version == 7


def test_keys_of_before_they_had_a_checksum_are_still_keys() -> None:
    minted_2026 = UUID("019ab0e8-7c00-7000-8000-000000000001")
    text = "ak_" + _base62(ORG) + _base62(minted_2026) + "x" * 32
    assert api_keys.parse(text) == (ORG, minted_2026)
    for key_id in (UUID(int=minted_2026.int + (1 << 125)), UUID(int=minted_2026.int & ~(0xF << 76) | 4 << 76)):
        assert api_keys.parse("ak_" + _base62(ORG) + _base62(key_id) + "x" * 32) is None


def test_a_made_up_key_is_invalid() -> None:
    made_up = ("ak_" + "".join(random.choices(string.ascii_letters + string.digits, k=76)) for _ in range(1000))
    assert len([text for text in made_up if api_keys.parse(text)]) <= 1


def _base62(value: UUID) -> str:
    digits, number = string.digits + string.ascii_uppercase + string.ascii_lowercase, value.int
    return "".join(digits[number // 62**place % 62] for place in reversed(range(22)))


@given(st.text())
def test_other_text_is_not_a_key_and_breaks_nothing(text: str) -> None:
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
def test_almost_a_key_is_not_a_key(change: object) -> None:
    assert callable(change)
    assert api_keys.parse(change(api_keys.new_key(ORG)[1])) is None


def test_the_digest_takes_any_text() -> None:
    assert len(api_keys.digest("ak_\ud800")) == 32
