"""Promise 22: a question follows the shown part of the previous answer, complete or not, on any replica."""

import json
from uuid import uuid4

import pytest

from tests.fixtures.server import ApiKey, ServerUnderTest
from tests.fixtures.vendors import Vendors
from tests.integration.conversations.asking import Event, ask, script, started_of, stream, text_of
from tests.integration.generations.replicas.following import cancel, resume


def asked(vendors: Vendors, text: str) -> list[str]:
    """Returns what the vendor received with this text: the turns of each side."""
    (body,) = [entry["body"] for entry in vendors.log() if text in json.dumps(entry["body"]).replace('\\"', '"')]
    return [item["content"][0]["text"] for item in body["input"]]


@pytest.mark.parametrize("elsewhere", [False, True])
@pytest.mark.parametrize("stopped", [False, True])
async def test_a_question_follows_what_was_shown_of_the_answer_before_it(
    writer: ServerUnderTest,
    reader: ServerUnderTest,
    api_key: ApiKey,
    vendors: Vendors,
    *,
    elsewhere: bool,
    stopped: bool,
) -> None:
    vendors.clear_log()
    seen: list[Event] = []
    second = script(deltas=["a ", "b ", "c"], hang_after=2) + str(uuid4())
    call = stream(writer, api_key, second)
    async for event in call:
        seen.append(event)
        if text_of(seen) == "a b ":
            break
    call.cancel()
    started = started_of(seen)
    asking_on = reader if elsewhere else writer
    if elsewhere:
        # What is shown here reaches the other replica, too.
        there: list[Event] = []
        async for resumed in resume(reader, api_key, started.generation_id):
            there.append(resumed)
            if text_of(there) == "a b ":
                break
    if stopped:
        await cancel(asking_on, api_key, started.generation_id)
    third = script(deltas=["three"]) + str(uuid4())
    await ask(asking_on, api_key, third, conversation_id=started.conversation_id)
    assert asked(vendors, third[-36:]) == [second, "a b ", third]

    await cancel(writer, api_key, started.generation_id)
    fourth = script(deltas=["four"]) + str(uuid4())
    await ask(asking_on, api_key, fourth, conversation_id=started.conversation_id)
    assert asked(vendors, fourth[-36:]) == [second, "a b ", third, "three", fourth]
