"""What a process may rely on before it has asked whether a caller is let in."""

from __future__ import annotations

from uuid import UUID

from aichat_server.limits.domain.limits import Exceeded, Granted
from aichat_server.limits.domain.local_limits import LocalLimits
from aichat_server.limits.domain.room import Room

from tests.unit.limits.claims import claim

WANTED = claim(requests=10, tokens=1000, streams=4, amount=100)


def test_nobody_has_room_before_the_first_answer() -> None:
    assert not Room().covers(WANTED, 0.0)


def test_half_of_what_was_left_covers_claims_until_it_is_taken() -> None:
    room, small = Room(), claim(requests=10, tokens=1000, streams=100, amount=1)
    room.note(small, Granted(0, room=800), 0.0)
    assert [room.covers(small, 0.0) for _ in range(5)] == [True] * 4 + [False]


def test_a_claim_that_takes_more_of_any_limit_than_is_left_is_not_covered() -> None:
    room = Room()
    room.note(WANTED, Granted(0, room=800), 0.0)
    assert not room.covers(claim(requests=1000, tokens=1000, streams=1000, amount=401), 0.0)
    assert not room.covers(claim(requests=1000, tokens=1000, streams=2, amount=1), 0.0)
    assert room.covers(claim(requests=1000, tokens=1000, streams=1000, amount=400), 0.0)


def test_one_caller_has_no_room_of_anothers() -> None:
    room = Room()
    room.note(WANTED, Granted(0, room=1000), 0.0)
    assert not room.covers(claim(requests=10, tokens=1000, streams=4, amount=100, key=UUID(int=9)), 0.0)


def test_a_refusal_and_a_joined_stream_leave_no_room() -> None:
    for answer in (Exceeded(WANTED.requests[0], 10, 1.0), Granted(0, joined=True, room=1000)):
        room = Room()
        room.note(WANTED, Granted(0, room=1000), 0.0)
        room.note(WANTED, answer, 0.0)
        assert not room.covers(WANTED, 0.0)


def test_room_expires_and_is_forgotten() -> None:
    room = Room()
    room.note(WANTED, Granted(0, room=1000), 0.0)
    assert not room.covers(WANTED, 60.0)
    room.forget(60.0)
    assert vars(room) == vars(Room())


def test_what_is_covered_is_granted_where_nobody_else_takes() -> None:
    room, limits, answers = Room(), LocalLimits(), []
    for number in range(40):
        wanted = claim(requests=30, tokens=1000, streams=50, amount=20 + number, stream=str(number))
        covered = room.covers(wanted, 0.0)
        answer = limits.take(wanted, 0.0)
        assert isinstance(answer, Granted) or not covered
        room.note(wanted, answer, 0.0)
        answers.append(covered)
    assert True in answers
    assert False in answers[1:]
