"""Message content as stored."""

from __future__ import annotations

import json
from typing import get_args

import msgspec
import pytest
from aichat_server.content.parts import Part, Role, TextPart, ToolCallPart
from aichat_server.content.stored import content_value, encode_json, encode_parts
from hypothesis import given
from hypothesis import strategies as st

from tests.fixtures.parts import ANSWERED, EVERY, SIGNATURE

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


class OldText(msgspec.Struct, tag_field="type", tag="text"):
    """All that servers of the version before know of parts."""

    text: str


SIGNED = TextPart("a", signature=SIGNATURE)


@pytest.mark.parametrize(
    ("parts", "text", "whole"),
    [
        ((), [], True),
        ((SIGNED,), ["a"], True),
        # They would take two texts for two paragraphs.
        ((SIGNED, TextPart("b")), ["ab"], False),
        (ANSWERED, ["It rains.See page 2."], False),
        (ANSWERED[:1], [], False),
    ],
)
def test_servers_of_the_version_before_read_the_text(parts: tuple[Part, ...], text: list[str], whole: bool) -> None:
    stored = content_value(parts, Role.ASSISTANT)
    assert stored["parts"] is not None
    assert [part.text for part in msgspec.json.decode(stored["parts"], type=list[OldText])] == text
    assert (stored["content"] is None) == whole
    read = stored["parts"] if stored["content"] is None else stored["content"]
    assert tuple(msgspec.json.decode(read, type=list[Part])) == parts


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
