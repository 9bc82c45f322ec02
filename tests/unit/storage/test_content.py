"""Message content as stored."""

from __future__ import annotations

import json

import msgspec
from aichat_server.domain.conversations import TextPart
from aichat_server.storage.content import StoredText, encode_parts, to_parts
from hypothesis import given
from hypothesis import strategies as st

TEXTS = st.lists(st.text(st.characters(exclude_categories=["Cs"])))


@given(TEXTS)
def test_parts_come_back_as_they_were(texts: list[str]) -> None:
    parts = tuple(TextPart(text) for text in texts)
    stored = encode_parts(parts)
    assert json.loads(stored) == [{"type": "text", "text": text} for text in texts]
    assert to_parts(msgspec.json.decode(stored, type=list[StoredText])) == parts
