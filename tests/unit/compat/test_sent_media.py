"""The media of requests that go to their vendors as they were sent."""

from __future__ import annotations

import msgspec
import pytest
from aichat_server.compat.domain.sent_media import Media, media_of
from aichat_server.core.errors import AichatError


def found(block: object) -> list[Media]:
    return media_of(msgspec.Raw(msgspec.json.encode([{"role": "user", "content": [block]}])), "messages")


def test_a_file_of_the_vendors_is_refused_unless_its_own_program_made_it() -> None:
    image = {"type": "image", "source": {"type": "file", "file_id": "file_1"}}
    for block in (image, {"type": "tool_result", "content": [image]}, {"type": "container_upload", "file_id": "f"}):
        with pytest.raises(AichatError):
            found(block)
    output = {"type": "bash_code_execution_output", "file_id": "file_1"}
    made = {"type": "bash_code_execution_result", "content": [output]}
    assert found({"type": "bash_code_execution_tool_result", "content": made}) == []
