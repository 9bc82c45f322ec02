"""A FastAPI application that relays answers to browsers, word by word.

`uvicorn fastapi_relay:app` serves it. The client reads AICHAT_ENDPOINT and AICHAT_API_KEY.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aichat_sdk import AIChatError, AsyncAIChat, ChatStream
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, StreamingResponse


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Makes one client for all requests."""
    async with AsyncAIChat() as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/ask")
async def ask(request: Request, text: str) -> StreamingResponse:
    """Answers by server-sent events."""
    client: AsyncAIChat = request.app.state.client
    stream = client.chat.stream(model="claude-haiku-5-5", text=text, cancel_on_disconnect=True)
    # Opened here, so that a refusal is still an error of HTTP.
    await stream.open()
    return StreamingResponse(relayed(stream), media_type="text/event-stream")


async def relayed(stream: ChatStream) -> AsyncIterator[str]:
    """Yields the events for the browser; closes the stream if it leaves."""
    async with stream:
        try:
            async for text in stream.text_stream:
                yield f"data: {json.dumps({'text': text})}\n\n"
            yield "event: done\ndata: {}\n\n"
        except AIChatError as error:
            yield f"event: error\ndata: {json.dumps({'reason': error.reason})}\n\n"


@app.exception_handler(AIChatError)
async def refused(_: Request, error: AIChatError) -> JSONResponse:
    """Answers what failed before the first word."""
    return JSONResponse({"reason": error.reason, "message": error.message}, status_code=502)
