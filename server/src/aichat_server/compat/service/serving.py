"""Serves the calls of compatible APIs: each launches a generation, and nothing but its usage is kept.

The answer of a call with an Idempotency-Key is kept for a day, for the same call alone.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import NamedTuple
from uuid import uuid5

from aichat_server.compat.domain.asked import Asked
from aichat_server.compat.service.calls import CompatCall
from aichat_server.compat.service.keeping import Keeping
from aichat_server.compat.service.readers import Readers
from aichat_server.conversations.service.context_room import ContextRoom
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.ids import new_id
from aichat_server.files.service.files import Files
from aichat_server.generations.domain.generation import Beginning, Begun, Claim
from aichat_server.generations.service.journal import Events
from aichat_server.generations.service.keep_for_retries import KeepForRetries
from aichat_server.generations.service.keep_nothing import KeepNothing
from aichat_server.generations.service.launcher import Launcher
from aichat_server.generations.service.model_choice import ModelChoice
from aichat_server.generations.service.requests import GenerationRequest
from aichat_server.identity.domain.principals import Principal
from aichat_server.providers.domain.forms import check_forms
from aichat_server.providers.domain.requests import LongHistory, PathMessage, Prompt
from aichat_server.providers.domain.verbatim import SentRequest
from aichat_server.providers.service.counting import TokenCounter

_LARGE_BYTES = 1024 * 1024


class Kept(NamedTuple):
    """Where answers go."""

    nothing: KeepNothing
    for_retries: KeepForRetries
    turns: Keeping


class Serving:
    """Launches the generations of compatible APIs."""

    def __init__(
        self,
        choice: ModelChoice,
        launcher: Launcher,
        files: Files,
        counter: TokenCounter,
        sinks: Kept,
        readers: Readers,
    ) -> None:
        self._choice = choice
        self._launcher = launcher
        self._files = files
        self._counter = counter
        self._sinks = sinks
        self._readers = readers

    async def answer(self, principal: Principal, call: CompatCall) -> Events:
        """Returns the events of the answer: of a new one, or of the one that the call is a retry of.

        Read them to their end, also behind the last one that is shown: a reader who stops before has vanished. What
        can be refused is refused before anything is stored.
        """
        if call.terms.key is not None:
            return await self._claimed(await self._request(principal, call))
        reader = call.reader
        # The digest of a large request takes long, and lets others run between its parts on a thread alone.
        who = await asyncio.to_thread(reader, principal) if len(call.body.raw) > _LARGE_BYTES else reader(principal)
        return await self._readers.answer(who, self._request(principal, call))

    async def _request(self, principal: Principal, call: CompatCall) -> GenerationRequest:
        asked = call.asked
        if asked.sent is not None:
            return self._as_sent(principal, call, asked.sent)
        schema = check_forms(asked.options)
        parts = tuple(part for message in asked.messages for part in message.parts)
        candidates = self._choice.candidates(principal, asked.model, asked.options, parts)
        messages = await self._resolved(principal, asked.messages, keep=call.keep is not None)
        files = self._files.of(principal.org_id)
        room = ContextRoom(self._counter, candidates, asked.options, Prompt((), files))
        if asked.options.long_history is LongHistory.DROP and not await room.holds(messages):
            messages = (await room.cut(messages)).shown
        await room.check(messages)
        claim = _claim(principal, call)
        prompt, keep = Prompt(messages, files, cache_key=_cache_key(principal, asked)), call.keep
        return GenerationRequest(
            principal=principal,
            candidates=candidates,
            question=_Question(self._sink(claim), prompt) if keep is None else self._sinks.turns.question(keep, prompt),
            asked=messages,
            has_history=False,
            options=asked.options,
            claim=claim,
            schema=schema,
            generation_id=keep.generation_id if keep is not None else new_id(),
        )

    async def _claimed(self, request: GenerationRequest) -> Events:
        """Raises REQUEST_ID_REUSED in the words of these APIs."""
        try:
            return await self._launcher.launch(request)
        except AichatError as error:
            if error.reason is not Reason.REQUEST_ID_REUSED:
                raise
            text = "this Idempotency-Key was used with another request; take a new one for a new request"
            raise AichatError(error.reason, text, metadata=error.metadata) from error

    def _sink(self, claim: Claim | None) -> KeepNothing:
        return self._sinks.nothing if claim is None else self._sinks.for_retries

    def _as_sent(self, principal: Principal, call: CompatCall, sent: SentRequest) -> GenerationRequest:
        """Returns what launches an answer to a request that goes to its vendor as it was sent."""
        asked, claim = call.asked, _claim(principal, call)
        candidates = self._choice.candidates(principal, asked.model, asked.options)
        return GenerationRequest(
            principal=principal,
            candidates=[model for model in candidates if self._choice.speaks(model, sent.api)],
            question=_Question(self._sink(claim), Prompt(asked.messages, sent=sent)),
            asked=asked.messages,
            has_history=False,
            options=asked.options,
            claim=claim,
            sent=sent,
        )

    async def _resolved(
        self, principal: Principal, messages: tuple[PathMessage, ...], *, keep: bool
    ) -> tuple[PathMessage, ...]:
        """Returns the messages with what their files are. `keep`: whether their bytes are stored."""
        return tuple(
            [
                replace(message, parts=await self._files.resolve(principal, message.parts, keep=keep))
                for message in messages
            ]
        )


def _claim(principal: Principal, call: CompatCall) -> Claim | None:
    """Returns what the call's Idempotency-Key claims; None without one."""
    return call.terms.claim(principal, call.route, call.digest()) if call.terms.key is not None else None


class _Question:
    """Asks what the caller sent, and keeps nothing of the answer."""

    def __init__(self, sink: KeepNothing, prompt: Prompt) -> None:
        self.sink = sink
        self._prompt = prompt

    async def begin(self, beginning: Beginning) -> Begun:
        """See Question."""
        return await self.sink.begin(beginning, self._prompt.messages, self._prompt.sent)

    async def prompt(self) -> Prompt:
        """See Question."""
        return self._prompt


def _cache_key(principal: Principal, asked: Asked) -> str:
    """Returns the caller's key as the vendor gets it: of 36 characters, and different for each organisation."""
    return str(uuid5(principal.org_id, asked.cache_key)) if asked.cache_key else ""
