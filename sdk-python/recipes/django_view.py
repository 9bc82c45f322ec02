"""A view of Django that streams an answer, for WSGI servers with processes and threads."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from aichat_sdk import AIChat
from aichat_sdk.sync import ChatStream
from django.http import HttpRequest, StreamingHttpResponse


@cache
def client() -> AIChat:
    """Returns the process's client. Each worker process makes its own, at its first request, after it was forked."""
    return AIChat()


def ask(request: HttpRequest) -> StreamingHttpResponse:
    """Answers `?text=…` with plain text, word by word."""
    stream = client().chat.stream(model="gpt-6-luna", text=request.GET["text"], cancel_on_disconnect=True)
    return StreamingHttpResponse(words(stream.open()), content_type="text/plain; charset=utf-8")


def words(stream: ChatStream) -> Iterator[str]:
    """Yields the answer; Django closes it, and thereby the stream, when the browser leaves."""
    with stream:
        yield from stream.text_stream
