"""Checks requests against the rules beside the contract's fields."""

from __future__ import annotations

from google.protobuf.message import Message
from protovalidate import EvaluationError, Validator, Violation

from aichat_server.core.errors import AichatError, FieldViolation, Reason


class Validation:
    """Checks request messages."""

    def __init__(self) -> None:
        self._validator = Validator()

    def check(self, request: object) -> None:
        """Raises REQUEST_INVALID with every field that breaks a rule."""
        if not isinstance(request, Message):
            raise TypeError(f"a request is a protobuf message, not {type(request).__name__}")
        try:
            violations = self._validator.collect_violations(request)
        except EvaluationError as cause:
            # A rule that cannot be evaluated for a value counts as broken.
            message = "the request is not valid: its values lie beyond what the contract's rules allow"
            raise AichatError(Reason.REQUEST_INVALID, message) from cause
        if violations:
            fields = [_field_violation(violation) for violation in violations]
            first = f"{fields[0].field} {fields[0].description}".strip()
            raise AichatError(Reason.REQUEST_INVALID, f"the request is not valid: {first}", violations=fields)


def _field_violation(violation: Violation) -> FieldViolation:
    return FieldViolation(field=_path(violation), description=violation.proto.message)


def _path(violation: Violation) -> str:
    """Returns the field's path, for example `parts[0].text.text`; empty if the rule is about the whole request."""
    path = ""
    elements = violation.proto.field.elements if violation.proto.field else ()
    for element in elements:
        path += f".{element.field_name}" if path else element.field_name
        subscript = element.subscript
        if subscript is not None:
            path += f"[{subscript.value}]"
    return path
