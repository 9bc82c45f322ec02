"""Answers that are values of a Python type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic

from typing_extensions import TypeVar

from aichat_sdk._checking import refusal
from aichat_sdk._params import ChatParams
from aichat_sdk._proto.aichat.v1 import Message, StopReason
from aichat_sdk._reading import message_text
from aichat_sdk._schema import schema_of, value_of
from aichat_sdk.errors import AnswerInvalidError, ArgumentError

OutputT = TypeVar("OutputT", default=Any)


@dataclass(frozen=True, slots=True)
class TypedAnswer(Generic[OutputT]):
    """An answer that is a value."""

    message: Message
    """The answer as stored, with its usage and cost."""
    output: OutputT
    """Its value."""


class Output(Generic[OutputT]):
    """The type of an answer's value."""

    def __init__(self, kind: type[OutputT]) -> None:
        """Raises ArgumentError if the type has no JSON Schema, or if its values are not JSON objects."""
        self._kind = kind
        self._name = getattr(kind, "__name__", str(kind))
        try:
            self.schema: Mapping[str, Any] = schema_of(kind)
        except TypeError as error:
            raise refusal("output_type", f"cannot be used: {error}") from error
        if self.schema.get("type") != "object":
            kinds = "a dataclass, a TypedDict, a Struct of msgspec or a model of Pydantic"
            raise refusal("output_type", f"must be {kinds}, not {self._name}")

    def asked(self, params: ChatParams) -> ChatParams:
        """Returns the parameters of a call, with the schema."""
        if params.get("response_format") is not None:
            raise ArgumentError("the form of an answer is either `response_format` or `output_type`: pass one")
        return {**params, "response_format": self.schema}

    def read(self, message: Message) -> OutputT:
        """Returns the answer's value; raises AnswerInvalidError if the answer has none of this type."""
        try:
            return value_of(self._kind, message_text(message))
        except ValueError as error:
            calls = message.stop_reason is StopReason.TOOL_USE
            wrong = "it calls tools" if calls else str(error)
            ids = {"generation_id": message.generation_id, "conversation_id": message.conversation_id}
            raise AnswerInvalidError(f"the answer is no {self._name}: {wrong}", metadata=ids) from error


def output_of(output: Output[OutputT] | None, message: Message) -> OutputT:
    """Returns an answer's value; raises TypeError if the call had no `output_type`."""
    if output is None:
        raise TypeError("the answer has no type: pass the call an `output_type`")
    return output.read(message)
