"""Stored responses: found, followed, read again, cancelled and deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import aclosing, suppress
from uuid import UUID

from aichat_server.compat.domain.openai.responses_marks import generation_of, item_place
from aichat_server.compat.storage.responses import ResponseStore, StoredResponse
from aichat_server.content.parts import Part
from aichat_server.conversations.service.kept_turns import KeptTurns
from aichat_server.core.errors import AichatError, FieldViolation, Reason
from aichat_server.generations.domain.generation import GenerationState
from aichat_server.generations.domain.shown import content_of
from aichat_server.generations.domain.stream import StreamEvent
from aichat_server.generations.service.answers import Answers
from aichat_server.generations.service.journal import Events
from aichat_server.identity.domain.principals import Principal
from aichat_server.providers.domain.requests import PathMessage


class StoredResponses:
    """The responses of organisations."""

    def __init__(self, store: ResponseStore, turns: KeptTurns, answers: Answers) -> None:
        self._store = store
        self._turns = turns
        self._answers = answers

    async def find(
        self, principal: Principal, response_id: str, *, param: str = "response_id", with_input: bool = False
    ) -> tuple[UUID, StoredResponse]:
        """Returns a response and its generation. Raises GENERATION_NOT_FOUND with the parameter."""
        generation_id = generation_of(response_id)
        found = None
        if generation_id is not None:
            found = await self._store.find(principal, generation_id, with_input=with_input)
        if generation_id is None or found is None:
            raise _not_found(response_id, param)
        return generation_id, found

    async def history(
        self, principal: Principal, response: StoredResponse, follows: Sequence[PathMessage]
    ) -> tuple[PathMessage, ...]:
        """Returns the conversation up to a response's answer. `follows`: the messages that are to follow it.

        Raises GENERATION_IN_PROGRESS, TOOL_RESULTS_MISMATCHED, and MESSAGE_NOT_FOUND if it left no answer.
        """
        if response.state is GenerationState.RUNNING:
            text = "the previous response is still being written: wait until it is completed"
            raise AichatError(Reason.GENERATION_IN_PROGRESS, text, retry_after=1.0)
        parts = [part for message in follows[:1] for part in message.parts]
        return await self._turns.history(principal.org_id, response.conversation_id, response.message_id, parts)

    async def events(self, principal: Principal, generation_id: UUID, *, resumes: bool = False) -> Events:
        """Returns the events of a response's answer from their beginning, on any replica.

        `resumes`: the caller knows some of them, and they must be the same. Raises GENERATION_NOT_RESUMABLE.
        """
        if resumes:
            known = await self._answers.resume(principal, generation_id, 1)
            try:
                await anext(known, None)
            except AichatError as error:
                if error.reason is Reason.GENERATION_NOT_RESUMABLE:
                    raise
            finally:
                await known.aclose()
        return await self._answers.resume(principal, generation_id, 0)

    async def cancel(self, principal: Principal, generation_id: UUID) -> None:
        """Stops an answer that is being written."""
        await self._answers.cancel(principal, generation_id)

    async def delete(self, principal: Principal, response_id: str) -> None:
        """Deletes a response. Raises GENERATION_NOT_FOUND."""
        generation_id = generation_of(response_id)
        if generation_id is None or not await self._store.delete(principal, generation_id):
            raise _not_found(response_id, "response_id")

    async def items(self, principal: Principal, item_ids: Sequence[str]) -> Mapping[str, Part]:
        """Returns the items of answers that are stored, or were written minutes ago, as far as they are still known."""
        places = {item_id: place for item_id in item_ids if (place := item_place(item_id)) is not None}
        answers = {
            generation_id: await self._parts(principal, generation_id)
            for generation_id in dict.fromkeys(generation_id for generation_id, _ in places.values())
        }
        return {
            item_id: answers[generation_id][number]
            for item_id, (generation_id, number) in places.items()
            if number < len(answers[generation_id])
        }

    async def _parts(self, principal: Principal, generation_id: UUID) -> Sequence[Part]:
        """Returns what an answer consists of; nothing if that is not known any more."""
        events = list[StreamEvent]()
        with suppress(AichatError):
            async with aclosing(await self._answers.resume(principal, generation_id, 0)) as numbered:
                async for _, event in numbered:
                    events.append(event)
        return content_of(events).parts()


def _not_found(response_id: str, param: str) -> AichatError:
    words = f"no response with the id {response_id!r} is stored: ask with `store: true`, or send the whole input"
    violation = FieldViolation(param, words)
    return AichatError(Reason.GENERATION_NOT_FOUND, words, violations=(violation,))
