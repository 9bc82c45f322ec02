"""Message content as stored."""

from __future__ import annotations

import json
from typing import get_args

import msgspec
from aichat_server.content.parts import Part, TextPart, ToolCallPart
from aichat_server.content.stored import encode_json, encode_parts
from hypothesis import given
from hypothesis import strategies as st

from tests.fixtures.parts import EVERY

TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))


@given(TEXTS)
def test_parts_come_back_as_they_were(texts: list[str]) -> None:
    parts = tuple(TextPart(text) for text in texts)
    stored = encode_parts(parts)
    assert json.loads(stored) == [{"type": "text", "text": text} for text in texts]
    assert tuple(msgspec.json.decode(stored, type=list[Part])) == parts


def test_parts_of_every_kind_come_back_as_they_were() -> None:
    assert {type(part) for part in EVERY} == set(get_args(Part))
    assert tuple(msgspec.json.decode(encode_parts(EVERY), type=list[Part])) == EVERY


def test_a_part_is_stored_without_characters_that_postgres_refuses() -> None:
    stored = encode_parts([ToolCallPart("1", "f", "a\0b \ud83d")])
    assert msgspec.json.decode(stored, type=list[Part]) == [ToolCallPart("1", "f", "ab \ufffd")]


NUMBERS = st.one_of(st.integers(-(2**70), 2**70), st.floats())
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(st.characters(codec=None))),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec=None)), inner),
)


@given(JSON)
def test_whatever_a_vendor_says_is_json_that_postgres_takes(said: object) -> None:
    stored = encode_json(said)
    assert "\\u0000" not in stored.replace("\\\\", "")
    assert stored.encode().decode() == stored
    json.loads(stored)


def test_values_that_json_lacks_keep_their_meaning() -> None:
    said = {"a\0b": "half \ud83d", "whole": "\ud83d\ude00", "many": 2**64, "few": -(2**63) - 1, "most": 2**64 - 1}
    kept = {"ab": "half \ufffd", "whole": "😀", "many": str(2**64), "few": str(-(2**63) - 1), "most": 2**64 - 1}
    assert json.loads(encode_json(said)) == kept
