"""Brings a conversation into a form that every vendor accepts, in whatever order and with any vendor it was written.

A conversation may have begun with another vendor, or with other tools, and any of its answers may have broken off.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import dropwhile, groupby
from typing import NamedTuple, TypeVar, assert_never

import msgspec

from aichat_server.content.parts import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Part,
    PartKind,
    ProviderItem,
    ReasoningPart,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    text_of,
)
from aichat_server.core.texts import is_blank
from aichat_server.providers.domain.requests import ProviderRequest, Tool, ToolChoice, ToolChoiceMode

NO_ANSWER = "(no answer)"
"""Replaces an answer without visible content: vendors refuse an empty one, and without it the questions would merge."""
NOT_SHOWN = "({kind} not shown: this model cannot read it)"
"""Replaces an earlier message's part that this model cannot read."""
CALLED = "(called the tool {name} with {arguments})"
RESULT = "(the result of the tool:)"
"""Replace a call and its result for a model that knows no tools."""
ReadableT = TypeVar("ReadableT", TextPart | ImagePart | DocumentPart, ImagePart | DocumentPart | AudioPart)
PairT = TypeVar("PairT", ToolCallPart, ToolResultPart)
ANY_ARGUMENTS = '{"type": "object"}'
_LONGEST_NAME = 64
_NOT_IN_NAMES, _BEGIN_OF_NAME = re.compile(r"[^A-Za-z0-9_-]"), re.compile(r"[A-Za-z_]")


class Said(NamedTuple):
    """The consecutive messages of one side."""

    role: Role
    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """All text."""
        return text_of(self.parts, self.role)


def said(request: ProviderRequest, provider: str) -> list[Said]:
    """Returns the conversation in the form of the strictest vendor, for `provider`.

    The user begins, the roles alternate, and no text is only white space, since Anthropic refuses such conversations.
    Consecutive messages of one role become one, since the templates of many open models refuse two. Each tool call has
    one result, at the beginning of the next message; calls without one are left out, as are results without a call.
    Calls have names that all vendors accept, and ids of their own in the conversation. Marks and items of other vendors
    are left out, and so is reasoning without this vendor's mark.
    """
    told = ((message.role, _told(message.parts, request)) for message in request.prompt.messages)
    own = (Said(role, tuple(_own(parts, provider, request))) for role, parts in told)
    # Results at the very beginning have no call, and without them the first message may be empty.
    begun = dropwhile(lambda side: side.role is not Role.USER or not any(map(_is_asked, side.parts)), own)
    runs = groupby(begun, lambda side: side.role)
    sides = [Said(role, tuple(part for side in run for part in side.parts)) for role, run in runs]
    return list(_visible(_matched(sides)))


def tool_name(name: str) -> str:
    """Returns a tool's name as all vendors accept it: a model may call a tool by a name that nobody has offered."""
    allowed = _NOT_IN_NAMES.sub("_", name)[:_LONGEST_NAME]
    return allowed if _BEGIN_OF_NAME.match(allowed) else f"_{allowed}"[:_LONGEST_NAME]


def tools(request: ProviderRequest, conversation: Iterable[Said]) -> tuple[Tool, ...]:
    """Returns the request's tools, and those that `conversation` calls: vendors refuse calls of unknown ones."""
    known = {tool.name: tool for tool in request.options.tools}
    for message in conversation:
        for part in message.parts:
            if isinstance(part, ToolCallPart) and part.name not in known:
                known[part.name] = Tool(part.name, "No longer available.", ANY_ARGUMENTS)
    return tuple(known.values())


def tool_choice(request: ProviderRequest) -> ToolChoice | None:
    """Returns whether the model may call tools; None for the vendor's default.

    If the request offers none, it may call none of those that the conversation called before.
    """
    return request.options.tool_choice if request.options.tools else ToolChoice(ToolChoiceMode.NONE)


def system_prompt(request: ProviderRequest) -> str | None:
    """Returns the system prompt; None if it is blank."""
    return None if is_blank(request.options.system_prompt) else request.options.system_prompt


def _told(parts: Iterable[Part], request: ProviderRequest) -> Iterator[Part]:
    """Yields the parts of one message, with tool calls and results as text if the model knows no tools."""
    for part in parts:
        match part:
            case ToolCallPart(_, name, arguments) if not request.calls:
                yield TextPart(CALLED.format(name=name, arguments=arguments))
            case ToolResultPart(parts=inner) if not request.calls:
                yield from (TextPart(RESULT), *inner)
            case _:
                yield part


def _own(parts: Iterable[Part], provider: str, request: ProviderRequest) -> Iterator[Part]:  # noqa: C901 — one case for each kind
    """Yields what `provider` accepts of one message."""
    for part in parts:
        match part:
            case TextPart(text, _, signature):
                kept = signature if signature is not None and signature.provider == provider else None
                if not is_blank(text) or kept is not None:
                    yield part if kept is signature else msgspec.structs.replace(part, signature=None)
            case ToolCallPart(name=name, signature=signature):
                own = signature if signature is not None and signature.provider == provider else None
                is_same = own is signature and tool_name(name) == name
                yield part if is_same else msgspec.structs.replace(part, name=tool_name(name), signature=own)
            case ReasoningPart(signature=signature):
                if signature is not None and signature.provider == provider:
                    yield part
            case ProviderItem(provider=author):
                if author == provider:
                    yield part
            case ToolResultPart(call_id, inner, is_error):
                shown = tuple(_readable(one, request) for one in inner if not _is_blank_text(one))
                yield ToolResultPart(call_id, shown, is_error)
            case ImagePart() | DocumentPart() | AudioPart():
                yield _readable(part, request)
            case _:
                assert_never(part)


def _is_blank_text(part: Part) -> bool:
    return isinstance(part, TextPart) and is_blank(part.text)


def _readable(part: ReadableT, request: ProviderRequest) -> ReadableT | TextPart:
    kind = kind_of(part)
    return part if kind in request.reads else TextPart(NOT_SHOWN.format(kind=kind))


def kind_of(part: TextPart | ImagePart | DocumentPart | AudioPart) -> PartKind:
    """Returns which kind of input a part is."""
    match part:
        case TextPart():
            return PartKind.TEXT
        case ImagePart():
            return PartKind.IMAGE
        case DocumentPart():
            return PartKind.DOCUMENT
        case AudioPart():
            return PartKind.AUDIO
        case _:
            assert_never(part)


def _matched(sides: list[Said]) -> Iterator[Said]:
    """Yields the sides with tool calls and results in pairs, the results first in their message."""
    taken: set[str] = set()
    called: dict[str, str] = {}
    """By the ids of the last answer's calls, the ids that are shown."""
    for n, (role, parts) in enumerate(sides):
        match role:
            case Role.ASSISTANT:
                following = sides[n + 1].parts if n + 1 < len(sides) else ()
                results = {part.call_id for part in following if isinstance(part, ToolResultPart)}
                answered = [p.call_id for p in parts if isinstance(p, ToolCallPart) and p.call_id in results]
                called = {call_id: _unused(call_id, taken) for call_id in dict.fromkeys(answered)}
                yield Said(role, tuple(_called(parts, called)))
            case Role.USER:
                first = {p.call_id: p for p in reversed(parts) if isinstance(p, ToolResultPart)}
                results_first = [_renamed(first[call_id], shown) for call_id, shown in called.items()]
                yield Said(role, (*results_first, *(p for p in parts if not isinstance(p, ToolResultPart))))
                called = {}
            case _:
                assert_never(role)


def _unused(call_id: str, taken: set[str]) -> str:
    """Returns an id that no earlier call has, and takes it: some models number their calls, and OpenAI refuses two."""
    base, n = call_id or "call", 1
    shown = base
    while shown in taken:
        n += 1
        shown = f"{base}_{n}"
    taken.add(shown)
    return shown


def _called(parts: Iterable[Part], called: Mapping[str, str]) -> Iterator[Part]:
    """Yields the parts of an answer, and of its calls those with a result, each id once."""
    left = dict(called)
    for part in parts:
        if not isinstance(part, ToolCallPart):
            yield part
        elif (shown := left.pop(part.call_id, None)) is not None:
            yield _renamed(part, shown)


def _renamed(part: PairT, call_id: str) -> PairT:
    return part if part.call_id == call_id else msgspec.structs.replace(part, call_id=call_id)


def _visible(sides: Iterable[Said]) -> Iterator[Said]:
    sides = [side for side in sides if side.role is Role.ASSISTANT or side.parts]
    begun = dropwhile(lambda side: side.role is not Role.USER, sides)
    for role, run in groupby(begun, lambda side: side.role):
        parts = tuple(part for side in run for part in side.parts)
        if role is Role.ASSISTANT and not any(map(_is_visible, parts)):
            parts = (*parts, TextPart(NO_ANSWER))
        yield Said(role, parts)


def _is_asked(part: Part) -> bool:
    return not isinstance(part, ToolResultPart)


def _is_visible(part: Part) -> bool:
    return isinstance(part, TextPart | ToolCallPart) and not _is_blank_text(part)
