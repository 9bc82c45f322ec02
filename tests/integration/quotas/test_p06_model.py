"""Promise 6: quotas, whatever turns do, equal a simple model."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import uuid4

from aichat_sandbox.postgres import Postgres
from aichat_server.core.database.database import Database
from aichat_server.identity.domain.principals import Principal
from aichat_server.identity.storage.organizations import OrganizationRepository
from aichat_server.plans.domain import Plan
from aichat_server.quotas.service import Quotas
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fixtures.rows import connection
from tests.integration.conversations.turns import Begun, Turns, completed, failed, turn
from tests.integration.quotas.ledger import books, costing, holding, limit
from tests.integration.quotas.ledger import refused as refusal_of

AMOUNTS = st.integers(0, 60)
STEPS = st.lists(
    st.tuples(st.sampled_from(["begin", "begin", "complete", "fail", "expire"]), AMOUNTS)
    | st.tuples(st.just("limit"), st.integers(0, 200)),
    min_size=5,
    max_size=30,
)


@dataclass
class Running:
    """A running turn."""

    begun: Begun
    amount: int
    counts: bool = True


@dataclass
class Model:
    """The model of quotas: what is charged, and the most that each running turn may cost."""

    limit: int | None = None
    charged: int = 0
    running: list[Running] = field(default_factory=list)

    @property
    def held(self) -> int:
        return sum(one.amount for one in self.running if one.counts)

    def admits(self, amount: int) -> bool:
        return self.limit is None or self.charged + self.held + amount <= self.limit


@dataclass
class Machine:
    """Applies each step to the database and to the model."""

    postgres: Postgres
    database: Database
    principal: Principal
    model: Model = field(default_factory=Model)

    async def step(self, what: str, amount: int) -> None:
        if what == "limit":
            await limit(self.database, self.principal, amount)
            self.model.limit = amount
        elif what == "begin":
            await self._begin(amount)
        elif what == "expire":
            async with connection(self.postgres.owner_url) as owner:
                query = "UPDATE aichat.holds SET expires_at = now() WHERE org_id = $1"
                await owner.execute(query, self.principal.org_id)
            for one in self.model.running:
                one.counts = False
        elif self.model.running:
            await self._end(what, amount)

    async def _begin(self, amount: int) -> None:
        asked = holding(turn(self.principal), amount)
        refused = await refusal_of(self.database, asked)
        assert (refused is None) is self.model.admits(amount)
        if refused is None:
            ids = (asked.generation_id, asked.conversation_id, asked.user_message_id, asked.message_id)
            self.model.running.append(Running(Begun(*ids, ()), amount))

    async def _end(self, what: str, cost: int) -> None:
        one = self.model.running.pop(cost % len(self.model.running))
        end = completed if what == "complete" else failed
        await Turns(self.database).end(costing(end(self.principal, one.begun), cost))
        if what == "fail":
            cost = min(cost, one.amount)
        if not one.counts and self.model.limit is not None:
            cost = min(cost, max(0, self.model.limit - self.model.charged - self.model.held))
        self.model.charged += cost

    async def check(self) -> None:
        booked = sum(event["cost_nano_usd"] for event in await books(self.postgres, self.principal.org_id))
        assert booked == self.model.charged
        for quota in await Quotas(self.database).list(self.principal.org_id):
            assert (quota.hard, quota.charged, quota.held) == (self.model.limit, booked, self.model.held)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_quotas_are_what_a_simple_model_says(
    postgres: Postgres, database: Database, steps: list[tuple[str, int]]
) -> None:
    principal = Principal(uuid4(), uuid4())
    async with database.session(principal.org_id, principal.actor) as session:
        await OrganizationRepository(session).ensure("Test", principal.member_id)
        await OrganizationRepository(session).set_plan(Plan.TEAM)
    machine = Machine(postgres, database, principal)
    for what, amount in steps:
        await machine.step(what, amount)
        await machine.check()
