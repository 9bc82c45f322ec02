"""Runs the recipes as their frameworks do, against a platform in memory."""

from __future__ import annotations

import ast
import asyncio
import json
from pathlib import Path

import aichat_sdk
import celery_task
import django
import django_view
import httpx
import pytest
from aichat_sdk import NotFoundError, ProviderError, UnavailableError
from aichat_sdk.testing import FakePlatform
from django.conf import settings
from django.test import RequestFactory
from fastapi_relay import app

if not settings.configured:
    settings.configure(ALLOWED_HOSTS=["testserver"])
    django.setup()


@pytest.fixture
def platform(monkeypatch: pytest.MonkeyPatch) -> FakePlatform:
    platform = FakePlatform()
    for module in (django_view, celery_task):
        monkeypatch.setattr(module, "AIChat", platform.client)
        module.client.cache_clear()
    return platform


def test_fastapi(platform: FakePlatform) -> None:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as browser:
            app.state.client = platform.async_client()
            return await browser.post("/ask", params={"text": "Hi"})

    platform.answer("Hel", "lo")
    assert asyncio.run(ask()).text == 'data: {"text": "Hel"}\n\ndata: {"text": "lo"}\n\nevent: done\ndata: {}\n\n'
    platform.answer("Hel", ProviderError("overloaded", reason="PROVIDER_OVERLOADED"))
    assert asyncio.run(ask()).text.endswith('event: error\ndata: {"reason": "PROVIDER_OVERLOADED"}\n\n')
    platform.fail(NotFoundError("there is no such model", reason="MODEL_UNKNOWN"))
    refused = asyncio.run(ask())
    assert (refused.status_code, refused.json()["reason"]) == (502, "MODEL_UNKNOWN")


def test_django(platform: FakePlatform) -> None:
    platform.answer("Hel", "lo")
    platform.answer("Hel", "lo")
    response = django_view.ask(RequestFactory().get("/ask", {"text": "Hi"}))
    assert b"".join(response) == b"Hello"
    left = django_view.ask(RequestFactory().get("/ask", {"text": "Hi"}))
    assert next(iter(left)) == b"Hel"
    left.close()


def test_celery(platform: FakePlatform) -> None:
    platform.fail(UnavailableError("down", reason="SERVER_UNAVAILABLE", retry_after=1000))
    platform.answer("Short.")
    celery_task.app.conf.task_always_eager = True
    assert celery_task.summarize.delay("A long text.").get() == "Short."
    requests = {call.request.request_id for call in platform.calls}
    assert len(platform.calls) == 2
    assert len(requests) == 1


def test_notebook(platform: FakePlatform, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    cells = json.loads((Path(__file__).parent / "notebook.ipynb").read_text())["cells"]
    monkeypatch.setattr(aichat_sdk, "AIChat", platform.client)
    monkeypatch.setattr(aichat_sdk, "AsyncAIChat", platform.async_client)
    platform.answer("Rhine, Nile, Po")
    platform.answer("Como")

    async def run() -> None:
        variables: dict[str, object] = {}
        for cell in cells:
            if cell["cell_type"] == "code":
                # As a notebook's kernel does it: in an event loop that runs, with `await` allowed at the top.
                code = compile("".join(cell["source"]), "cell", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
                waiting = eval(code, variables)  # noqa: S307
                if asyncio.iscoroutine(waiting):
                    await waiting

    asyncio.run(run())
    assert capsys.readouterr().out == "Rhine, Nile, PoComo\n"
