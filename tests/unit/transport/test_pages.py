"""Page tokens decode to what they were made from, and only for their own list."""

from __future__ import annotations

from datetime import UTC

import pytest
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.pages import PageKey
from aichat_server.transport.page_tokens import decode_page_token, encode_page_token
from hypothesis import given
from hypothesis import strategies as st

KEYS = st.builds(PageKey, st.datetimes(timezones=st.just(UTC)), st.uuids())


@given(scope=st.text(st.characters(codec="utf-8"), max_size=64).filter(lambda text: len(text.encode()) <= 64), key=KEYS)
def test_a_token_comes_back_as_its_key(scope: str, key: PageKey) -> None:
    token = encode_page_token(scope, key)
    assert decode_page_token(scope, token) == key
    assert len(token) <= 512


def test_no_token_is_the_first_page() -> None:
    assert decode_page_token("conversations", "") is None


@given(key=KEYS)
def test_a_token_of_another_list_is_refused(key: PageKey) -> None:
    assert refused("messages of a", encode_page_token("messages of b", key))


@given(garbage=st.text(min_size=1, max_size=64) | st.text("abcXYZ019-_=", min_size=40, max_size=46))
def test_garbage_is_refused(garbage: str) -> None:
    assert refused("conversations", garbage)


@given(key=KEYS, data=st.data())
def test_a_changed_token_is_refused(key: PageKey, data: st.DataObject) -> None:
    token = encode_page_token("conversations", key)
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.sampled_from("AQgw-_=\n ").filter(lambda other: other != token[place]))
    assert refused("conversations", token[:place] + letter + token[place + 1 :])
    assert refused("conversations", token + letter)


def refused(scope: str, token: str) -> bool:
    with pytest.raises(AichatError) as caught:
        decode_page_token(scope, token)
    return caught.value.reason is Reason.PAGE_TOKEN_INVALID
