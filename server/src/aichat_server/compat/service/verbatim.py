"""Requests whose API is that of the model's vendor: they go there as they were sent."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import msgspec

from aichat_server.compat.domain.asked import Asked
from aichat_server.compat.domain.bodies import JsonBody
from aichat_server.compat.domain.keeping import CONVERSATION
from aichat_server.compat.domain.sent_heads import SentHead, check_priced
from aichat_server.compat.domain.sent_media import Media, media_of
from aichat_server.content.parts import AudioPart, DocumentPart, ImagePart, Link, Part, Role, StoredFile
from aichat_server.core.errors import AichatError, invalid_request
from aichat_server.files.service.files import look
from aichat_server.generations.service.model_choice import ModelChoice
from aichat_server.identity.domain.principals import Principal
from aichat_server.models.domain.models import Model
from aichat_server.providers.domain.requests import ChatOptions, PathMessage, WebSearch
from aichat_server.providers.domain.verbatim import SentRequest, VendorApi
from aichat_server.providers.service.counting import TokenCounter
from aichat_server.providers.service.models import MOST_SEARCHES

DEFAULT_OUTPUT_TOKENS = 32_000
"""The limit of an answer whose request has none: vendors' own defaults are more than most quotas hold."""
HEADERS: Mapping[VendorApi, tuple[str, ...]] = MappingProxyType(
    {
        VendorApi.MESSAGES: ("anthropic-version", "anthropic-beta"),
        VendorApi.RESPONSES: ("openai-beta", "x-codex-beta-features", "x-codex-turn-metadata"),
        VendorApi.CHAT_COMPLETIONS: ("openai-beta",),
    }
)
"""The headers that are for the vendor."""
_MESSAGES: Mapping[VendorApi, tuple[str, ...]] = MappingProxyType(
    {
        VendorApi.MESSAGES: ("messages", "system"),
        VendorApi.RESPONSES: ("input",),
        VendorApi.CHAT_COMPLETIONS: ("messages",),
    }
)
"""The fields that may have media."""
_KEPT = ("previous_response_id", "conversation", "store", "background")
"""They name what the vendor does not have, or ask to keep the turn: its parts are needed for that."""
_STORED_FILE = re.compile(rb'"file_id"\s*:\s*"[0-9a-f]{64}"')
"""Names a file that FileService stores."""
_UNSET = (None, msgspec.Raw(b"null"), msgspec.Raw(b"false"))
_OUR_MARK = re.compile(rb'"aichat(?::|\.1\.)')
"""How the marks begin that this platform has written into answers: see anthropic.marks and openai_responses_marks."""
# What is shorter is decoded at once: a thread would take longer.
_SHORT = 16 * 1024


class Verbatim:
    """Decides which requests go to their vendors as they were sent."""

    def __init__(self, choice: ModelChoice, counter: TokenCounter, unpriced: frozenset[str]) -> None:
        """`unpriced`: the features that are allowed though they have no price, as in AICHAT_UNPRICED_FEATURES."""
        self._choice = choice
        self._counter = counter
        self._unpriced = unpriced

    async def asked(
        self, principal: Principal, api: VendorApi, body: JsonBody, headers: Mapping[str, str]
    ) -> Asked | None:
        """Returns what the request asks; None if its parts are needed, or its vendor has another API.

        Raises MODEL_UNKNOWN, MODEL_NOT_IN_PLAN, REQUEST_INVALID, and OPTION_UNSUPPORTED for what has no price.
        """
        model = self._model(principal, api, body, headers)
        if model is None:
            return None
        head = body.read(SentHead)
        if api is VendorApi.MESSAGES and head.max_tokens is None:
            raise invalid_request("max_tokens", "is required")
        offered = head.offered()
        check_priced(body, head, offered, api, self._unpriced)
        sent, parts = await _read(api, body, head, headers)
        searches = head.searches(offered, MOST_SEARCHES)
        options = ChatOptions(
            max_output_tokens=_limit(model, head),
            service_tier=head.tier if "service_tier" not in self._unpriced else None,
            web_search=WebSearch(searches) if searches else None,
        )
        return Asked(model.id, (PathMessage(Role.USER, tuple(parts)),) if parts else (), options, sent=sent)

    async def count(
        self, principal: Principal, api: VendorApi, body: JsonBody, headers: Mapping[str, str]
    ) -> bytes | None:
        """Returns the vendor's count of a request's tokens, as it came; None if its vendor does not speak the API.

        Raises VendorRefusalError, and what `asked` raises.
        """
        model = self._model(principal, api, body, headers)
        if model is None:
            return None
        head = body.read(SentHead)
        check_priced(body, head, head.offered(), api, self._unpriced)
        sent = SentRequest(api, head.model, body.fields, _for_vendor(api, headers))
        return await self._counter.count_as_sent(model, sent)

    def _model(self, principal: Principal, api: VendorApi, body: JsonBody, headers: Mapping[str, str]) -> Model | None:
        if CONVERSATION in headers or any(body.fields.get(name) not in _UNSET for name in _KEPT):
            return None
        if _OUR_MARK.search(body.raw) or _STORED_FILE.search(body.raw):
            # The vendor would refuse marks of other vendors, which are left out or turned back into its own, and does
            # not have the platform's files.
            return None
        model = self._choice.model(principal, body.read(_Named).model)
        return model if self._choice.speaks(model, api) else None


class _Named(msgspec.Struct):
    model: str


async def _read(
    api: VendorApi, body: JsonBody, head: SentHead, headers: Mapping[str, str]
) -> tuple[SentRequest, Sequence[Part]]:
    media = [one for name in _MESSAGES[api] for one in media_of(body.fields.get(name), name)]
    wants_usage = not head.stream or (head.stream_options is not None and bool(head.stream_options.include_usage))
    sent = SentRequest(
        api=api,
        model=head.model,
        fields=body.fields,
        headers=_for_vendor(api, headers),
        text_bytes=len(body.raw) - sum(len(one.base64) for one in media),
        streams=bool(head.stream),
        wants_usage=wants_usage,
    )
    return sent, [await _part(one) for one in media]


def _for_vendor(api: VendorApi, headers: Mapping[str, str]) -> Mapping[str, str]:
    return dict(_found(HEADERS[api], headers))


def _found(names: Sequence[str], headers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((name, headers[name]) for name in names if name in headers)


def _limit(model: Model, head: SentHead) -> int:
    """Returns the most tokens that the answer may have."""
    most = min(model.max_output_tokens, model.context_window or model.max_output_tokens)
    # The other half of a small context is for the conversation.
    default = min(DEFAULT_OUTPUT_TOKENS, model.context_window // 2 or DEFAULT_OUTPUT_TOKENS)
    return max(1, min(head.limit or default, most))


async def _part(media: Media) -> Part:
    """Returns a part that costs what the vendor counts for the medium, at most."""
    source = await _file(media) if media.base64 else Link("")
    match media.kind:
        case "image":
            return ImagePart(source)
        case "audio" if isinstance(source, StoredFile):
            return AudioPart(source)
        case _:
            return DocumentPart(source)


async def _file(media: Media) -> StoredFile:
    try:
        if len(media.base64) <= _SHORT:
            data = base64.b64decode(media.base64)
        else:
            data = await asyncio.to_thread(base64.b64decode, media.base64)
        return await look(data, media.field)
    except (AichatError, binascii.Error):
        # Whatever it is, the vendor says what it takes. Its size is more than it counts.
        return StoredFile("", "application/octet-stream", len(media.base64), seconds=len(media.base64))
