"""Generated requests, valid and not, to every path of the OpenAPI document.

None breaks a server, and each answer is one that the document describes.

`make fuzz` sends many of them, `make test` a few.
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path
from uuid import uuid4

from aichat_sandbox.platform import Platform

HERE = Path(__file__).parent
# As a module, since a script would name the folder that it was installed in.
SCHEMATHESIS = (str(HERE / ".venv/bin/python"), "-m", "schemathesis.cli")
CHECKS = "not_a_server_error,content_type_conformance,response_schema_conformance,status_code_conformance"
FEW = ("--phases", "fuzzing", "--max-examples", "2", "--seed", "1")
MANY = ("--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "200", "--max-time", "1500")
# Generated credentials would count instead of the key, and nearly no request would be read.
KNOWN = ("--generation-with-security-parameters", "false")


async def test_every_generated_request_is_answered_as_the_document_says(platform: Platform, tmp_path: Path) -> None:
    key = (await platform.server.mint_key(f"Generated {uuid4()}"))["api_key"]
    how = MANY if os.environ.get("AICHAT_FUZZ") == "full" else FEW
    where = (f"{platform.http}/openapi.json", "--header", f"authorization: Bearer {key}")
    told = ("--checks", CHECKS, "--continue-on-failure", "--request-timeout", "60", "--warnings", "off", "--no-color")
    command = (*SCHEMATHESIS, "run", *where, *KNOWN, *told, *how)
    running = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, stdout=PIPE, stderr=STDOUT)
    output, _ = await running.communicate()
    sys.stdout.write(output.decode())
    assert running.returncode == 0
    assert b"No issues found" in output
