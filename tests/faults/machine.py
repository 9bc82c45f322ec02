"""Drives turns and faults against a model of the ledger: what each generation must be charged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import grpc
from aichat.v1 import chat_pb2
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.faults.books import ledger, prices, running
from tests.faults.load import MODELS, Turn, follow, marked
from tests.faults.rig import Replica, Rig
from tests.faults.scale import IS_FULL
from tests.fixtures.rows import connection
from tests.integration.conversations.asking import eventually

WORDS = ["one ", "two ", "three"]
CHOICES = st.integers(0, 100)
VENDORS = st.sampled_from(MODELS)
REPLICAS = st.integers(0, 1)
CUT_OFF_SECONDS = 60
# After each the server needs seconds to restart.
MOST_CRASHES = int(IS_FULL)


def tokens(text: str) -> int:
    """Returns the token count of the vendors' stand-in, which is also the estimate without it."""
    return -(-len(text) // 4)


@dataclass
class Running:
    """An answer that pauses after two words."""

    turn: Turn
    replica: Replica
    call: grpc.aio.UnaryStreamCall[Any, Any] | None
    """None: its reader disconnected."""
    lost: bool = False
    """Whether its server was killed."""

    @property
    def generation_id(self) -> UUID:
        assert self.turn.started is not None
        return UUID(self.turn.started.generation_id)


class Machine(RuleBasedStateMachine):
    """One organisation and its turns. A subclass has `rig`, and `wait`, which runs coroutines in the tests' loop."""

    rig: Rig
    wait: Callable[[Coroutine[None, None, Any]], Any]

    def __init__(self) -> None:
        super().__init__()
        self.key = self.wait(self.rig.key())
        self.prices: dict[str, tuple[int, int]] = self.wait(prices(self.rig))
        self.charges: dict[UUID, range] = {}
        """The model: the cost of each generation, as a range, because some of what a killed server received is unknown.
        """
        self.running: list[Running] = []
        self.ended: list[Turn] = []
        self.faults = 0
        self.crashes = 0

    def cost(self, turn: Turn, output: int) -> int:
        asked, answered = self.prices[turn.model]
        micro = tokens(turn.text) * asked + output * answered
        return -(-micro // 10**6)

    def charge(self, turn: Turn, least: int, most: int) -> None:
        assert turn.started is not None
        self.charges[UUID(turn.started.generation_id)] = range(least, most + 1)

    def pick(self, choice: int) -> Running:
        return self.running[choice % len(self.running)]

    @rule(model=VENDORS, replica=REPLICAS, words=st.integers(1, 20))
    def completes(self, model: str, replica: int, words: int) -> None:
        turn = Turn(self.key, marked(words=words), model)
        assert self.wait(follow(turn, self.rig.replicas[replica])) == ""
        cost = self.cost(turn, sum(tokens(f"word{n} ") for n in range(words)))
        self.charge(turn, cost, cost)
        self.ended.append(turn)

    @rule(model=VENDORS, replica=REPLICAS)
    def is_refused(self, model: str, replica: int) -> None:
        turn = Turn(self.key, marked(status=400), model)
        assert self.wait(follow(turn, self.rig.replicas[replica])) == "PROVIDER_REQUEST_REJECTED"

    @rule(model=VENDORS, replica=REPLICAS, words=st.integers(1, 3))
    def breaks_off(self, model: str, replica: int, words: int) -> None:
        turn = Turn(self.key, marked(deltas=WORDS, cut_after=words), model)
        assert self.wait(follow(turn, self.rig.replicas[replica])) == "PROVIDER_STREAM_BROKEN"
        cost = self.cost(turn, tokens("".join(WORDS[:words])))
        self.charge(turn, cost, cost)
        self.faults += 1
        self.ended.append(turn)

    @precondition(lambda self: len(self.running) < 4)
    @rule(model=VENDORS, replica=REPLICAS, leaving=st.booleans())
    def begins(self, model: str, replica: int, *, leaving: bool) -> None:
        turn = Turn(self.key, marked(deltas=WORDS, idle_after=2), model, cancel_on_disconnect=leaving)
        server = self.rig.replicas[replica]
        self.running.append(Running(turn, server, self.wait(self._two_words(turn, server))))

    @precondition(lambda self: any(not one.lost for one in self.running))
    @rule(choice=CHOICES, replica=REPLICAS)
    def is_sent_again_while_it_runs(self, choice: int, replica: int) -> None:
        alive = [one for one in self.running if not one.lost]
        one = alive[choice % len(alive)]
        again = Turn(self.key, one.turn.text, one.turn.model, request_id=one.turn.request_id)
        again.cancel_on_disconnect = one.turn.cancel_on_disconnect
        if one.call is None or again.cancel_on_disconnect:
            # A last reader that disconnects would cancel it.
            return
        self.wait(self._leave(self.wait(self._two_words(again, self.rig.replicas[replica]))))
        assert again.started == one.turn.started

    @precondition(lambda self: bool(self.ended))
    @rule(choice=CHOICES, replica=REPLICAS)
    def is_sent_again_after_its_end(self, choice: int, replica: int) -> None:
        turn = self.ended[choice % len(self.ended)]
        again = Turn(self.key, turn.text, turn.model, request_id=turn.request_id)
        self.wait(follow(again, self.rig.replicas[replica]))
        assert (again.completed, again.started, again.seen) == (turn.completed, turn.started, turn.seen)

    @precondition(lambda self: bool(self.ended))
    @rule(choice=CHOICES, replica=REPLICAS)
    def is_sent_again_otherwise(self, choice: int, replica: int) -> None:
        turn = self.ended[choice % len(self.ended)]
        other = Turn(self.key, marked(words=3), turn.model, request_id=turn.request_id)
        assert self.wait(follow(other, self.rig.replicas[replica])) == "REQUEST_ID_REUSED"

    @precondition(lambda self: any(not one.lost for one in self.running))
    @rule(choice=CHOICES, replica=REPLICAS)
    def is_cancelled(self, choice: int, replica: int) -> None:
        alive = [one for one in self.running if not one.lost]
        self._cancel(alive[choice % len(alive)], self.rig.replicas[replica])

    @precondition(lambda self: bool(self.running))
    @rule(choice=CHOICES)
    def loses_its_reader(self, choice: int) -> None:
        one = self.pick(choice)
        if one.call is None or one.lost:
            return
        self.wait(self._leave(one.call))
        one.call = None
        self.faults += 1
        if one.turn.cancel_on_disconnect:
            self.wait(self._until_over(one))
            self._is_over(one)

    @precondition(lambda self: bool(self.running))
    @rule()
    def holds_expire(self) -> None:
        self.wait(self._set("UPDATE aichat.holds SET expires_at = now() WHERE org_id = $1"))

    @precondition(lambda self: self.crashes < MOST_CRASHES)
    @rule(replica=REPLICAS)
    def is_killed(self, replica: int) -> None:
        self.crashes += 1
        self.faults += 1
        server = self.rig.replicas[replica]
        self.wait(server.kill())
        self.wait(server.start())
        for one in self.running:
            one.lost = one.lost or one.replica is server

    @precondition(lambda self: any(one.lost for one in self.running))
    @rule()
    def leases_expire(self) -> None:
        self.wait(self._expire([one.generation_id for one in self.running if one.lost]))
        self.wait(self.rig.orphans.reap(datetime.now(UTC)))
        for one in [one for one in self.running if one.lost]:
            # Its last words may not have reached the journal.
            self.charge(one.turn, 0, self.cost(one.turn, tokens("".join(WORDS[:2]))))
            self.running.remove(one)

    @invariant()
    def the_ledger_is_the_models(self) -> None:
        found = {event["generation_id"]: event["cost_nano_usd"] for event in self.wait(ledger(self.rig, self.key))}
        assert found.keys() <= self.charges.keys()
        for generation_id, charge in self.charges.items():
            assert found.get(generation_id, 0) in charge, generation_id
        assert self.wait(running(self.rig, self.key)) == {one.generation_id for one in self.running}

    def teardown(self) -> None:
        self.leases_expire()
        for one in list(self.running):
            self._cancel(one, one.replica)
        self.the_ledger_is_the_models()

    def _cancel(self, one: Running, replica: Replica) -> None:
        request = chat_pb2.CancelGenerationRequest(generation_id=str(one.generation_id))

        async def cancel() -> chat_pb2.CancelGenerationResponse:
            return await replica.chat.CancelGeneration(request, metadata=self.key.metadata)

        assert self.wait(cancel()).state == chat_pb2.GENERATION_STATE_CANCELLED
        if one.call is not None:
            self.wait(self._leave(one.call))
        self._is_over(one)

    def _is_over(self, one: Running) -> None:
        cost = self.cost(one.turn, tokens("".join(WORDS[:2])))
        self.charge(one.turn, cost, cost)
        self.running.remove(one)

    async def _two_words(self, turn: Turn, replica: Replica) -> grpc.aio.UnaryStreamCall[Any, Any]:
        call = turn.send(replica)
        async with asyncio.timeout(CUT_OFF_SECONDS):
            async for event in call:
                turn.take(event)
                if turn.seen == "".join(WORDS[:2]):
                    return call
        raise AssertionError("the answer ended")

    async def _leave(self, call: grpc.aio.UnaryStreamCall[Any, Any]) -> None:
        call.cancel()

    async def _until_over(self, one: Running) -> None:
        await eventually(lambda: running(self.rig, self.key), lambda found: one.generation_id not in found)

    async def _set(self, statement: str) -> None:
        async with connection(self.rig.owner_url) as owner:
            await owner.execute(statement, UUID(self.key.organization_id))

    async def _expire(self, generations: list[UUID]) -> None:
        query = "UPDATE aichat.leases SET expires_at = now() - interval '1 second' WHERE generation_id = ANY($1)"
        async with connection(self.rig.owner_url) as owner:
            await owner.execute(query, generations)
