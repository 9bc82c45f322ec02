"""A task of Celery that asks a model, and may run again without asking twice."""

from __future__ import annotations

import uuid
from functools import cache

from aichat_sdk import AIChat, UnavailableError, message_text
from celery import Celery, Task

app = Celery("recipes", broker="redis://127.0.0.1")


@cache
def client() -> AIChat:
    """Returns the process's client: a worker forks its processes before their first task."""
    return AIChat()


@app.task(bind=True, autoretry_for=(UnavailableError,), retry_backoff=True, acks_late=True)
def summarize(self: Task, text: str) -> str:
    """Returns a summary. The task's id is the request's: a task that runs again gets the same answer, charged once."""
    request_id = str(uuid.uuid5(uuid.NAMESPACE_OID, self.request.id))
    message = client().chat.send(model="gpt-6-luna", text=f"Summarize:\n\n{text}", request_id=request_id)
    return message_text(message)
