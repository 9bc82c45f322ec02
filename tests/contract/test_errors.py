"""The table of errors agrees with the contract, and the contract's comments agree with the table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from aichat.v1 import errors_pb2
from aichat_server.core.errors import AichatError, FieldViolation, Reason
from aichat_server.transport.errors import STATUS_CODES, to_status
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, QuotaFailure
from grpc import StatusCode

PREFIX = "ERROR_REASON_"
UNSPECIFIED = f"{PREFIX}UNSPECIFIED"
PROTO = Path(__file__).resolve().parents[2] / "protos" / "aichat" / "v1" / "errors.proto"


def documented() -> dict[str, StatusCode]:
    """Returns the status at the beginning of each value's comment."""
    pattern = r"((?:  // .*\n)+)  ERROR_REASON_(\w+) = \d+;"
    found = {name: comment for comment, name in re.findall(pattern, PROTO.read_text())}
    found.pop("UNSPECIFIED")
    statuses = {name: re.match(r"  // ([A-Z_]+)\. ", comment) for name, comment in found.items()}
    return {name: StatusCode[match[1]] for name, match in statuses.items() if match}


def test_every_reason_of_the_contract_is_one_of_the_domain_and_back() -> None:
    names = set(errors_pb2.ErrorReason.keys()) - {UNSPECIFIED}
    assert names == {PREFIX + reason.name for reason in Reason}
    assert all(reason.value == reason.name for reason in Reason)


def test_every_reason_has_the_status_that_its_comment_names() -> None:
    assert {reason.name: code for reason, code in STATUS_CODES.items()} == documented()
    assert set(STATUS_CODES) == set(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_a_status_has_reason_domain_and_metadata(reason: Reason) -> None:
    status = to_status(AichatError(reason, "what to do", metadata={"key": "value"}))
    info = ErrorInfo()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain, dict(info.metadata)) == (reason.name, "aichat.v1", {"key": "value"})
    assert (status.code, status.message, len(status.details)) == (STATUS_CODES[reason].value[0], "what to do", 1)


def test_a_status_fits_into_the_trailers_that_clients_take() -> None:
    violations = [FieldViolation(f"parts[{index}].text.text", "must hold more than white space") for index in range(64)]
    status = to_status(AichatError(Reason.REQUEST_INVALID, "no", violations=violations))
    bad = BadRequest()
    assert status.details[1].Unpack(bad)
    assert bad.field_violations[0].field == "parts[0].text.text"
    assert status.ByteSize() < 4096


def test_an_exhausted_quota_names_its_owner() -> None:
    status = to_status(AichatError(Reason.QUOTA_EXCEEDED, "wait", quota_subject="member:1"))
    failure = QuotaFailure()
    assert status.details[1].Unpack(failure)
    assert [(one.subject, one.description) for one in failure.violations] == [("member:1", "wait")]
