"""Server-sent events are decoded the same, however the network splits them."""

from __future__ import annotations

import json

import pytest
from aichat_server.providers.gateway.sse import MAX_EVENT_BYTES, BrokenStreamError, SseDecoder
from hypothesis import given
from hypothesis import strategies as st

PAYLOADS = st.text(alphabet=st.characters(codec="utf-8"), max_size=30).map(
    lambda text: json.dumps(text, ensure_ascii=False)
)
NOISE = st.sampled_from(["", ": ping\n\n", "event: ping\nid: 7\n\n", "\n", "retry: 3\n"])


@given(
    st.lists(st.tuples(NOISE, PAYLOADS)),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["", "\ufeff"]),
    st.data(),
)
def test_any_cut_gives_the_same_events(
    events: list[tuple[str, str]], newline: str, mark: str, data: st.DataObject
) -> None:
    text = mark + "".join(f"{noise}event: x\ndata: {payload}\n\n" for noise, payload in events)
    stream = text.replace("\n", newline).encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)))))
    decoder = SseDecoder()
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    got = [event for piece in pieces for event in decoder.feed(piece)]
    # A CR at the very end may be half of a line's end, until the stream is known to end there.
    last = decoder.finish()
    assert len(last) <= (newline == "\r")
    assert [event.decode() for event in got + last] == [payload for _, payload in events]


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data:a\n\ndata:  b\n\n", [b"a", b" b"]),
        (b": only a comment\n\n", []),
        (b"event: nothing\n\n", []),
        (b"data: a\n\n\n\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a\r\n\r\n", [b"a"]),
        (b"data: a\rdata: b\r\rdata: c\r\r\n", [b"a\nb", b"c"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: a\n\n", []),
    ],
)
def test_what_an_event_is(stream: bytes, events: list[bytes]) -> None:
    assert SseDecoder().feed(stream) == events


def test_an_event_whose_blank_line_is_missing_is_found_at_the_end() -> None:
    decoder = SseDecoder()
    assert decoder.feed(b"data: [DONE]") == []
    assert decoder.finish() == [b"[DONE]"]


@pytest.mark.parametrize("piece", [1 << 16, 1 << 21])
def test_an_endless_event_is_refused(piece: int) -> None:
    decoder = SseDecoder()
    stream = b"data: " + b"x" * (MAX_EVENT_BYTES + 1) + b"\n\n"
    pieces = (stream[start : start + piece] for start in range(0, len(stream), piece))
    with pytest.raises(BrokenStreamError):
        list(map(decoder.feed, pieces))


def test_many_small_events_may_be_more_than_one_large_one() -> None:
    event = b"data: " + b"x" * 1000 + b"\n\n"
    assert len(SseDecoder().feed(event * 2000)) == 2000
