"""Answers as a lost server leaves them: running in the database, begun in the journal, without a lease."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from aichat_server.generations.domain.generation import GenerationKey
from aichat_server.generations.domain.stream import BEGINNING, Portion, Position, Started, StreamEvent
from aichat_server.generations.gateway.journal import Append
from aichat_server.identity.domain.principals import Principal
from aichat_server.providers.domain.events import TextDelta

from tests.faults.rig import Rig
from tests.fixtures.rows import connection
from tests.fixtures.server import ApiKey
from tests.integration.conversations.turns import Begun, Turns, turn

MODEL, PROVIDER = "gpt-6-luna", "openai"
ASKED = "Tell me something."
SEEN = "one two "
_WORDS = ("one ", "two ")


async def lose(rig: Rig, key: ApiKey, count: int) -> list[Begun]:
    """Creates `count` of them, with a few words each."""
    principal = Principal(UUID(key.organization_id), UUID(key.member_id), UUID(key.key_id))
    asked = [replace(turn(principal, ASKED), model=MODEL, provider=PROVIDER, options={}) for _ in range(count)]
    begun = [await Turns(rig.database).begin(one) for one in asked]
    await rig.journals.append([_journal(principal, one) for one in begun])
    async with connection(rig.owner_url) as owner:
        query = "UPDATE aichat.leases SET expires_at = now() - interval '1 second' WHERE org_id = $1"
        await owner.execute(query, principal.org_id)
    return begun


def _journal(principal: Principal, begun: Begun) -> Append:
    started = Started(begun.generation_id, MODEL, PROVIDER, MODEL, {})
    events: tuple[StreamEvent, ...] = (started, *map(TextDelta, _WORDS))
    portion = Portion(Position(len(events), ended=False), events, None)
    return Append(GenerationKey(principal.org_id, begun.generation_id), BEGINNING, portion)
