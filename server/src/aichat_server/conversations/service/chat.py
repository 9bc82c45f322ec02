"""Chat: a message goes in, the journal of its answer comes out."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import asdict, dataclass, field
from uuid import UUID

import msgspec
import structlog
from structlog.contextvars import bind_contextvars

from aichat_server.content.parts import Part, text_of
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.ids import new_id
from aichat_server.generations.domain.generation import GenerationKey
from aichat_server.generations.domain.observing import GenerationObserver
from aichat_server.generations.service import failures
from aichat_server.generations.service.answers import Answers
from aichat_server.generations.service.generation import GenerationPlan
from aichat_server.generations.service.generations import Generations
from aichat_server.generations.service.journal import HEARTBEAT, Events
from aichat_server.generations.storage.turns import EarlierTurn, TurnBegin, TurnBegun, TurnStore
from aichat_server.identity.domain.principals import Principal
from aichat_server.limits.service import Admission, RateLimits
from aichat_server.models.domain.models import Model
from aichat_server.models.domain.pricing import Hold, dearest_hold, hold_for
from aichat_server.models.domain.usage import estimate_tokens
from aichat_server.plans.service import PlanBook
from aichat_server.providers.domain.requests import ChatOptions
from aichat_server.providers.service.models import Models, output_limit
from aichat_server.providers.service.upstream import Upstream

TITLE_CHARACTERS = 80
MOST_BYTES_PER_TOKEN = 6
"""More than a token comes to in any long text: English has four and a half, most other scripts fewer."""

_log = structlog.get_logger()

_Beginning = asyncio.Task[tuple[UUID, Events]]
"""Tells which generation answers, and its events."""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A message to a model, as asked for; None where the caller left the choice."""

    model: str
    parts: tuple[Part, ...]
    request_id: UUID | None = None
    conversation_id: UUID | None = None
    parent_message_id: UUID | None = None
    options: ChatOptions = field(default_factory=ChatOptions)
    cancel_on_disconnect: bool = False


class Chat:
    """Sends messages to models."""

    def __init__(
        self,
        models: Models,
        upstream: Upstream,
        turns: TurnStore,
        generations: Generations,
        limits: RateLimits,
        answers: Answers,
        plans: PlanBook,
        observer: GenerationObserver,
    ) -> None:
        self._models = models
        self._plans = plans
        self._upstream = upstream
        self._turns = turns
        self._generations = generations
        self._limits = limits
        self._answers = answers
        self._observer = observer

    def list_models(self, principal: Principal) -> list[Model]:
        """The models that the caller may ask."""
        return [model for model in self._models.list() if self._plans.offers(principal.plan, model.id)]

    async def send(self, principal: Principal, message: ChatMessage) -> Events:
        """Stores the message and begins the answer; returns the answer's events.

        What can be refused is refused before anything is stored. A `request_id` that is known gets the answer that
        it began then, whether that is still being written or stored.
        """
        model = self._models.get(message.model)
        candidates = self._candidates(principal, model, message.options)
        turn = _turn(principal, message, candidates)
        # A caller that goes away now must not leave a turn that is begun and never answered.
        beginning = self._generations.spawn(self._begin(principal, message, candidates, turn))
        # Whoever goes away does not hear of its failure.
        beginning.add_done_callback(lambda task: task.cancelled() or task.exception())
        with self._cancelled_if_left(turn, message):
            if await self._is_over(beginning):
                return _events(beginning)
        return self._late_events(beginning, turn, message)

    async def _late_events(self, beginning: _Beginning, turn: TurnBegin, message: ChatMessage) -> Events:
        """Heartbeats until the turn has begun, and then its events."""
        with self._cancelled_if_left(turn, message):
            yield 0, HEARTBEAT
            while not await self._is_over(beginning):
                yield 0, HEARTBEAT
        async with aclosing(_events(beginning)) as events:
            async for event in events:
                yield event

    async def _is_over(self, beginning: _Beginning) -> bool:
        """Whether it is, after waiting for as long as a stream may be silent."""
        done, _ = await asyncio.wait({beginning}, timeout=self._generations.heartbeat_seconds)
        return bool(done)

    @contextmanager
    def _cancelled_if_left(self, turn: TurnBegin, message: ChatMessage) -> Iterator[None]:
        try:
            yield
        except (asyncio.CancelledError, GeneratorExit):
            if message.cancel_on_disconnect:
                self._generations.cancel(GenerationKey(turn.org_id, turn.generation_id))
            raise

    async def _begin(
        self, principal: Principal, message: ChatMessage, candidates: Sequence[Model], turn: TurnBegin
    ) -> tuple[UUID, Events]:
        """Which generation answers, and its events."""
        key = GenerationKey(turn.org_id, turn.generation_id)
        stream = str(turn.request_id or turn.generation_id)
        admission = await self._limits.admit_turn(principal, stream, _most_tokens(message, candidates[0]))
        generation = self._generations.open(key)
        begun: TurnBegun | None = None
        try:
            begun = await self._turns.begin(turn)
            if begun.earlier is None:
                plan = await self._plan(principal, message, candidates, begun, admission)
        except BaseException as error:
            admission.end(tokens=0)
            self._give_up(turn, error, refused=begun is None and _is_refusal(error))
            raise
        if begun.earlier is not None:
            admission.end(tokens=0)
            self._generations.discard(key)
            return begun.generation_id, self._reattach(turn, begun.earlier)
        self._generations.start(generation, plan)
        return begun.generation_id, generation.journal.read()

    def _give_up(self, turn: TurnBegin, error: BaseException, *, refused: bool) -> None:
        """Nothing is left of a turn that was refused; another one may have begun all the same, or may do so yet."""
        failure = error if isinstance(error, AichatError) else failures.failed(words=False)
        if refused:
            self._generations.discard(GenerationKey(turn.org_id, turn.generation_id), failure)
        else:
            self._generations.abandon(turn, failure)

    async def _plan(
        self,
        principal: Principal,
        message: ChatMessage,
        candidates: Sequence[Model],
        begun: TurnBegun,
        admission: Admission,
    ) -> GenerationPlan:
        # What is logged of the generation carries it.
        bind_contextvars(generation_id=str(begun.generation_id))
        if begun.quota_failure is not None:
            self._observer.quota_unchecked()
            _log.error("quota unchecked", cause=begun.quota_failure)
        path = await self._answers.shown(principal.org_id, begun.path)
        answer = self._upstream.answer(candidates, path, message.options)
        return GenerationPlan(principal, answer, begun, admission, message.cancel_on_disconnect)

    def _candidates(self, principal: Principal, model: Model, options: ChatOptions) -> list[Model]:
        """The models that may answer, of those that the caller's plan offers."""
        self._plans.check_model(principal.plan, model.id)
        candidates = self._upstream.candidates(model, options)
        return [candidate for candidate in candidates if self._plans.offers(principal.plan, candidate.id)]

    def _reattach(self, turn: TurnBegin, earlier: EarlierTurn) -> Events:
        if earlier.fingerprint != turn.fingerprint:
            metadata = {"request_id": str(turn.request_id)}
            text = "this request_id was used with other parameters; take a new one for a new message"
            raise AichatError(Reason.REQUEST_ID_REUSED, text, metadata=metadata)
        return self._answers.read(GenerationKey(turn.org_id, earlier.generation_id), earlier)


def _events(beginning: _Beginning) -> Events:
    generation_id, events = beginning.result()
    bind_contextvars(generation_id=str(generation_id))
    return events


def _is_refusal(error: BaseException) -> bool:
    return isinstance(error, AichatError) and error.reason is not Reason.STORAGE_UNAVAILABLE


def _most_tokens(message: ChatMessage, model: Model) -> int:
    """What the turn may use, as far as it is known yet; the conversation's history is counted at the turn's end."""
    asked = estimate_tokens(text_of(message.parts)) + estimate_tokens(message.options.system_prompt)
    return asked + output_limit(model, message.options)


def _turn(principal: Principal, message: ChatMessage, candidates: Sequence[Model]) -> TurnBegin:
    model = candidates[0]
    options = {key: value for key, value in asdict(message.options).items() if value not in (None, (), "")}
    if message.cancel_on_disconnect:
        options["cancel_on_disconnect"] = True
    return TurnBegin(
        org_id=principal.org_id,
        member_id=principal.member_id,
        key_id=principal.key_id,
        request_id=message.request_id,
        fingerprint=_fingerprint(message, options),
        conversation_id=message.conversation_id or new_id(),
        new_conversation=message.conversation_id is None,
        title=text_of(message.parts).strip().split("\n")[0][:TITLE_CHARACTERS],
        parent_message_id=message.parent_message_id,
        user_message_id=new_id(),
        message_id=new_id(),
        generation_id=new_id(),
        model=model.id,
        provider=model.provider,
        parts=message.parts,
        options=options,
        hold=dearest_hold([_hold(message, candidate) for candidate in candidates]),
        path_bytes=_path_bytes(candidates),
    )


def _path_bytes(candidates: Sequence[Model]) -> int | None:
    """More than any of the models takes of a conversation; None where nobody knows what one takes."""
    windows = [candidate.context_window for candidate in candidates]
    return max(windows) * MOST_BYTES_PER_TOKEN if all(windows) else None


def _hold(message: ChatMessage, model: Model) -> Hold:
    texts = (message.options.system_prompt, *(part.text for part in message.parts))
    return hold_for(
        model.prices,
        input_bytes=sum(len(text.encode()) for text in texts),
        has_history=message.conversation_id is not None,
        max_output_tokens=output_limit(model, message.options),
        context_window=model.context_window,
        most_percent=model.most_percent,
    )


def _fingerprint(message: ChatMessage, options: Mapping[str, object]) -> bytes:
    """What must be the same when a request_id comes again: all of the request but the request_id."""
    ids = (message.conversation_id, message.parent_message_id)
    asked = (message.model, ids, [part.text for part in message.parts], options)
    return hashlib.sha256(msgspec.json.encode(asked)).digest()
