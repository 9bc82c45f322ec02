"""A client that never gives up: it sends, resumes and sends again until it knows how its turn ended."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import uuid4

import grpc
from aichat.v1 import chat_pb2, events_pb2, messages_pb2, options_pb2
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from tests.faults.rig import Replica, Rig
from tests.fixtures.server import ApiKey
from tests.integration.conversations.asking import Event, asking

Answer = grpc.aio.UnaryStreamCall[Any, Any]
"""Yields `Event`s."""
MODELS = ("claude-haiku-5-5", "gpt-6-luna", "gemini-3.5-flash-lite")
# After these the caller repeats the same call. An empty reason: the connection broke.
AGAIN = {"", "STORAGE_UNAVAILABLE", "GENERATION_IN_PROGRESS", "GENERATION_NOT_RESUMABLE", "SERVER_UNAVAILABLE"}
# Between two tries: enough for a server to start in the meantime, and not so short that it would slow the start.
PAUSE_SECONDS = (0.05, 0.3)


def marked(**script: object) -> str:
    """Returns a message with a script for the reply, whose last 36 characters are unique."""
    return f"#script {json.dumps(script)} {uuid4()}"


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """Returns the reason of a typed error; empty for an error that no server of ours sent."""
    status = rpc_status.from_call(error)  # type: ignore[arg-type]
    info = ErrorInfo()
    for detail in status.details if status else ():
        if detail.Unpack(info):
            return str(info.reason)
    return ""


@dataclass
class Reading:
    """The events of one call, without heartbeats."""

    after: int
    """The sequence number after which it resumes; 0: from the beginning."""
    generation_id: str = ""
    """The generation that it named; empty until then."""
    events: list[tuple[int, str]] = field(default_factory=list)
    """The sequence number and text of each event."""


@dataclass
class Turn:
    """One message, and what its sender knows."""

    key: ApiKey
    text: str
    model: str = MODELS[1]
    max_output_tokens: int = 200
    cancel_on_disconnect: bool = False
    conversation_id: str = ""
    request_id: str = field(default_factory=lambda: str(uuid4()))
    started: events_pb2.ChatStarted | None = None
    seen: str = ""
    """The answer so far."""
    sequence: int = 0
    completed: messages_pb2.Message | None = None
    """The acknowledged answer."""
    failure: str = ""
    """Why there is no answer."""
    tries: int = 0
    readings: list[Reading] = field(default_factory=list)
    """All calls so far, for the checker."""
    reasons: list[str] = field(default_factory=list)
    """The reason of each failed call, or its gRPC status if it has no reason."""
    longest_wait: float = 0.0
    """The longest time in seconds in which a call received nothing: no event, no heartbeat and no end."""

    @property
    def is_over(self) -> bool:
        return self.completed is not None or bool(self.failure)

    def send(self, replica: Replica) -> Answer:
        """Requests the answer from its beginning."""
        self.seen, self.sequence = "", 0
        self.readings.append(Reading(after=0))
        request = asking(
            self.text,
            model=self.model,
            request_id=self.request_id,
            conversation_id=self.conversation_id,
            options=options_pb2.ChatOptions(max_output_tokens=self.max_output_tokens),
            cancel_on_disconnect=self.cancel_on_disconnect,
        )
        return replica.chat.StreamChat(request, metadata=self.key.metadata)

    def again(self) -> Turn:
        """Returns a turn with the same message, from its beginning."""
        return Turn(self.key, self.text, self.model, request_id=self.request_id)

    def resume(self, replica: Replica) -> Answer:
        """Requests the rest of the answer."""
        assert self.started is not None
        self.readings.append(Reading(self.sequence, self.started.generation_id))
        request = chat_pb2.ResumeChatRequest(generation_id=self.started.generation_id, after_sequence=self.sequence)
        return replica.chat.ResumeChat(request, metadata=self.key.metadata)

    def take(self, event: Event) -> None:
        """Records the next event, which must have the next number."""
        if event.HasField("heartbeat"):
            return
        reading = self.readings[-1]
        reading.events.append((event.sequence, event.text_delta.text))
        reading.generation_id = event.started.generation_id or reading.generation_id
        assert event.sequence == self.sequence + 1, f"event {event.sequence} after {self.sequence}"
        self.sequence = event.sequence
        self.seen += event.text_delta.text
        if event.HasField("started"):
            self.started = event.started
        elif event.HasField("completed"):
            self.completed = event.completed.message


async def follow(turn: Turn, replica: Replica, *, resume: bool = False) -> str:
    """Reads the turn's answer to its end on this replica; returns why it ended early, if it did."""
    call = turn.resume(replica) if resume else turn.send(replica)
    heard = time.monotonic()

    def hear() -> None:
        nonlocal heard
        turn.longest_wait = max(turn.longest_wait, time.monotonic() - heard)
        heard = time.monotonic()

    try:
        async for event in call:
            hear()
            turn.take(event)
    except grpc.aio.AioRpcError as error:
        reason = reason_of(error)
        turn.reasons.append(reason or error.code().name)
        return reason
    finally:
        hear()
        call.cancel()
    return ""


async def hold(rig: Rig, turn: Turn) -> Turn:
    """Sends the turn until it is over, on one replica or another, whatever happens to the servers in the meantime."""
    for replica in itertools.islice(itertools.cycle(rig.replicas), random.randrange(len(rig.replicas)), None):
        turn.tries += 1
        reason = await follow(turn, replica, resume=turn.sequence > 0 and turn.tries % 2 == 0)
        if reason == "GENERATION_NOT_RESUMABLE":
            turn.sequence = 0
        elif reason not in AGAIN:
            turn.failure = reason
        if turn.is_over:
            return turn
        await asyncio.sleep(random.uniform(*PAUSE_SECONDS))
    raise AssertionError("there are always replicas")


async def hold_all(rig: Rig, turns: list[Turn], at_once: int) -> None:
    """Holds all of them, `at_once` at a time."""
    waiting = iter(turns)

    async def one_by_one() -> None:
        for turn in waiting:
            await hold(rig, turn)

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(one_by_one())


class Load:
    """A number of concurrent streams, repeated until it is asked to end."""

    def __init__(self, rig: Rig, key: ApiKey, streams: int, **script: object) -> None:
        self.turns: list[Turn] = []
        self._rig, self._key, self._streams, self._script = rig, key, streams, script
        self._ending = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> list[Turn]:
        return [turn for turn in self.turns if not turn.is_over and turn.sequence]

    async def __aenter__(self) -> Self:
        self._tasks = {asyncio.create_task(self._one_by_one(number)) for number in range(self._streams)}
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ending = True
        await asyncio.gather(*self._tasks)

    async def at_work(self, before: int) -> None:
        """Waits until most streams have text, and some have ended since the count was `before`."""
        async with asyncio.timeout(120):
            while len(self.running) < self._streams // 2 or self.over <= before:
                for task in self._tasks:
                    if task.done():
                        task.result()
                await asyncio.sleep(0.02)

    @property
    def over(self) -> int:
        return sum(turn.is_over for turn in self.turns)

    async def _one_by_one(self, number: int) -> None:
        while not self._ending:
            turn = Turn(self._key, marked(**self._script), MODELS[number % len(MODELS)])
            self.turns.append(turn)
            await hold(self._rig, turn)
