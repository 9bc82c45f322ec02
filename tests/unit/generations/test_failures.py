"""What the errors of answers that broke off say."""

from __future__ import annotations

from uuid import UUID

from aichat_server.generations.service.failures import invalid


def test_an_answer_that_breaks_its_schema_is_called_stored_only_where_it_is() -> None:
    kept = invalid(UUID(int=1), "openai", {"conversation_id": "c"}, "no city")
    assert kept.message == "the answer does not follow response_format, and is stored as it is: no city"
    assert (
        invalid(UUID(int=1), "openai", {}, "no city").message == "the answer does not follow response_format: no city"
    )
