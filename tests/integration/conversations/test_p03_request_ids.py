"""Promise 3: repeating a call with its request_id never makes a second answer."""

import asyncio
from uuid import uuid4

from aichat.v1 import options_pb2

from tests.fixtures.server import ApiKey, RunServer, ServerUnderTest
from tests.fixtures.vendors import Vendors
from tests.integration.conversations.asking import (
    ask,
    conversations,
    first_event,
    history,
    refusal,
    script,
    stream,
    text_of,
    times_asked,
)


async def test_a_call_repeated_at_once_gets_the_same_answer(
    server: ServerUnderTest, api_key: ApiKey, vendors: Vendors
) -> None:
    request_id, text = str(uuid4()), script(words=20, interval_ms=5) + str(uuid4())
    answers = await asyncio.gather(*(ask(server, api_key, text, request_id=request_id) for _ in range(5)))
    for answer in answers:
        # A call that arrived after the answer's end gets it in one piece.
        ends = (answer[0].started, text_of(answer), answer[-1].completed)
        assert ends == (answers[0][0].started, text_of(answers[0]), answers[0][-1].completed)
    assert times_asked(vendors, text) == 1
    assert len(await history(server, api_key, answers[0][0].started.conversation_id)) == 2


async def test_a_call_repeated_later_gets_the_stored_answer(
    server: ServerUnderTest, api_key: ApiKey, vendors: Vendors
) -> None:
    request_id, text = str(uuid4()), script(deltas=["once ", "only"]) + str(uuid4())
    first = await ask(server, api_key, text, request_id=request_id)
    again = await ask(server, api_key, text, request_id=request_id)
    assert again[0] == first[0]
    assert text_of(again) == "once only"
    assert again[-1].completed == first[-1].completed
    assert times_asked(vendors, text) == 1


async def test_a_request_id_with_other_parameters_is_refused(server: ServerUnderTest, api_key: ApiKey) -> None:
    request_id = str(uuid4())
    await ask(server, api_key, script(deltas=["a"]), request_id=request_id)
    for other in (
        {"text": script(deltas=["b"])},
        {"text": script(deltas=["a"]), "model": "gpt-6.1-sol"},
        {"text": script(deltas=["a"]), "options": options_pb2.ChatOptions(max_output_tokens=7)},
    ):
        failed = await refusal(stream(server, api_key, request_id=request_id, **other))
        assert (failed.reason, failed.metadata["request_id"]) == ("REQUEST_ID_REUSED", request_id)
    assert len(await conversations(server, api_key)) == 1


async def test_organisations_do_not_share_request_ids(
    server: ServerUnderTest, api_key: ApiKey, foreign_key: ApiKey
) -> None:
    request_id = str(uuid4())
    await ask(server, api_key, script(deltas=["mine"]), request_id=request_id)
    assert text_of(await ask(server, foreign_key, script(deltas=["theirs"]), request_id=request_id)) == "theirs"


async def test_a_broken_answer_breaks_again_with_what_is_stored(server: ServerUnderTest, api_key: ApiKey) -> None:
    request_id, text = str(uuid4()), script(deltas=["a", "b"], cut_after=1)
    first = await refusal(stream(server, api_key, text, request_id=request_id))
    again = await refusal(stream(server, api_key, text, request_id=request_id))
    assert (again.reason, text_of(again.seen)) == (first.reason, "a")
    assert (again.message, again.metadata) == (first.message, first.metadata) == (first.message, {"provider": "openai"})


async def test_a_turn_that_left_nothing_releases_its_request_id(server: ServerUnderTest, api_key: ApiKey) -> None:
    request_id = str(uuid4())
    assert (await refusal(stream(server, api_key, script(status=529), request_id=request_id))).reason == (
        "PROVIDER_OVERLOADED"
    )
    assert text_of(await ask(server, api_key, script(deltas=["now"]), request_id=request_id)) == "now"


async def test_another_replica_says_that_the_answer_is_being_written(run_server: RunServer, api_key: ApiKey) -> None:
    request_id, text = str(uuid4()), script(words=40, interval_ms=20)
    async with run_server() as one, run_server() as other:
        writing = stream(one, api_key, text, request_id=request_id)
        await first_event(writing)
        failed = await refusal(stream(other, api_key, text, request_id=request_id))
        assert failed.reason == "GENERATION_IN_PROGRESS"
        assert failed.retry_after is not None
        assert [event async for event in writing][-1].HasField("completed")
        assert text_of(await ask(other, api_key, text, request_id=request_id)).split()[-1] == "word39"
