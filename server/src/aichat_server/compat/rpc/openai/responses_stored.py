"""Stored responses, told again: whole, as events, and what they were asked."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from uuid import UUID

from aichat.v1 import openai_pb2 as pb

from aichat_server.compat.domain.openai.responses_failures import failure_json
from aichat_server.compat.rpc.openai.responses_asking import stored_telling
from aichat_server.compat.rpc.openai.responses_events import HEARTBEAT
from aichat_server.compat.rpc.openai.responses_head import Head, Json
from aichat_server.compat.rpc.openai.responses_input import input_items
from aichat_server.compat.service.responses import StoredResponses
from aichat_server.compat.storage.responses import StoredResponse
from aichat_server.core.errors import AichatError, Reason, invalid_request
from aichat_server.generations.domain.generation import GenerationState
from aichat_server.identity.domain.principals import Principal

_MOST_LISTED, _LISTED = 100, 20


class StoredTold:
    """Tells stored responses."""

    def __init__(self, stored: StoredResponses) -> None:
        self._stored = stored

    async def whole(self, principal: Principal, response_id: str) -> Json:
        """Returns a response as it is now. Raises GENERATION_NOT_FOUND."""
        generation_id, found = await self._stored.find(principal, response_id)
        told = stored_telling(found)
        head = Head(generation_id, told.echo, str(found.conversation_id))
        if found.state is GenerationState.RUNNING:
            return head.response("in_progress")
        writer = told.events()
        try:
            async with aclosing(await self._stored.events(principal, generation_id)) as events:
                await writer.read(events)
        except AichatError as error:
            if found.state is GenerationState.COMPLETE:
                raise
            for _ in writer.fail(error):
                """Only the end counts."""
            return writer.response or head.response("failed", error=failure_json(error))
        if writer.response is None:
            raise AichatError(Reason.INTERNAL, "the answer ended without its end")
        return writer.response

    async def cancelled(self, principal: Principal, response_id: str) -> Json:
        """Cancels a response that is being written, and returns it. Raises GENERATION_NOT_FOUND."""
        generation_id, found = await self._stored.find(principal, response_id)
        if found.state is GenerationState.RUNNING:
            await self._stored.cancel(principal, generation_id)
        return await self.whole(principal, response_id)

    async def events(self, principal: Principal, response_id: str, after: int | None) -> AsyncGenerator[bytes, None]:
        """Yields a response's events behind the number `after`; None: all.

        Raises GENERATION_NOT_FOUND, GENERATION_NOT_RESUMABLE, and REQUEST_INVALID for a number beyond the last one.
        """
        generation_id, found = await self._stored.find(principal, response_id)
        has_told = False
        async with aclosing(self._all(principal, generation_id, found, resumes=after is not None)) as pieces:
            async for number, data in pieces:
                if after is None or number > after:
                    has_told = True
                    yield data
        if not has_told:
            raise invalid_request("starting_after", "must be less than the number of the response's last event")

    async def _all(
        self, principal: Principal, generation_id: UUID, found: StoredResponse, *, resumes: bool
    ) -> AsyncGenerator[tuple[int, bytes], None]:
        """Yields all events with their numbers."""
        writer, has_begun = stored_telling(found).events(), False
        try:
            async with aclosing(await self._stored.events(principal, generation_id, resumes=resumes)) as events:
                async for _, event in events:
                    for data in writer.write(event):
                        has_begun = True
                        # A heartbeat has no number, and comes before the next one.
                        yield writer.number - (data != HEARTBEAT), data
        except AichatError as error:
            if not has_begun:
                raise
            for data in writer.fail(error):
                yield writer.number - 1, data

    async def input_items(self, principal: Principal, request: pb.ListResponseInputItemsRequest) -> Json:
        """Returns a page of what a response was asked. Raises GENERATION_NOT_FOUND and REQUEST_INVALID."""
        if request.order not in ("", "asc", "desc"):
            raise invalid_request("order", "must be asc or desc")
        if not 0 <= request.limit <= _MOST_LISTED:
            raise invalid_request("limit", f"must be from 1 to {_MOST_LISTED}")
        _, found = await self._stored.find(principal, request.response_id, with_input=True)
        items = list(input_items(found.input or (), stored_telling(found).tools))
        if request.order != "asc":
            items.reverse()
        if request.after:
            ids = [item["id"] for item in items]
            if request.after not in ids:
                raise invalid_request("after", "must be the id of one of the items")
            items = items[ids.index(request.after) + 1 :]
        page = items[: request.limit or _LISTED]
        ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {"first_id": "", "last_id": ""}
        return {"object": "list", "data": page, **ends, "has_more": len(items) > len(page)}
