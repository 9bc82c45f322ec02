"""The bodies of requests that go to a vendor as they were sent: only what is the platform's to say changes."""

from __future__ import annotations

from typing import assert_never

import msgspec

from aichat_server.providers.domain.requests import ProviderRequest
from aichat_server.providers.domain.verbatim import SentRequest, VendorApi

_Fields = dict[str, msgspec.Raw]

_FALSE, _TRUE = msgspec.Raw(b"false"), msgspec.Raw(b"true")
_UNSET = (msgspec.Raw(b"null"), None)
_ENCRYPTED = "reasoning.encrypted_content"


def sent_body(sent: SentRequest, request: ProviderRequest, *, is_own: bool) -> bytes:
    """Returns the body that the vendor gets.

    `request`: its model, its limit, and whether it reasons. `is_own`: the vendor is the one whose API it is.
    """
    fields = dict(sent.fields) | {"model": _raw(request.model), "stream": _TRUE}
    match sent.api:
        case VendorApi.MESSAGES:
            _limit(fields, "max_tokens", request)
            # Capacity bought ahead has other prices.
            fields["service_tier"] = _raw("standard_only")
        case VendorApi.RESPONSES:
            _limit(fields, "max_output_tokens", request)
            _standard_tier(fields)
            _as_stateless(fields, reasons=request.reasons)
        case VendorApi.CHAT_COMPLETIONS:
            _limit(fields, _limit_name(fields, is_own=is_own), request)
            fields["stream_options"] = _with_usage(fields.get("stream_options"))
            if fields.get("store") not in _UNSET:
                fields["store"] = _FALSE
            if is_own:
                _standard_tier(fields)
        case _:
            assert_never(sent.api)
    return msgspec.json.encode(fields)


def counted_body(sent: SentRequest, model: str) -> bytes:
    """Returns the body of a request that counts the tokens of another."""
    return msgspec.json.encode(dict(sent.fields) | {"model": _raw(model)})


def _limit(fields: _Fields, name: str, request: ProviderRequest) -> None:
    """Sets the limit of the output if it is missing, or more than the hold covers."""
    told = fields.get(name)
    asked = msgspec.json.decode(told) if told is not None else None
    if asked is None or (isinstance(asked, int) and asked > request.max_output_tokens):
        fields[name] = _raw(request.max_output_tokens)


def _limit_name(fields: _Fields, *, is_own: bool) -> str:
    """Returns the name of the limit. The old one is renamed for OpenAI, whose reasoning models refuse it."""
    new, old = "max_completion_tokens", "max_tokens"
    if is_own:
        told = fields.pop(old, None)
        if fields.get(new) in _UNSET and told is not None:
            fields[new] = told
        return new
    return new if fields.get(new) not in _UNSET else old


def _standard_tier(fields: _Fields) -> None:
    """Asks for the standard class of service unless the caller names one: an account may be set to a dearer one."""
    if fields.get("service_tier") in (*_UNSET, _raw("auto")):
        fields["service_tier"] = _raw("default")


def _as_stateless(fields: _Fields, *, reasons: bool) -> None:
    """Has OpenAI store nothing, and so return what the next request needs of the model's reasoning."""
    stored = fields.get("store") != _FALSE
    fields["store"] = _FALSE
    fields.pop("background", None)
    if stored and reasons:
        told = fields.get("include")
        included = [] if told in _UNSET else msgspec.json.decode(told)
        # What is no list, OpenAI refuses.
        if isinstance(included, list) and _ENCRYPTED not in included:
            fields["include"] = _raw([*included, _ENCRYPTED])


def _with_usage(options: msgspec.Raw | None) -> msgspec.Raw:
    told = msgspec.json.decode(options, type=_Fields | None) or {} if options is not None else {}
    return _raw(told | {"include_usage": _TRUE})


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))
