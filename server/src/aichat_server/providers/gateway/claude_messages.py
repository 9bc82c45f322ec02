"""A conversation as the Messages API takes it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, assert_never

import msgspec

from aichat_server.content.parts import (
    AudioPart,
    Citation,
    DocumentPart,
    ImagePart,
    Link,
    Part,
    ProviderItem,
    ReasoningPart,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from aichat_server.core.texts import is_blank
from aichat_server.providers.gateway.body import Base64File, TextFile
from aichat_server.providers.gateway.claude_blocks import REDACTED
from aichat_server.providers.gateway.claude_terms import Thinking
from aichat_server.providers.gateway.prompt import NOT_SHOWN, Said, kind_of

PDF = "application/pdf"
# Citations of documents name them by their place, which may have changed since.
_RETURNED_CITATION = "web_search_result_location"
_NOT_IN_IDS = re.compile(r"[^a-zA-Z0-9_-]")
FAILED = "(the tool failed)"
"""Says that a result is an error, where it does not say so itself."""

Block = dict[str, Any] | msgspec.Raw


class ClaudeMessages:
    """Writes the messages of one conversation."""

    def __init__(self, provider: str, thinking: Thinking | None, *, cites: bool) -> None:
        """`cites`: whether the answer may cite the documents."""
        self._provider = provider
        self._thinking = thinking
        self._cites = cites
        self._ids = _CallIds()

    def write(self, conversation: Sequence[Said]) -> list[dict[str, Any]]:
        """Returns the messages."""
        paired = _paired(conversation)
        messages: list[dict[str, Any]] = []
        for role, parts in conversation:
            match role:
                case Role.USER:
                    content: list[Block] = [self._asked(part) for part in parts]
                case Role.ASSISTANT:
                    self._ids.begin()
                    kept = [part for part in parts if self._is_kept(part, paired)]
                    content = [block for part in kept for block in self._answered(part)]
                case _:
                    assert_never(role)
            messages.append({"role": role.value, "content": content})
        return messages

    def _is_kept(self, part: Part, paired: frozenset[str]) -> bool:
        """Whether a part of an answer is returned: thinking where the model may read it, and items that are whole."""
        match part:
            case ReasoningPart():
                # Only this mode can drop thinking that what was changed before it has made invalid.
                return self._thinking is Thinking.ADAPTIVE
            case ProviderItem(json=json):
                item = _item(json)
                return not (item.is_call or item.tool_use_id) or (item.id or item.tool_use_id) in paired
            case ToolCallPart(call_id):
                return self._ids.is_new(call_id)
            case _:
                return True

    def _answered(self, part: Part) -> Iterable[Block]:
        match part:
            case TextPart():
                return self._text(part)
            case ReasoningPart(text, signature) if signature is not None:
                if signature.kind == REDACTED:
                    return ({"type": REDACTED, "data": signature.data},)
                return ({"type": "thinking", "thinking": text, "signature": signature.data},)
            case ToolCallPart(call_id, name, arguments):
                told = {"id": self._ids.call(call_id), "name": name, "input": _input(arguments)}
                return ({"type": "tool_use", **told},)
            case ProviderItem(json=json):
                return (msgspec.Raw(json.encode()),)
            case ImagePart() | DocumentPart() | AudioPart():
                return (_not_shown(part),)
            case ReasoningPart() | ToolResultPart():
                return ()
            case _:
                assert_never(part)

    def _asked(self, part: Part) -> dict[str, Any]:
        match part:
            case TextPart(text):
                return {"type": "text", "text": text}
            case ImagePart(source):
                return {"type": "image", "source": _image(source)}
            case DocumentPart():
                return self._document(part)
            case ToolResultPart():
                return self._result(part)
            case AudioPart():
                return _not_shown(part)
            case ReasoningPart() | ToolCallPart() | ProviderItem():
                raise TypeError(f"a user's message has no {type(part).__name__}")
            case _:
                assert_never(part)

    def _result(self, part: ToolResultPart) -> dict[str, Any]:
        told: dict[str, Any] = {"type": "tool_result", "tool_use_id": self._ids.of(part.call_id)}
        content = [self._asked(one) for one in part.parts]
        if part.is_error:
            # Anthropic takes texts alone as an error, and at least one.
            only_text = all(isinstance(one, TextPart) for one in part.parts)
            told |= {"is_error": True} if only_text else {}
            content = content if content and only_text else [{"type": "text", "text": FAILED}, *content]
        return {**told, "content": content} if content else told

    def _document(self, part: DocumentPart) -> dict[str, Any]:
        source: dict[str, Any]
        match part.source:
            case Link(url):
                source = {"type": "url", "url": url}
            case file if file.media_type == PDF:
                source = {"type": "base64", "media_type": PDF, "data": Base64File(file)}
            case file:
                source = {"type": "text", "media_type": "text/plain", "data": TextFile(file)}
        told: dict[str, Any] = {"type": "document", "source": source}
        if not is_blank(part.title):
            told["title"] = part.title
        return {**told, "citations": {"enabled": True}} if self._cites else told

    def _text(self, part: TextPart) -> Iterator[Block]:
        """Yields the text, each cited passage as a block of its own, as it came."""
        own = [told for told in part.citations if self._is_own(told)]
        passages = groupby(own, lambda told: (told.start, told.end or len(part.text)))
        at = 0
        for (start, end), citations in [(place, tuple(told)) for place, told in passages]:
            if start < at or is_blank(part.text[start:end]):
                continue
            plain, cited, at = part.text[at:start], part.text[start:end], end
            if is_blank(plain):
                cited = plain + cited
            else:
                yield {"type": "text", "text": plain}
            quoted = [msgspec.Raw(told.signature.data.encode()) for told in citations if told.signature]
            yield {"type": "text", "text": cited, "citations": quoted}
        # Claude refuses a text of white space alone.
        if not is_blank(part.text[at:]):
            yield {"type": "text", "text": part.text[at:]}

    def _is_own(self, citation: Citation) -> bool:
        signature = citation.signature
        return signature is not None and (signature.provider, signature.kind) == (self._provider, _RETURNED_CITATION)


class _CallIds:
    """The ids of tool calls as Claude accepts them: unique in the conversation, and of few characters."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._repeats: Counter[str] = Counter()
        self._current: dict[str, str] = {}
        """The ids of the last answer's calls, by the ids that they have in the conversation."""

    def begin(self) -> None:
        """Called at the beginning of each answer."""
        self._current = {}

    def is_new(self, call_id: str) -> bool:
        """Whether the answer has no call with this id yet. The id is then reserved for the call."""
        if call_id in self._current:
            return False
        base = unique = _NOT_IN_IDS.sub("_", call_id) or "call"
        while unique in self._taken:
            self._repeats[base] += 1
            unique = f"{base}_{self._repeats[base]}"
        self._taken.add(unique)
        self._current[call_id] = unique
        return True

    def call(self, call_id: str) -> str:
        """Returns the id for a call of the answer."""
        return self._current[call_id]

    def of(self, call_id: str) -> str:
        """Returns the id for a result of the last answer's call."""
        return self._current.get(call_id, call_id)


def _has_results(said: Said) -> bool:
    return any(isinstance(part, ToolResultPart) for part in said.parts)


class _Item(msgspec.Struct):
    type: str = ""
    id: str = ""
    tool_use_id: str = ""

    @property
    def is_call(self) -> bool:
        """Whether it calls a tool that the vendor runs."""
        return self.type.endswith("tool_use")


_ITEMS = msgspec.json.Decoder(_Item)


def _item(json: str) -> _Item:
    try:
        return _ITEMS.decode(json)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return _Item()


def _paired(conversation: Sequence[Said]) -> frozenset[str]:
    """Returns the ids of the vendor's own calls that have a result; those of a running loop may still get one."""
    calls: set[str] = set()
    results: set[str] = set()
    running: set[str] = set()
    for n, said in enumerate(conversation):
        items = [_item(part.json) for part in said.parts if isinstance(part, ProviderItem)]
        begun = {item.id for item in items if item.is_call}
        calls |= begun
        results |= {item.tool_use_id for item in items if item.tool_use_id}
        is_last = n == len(conversation) - 2
        if is_last and _has_results(conversation[-1]):
            running = begun
    return frozenset((calls & results) | running)


def _input(arguments: str) -> msgspec.Raw | dict[str, str]:
    """Returns the arguments as the model wrote them; if they are no JSON object, as Anthropic's documents say."""
    if not arguments.strip():
        return {}
    try:
        msgspec.json.decode(arguments, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        return {"INVALID_JSON": arguments}
    return msgspec.Raw(arguments.encode())


def _image(source: Any) -> dict[str, Any]:
    if isinstance(source, Link):
        return {"type": "url", "url": source.url}
    return {"type": "base64", "media_type": source.media_type, "data": Base64File(source)}


def _not_shown(part: ImagePart | DocumentPart | AudioPart) -> dict[str, Any]:
    return {"type": "text", "text": NOT_SHOWN.format(kind=kind_of(part))}
