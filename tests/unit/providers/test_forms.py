"""Tools, the choice among them, and schemas: what no vendor accepts is refused, at a cost that does not grow."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aichat_server.core.errors import AichatError, Reason
from aichat_server.providers.domain.forms import MOST_TOOL_BYTES, check_forms
from aichat_server.providers.domain.requests import ChatOptions, ResponseFormat, Tool, ToolChoice, ToolChoiceMode
from aichat_server.providers.domain.schemas import MOST_LEVELS, MOST_NODES, SchemaError, answer_schema, check_parameters

Schema = dict[str, Any]
OBJECT = '{"type":"object"}'
CITY: Schema = {
    "type": "object",
    "properties": {"city": {"$ref": "#/$defs/name"}, "days": {"type": "array", "items": {"$ref": "#/%24defs/name"}}},
    "required": ["city"],
    "additionalProperties": False,
    "$defs": {"name": {"type": "string", "pattern": "^[A-Z]"}},
}


def nested(levels: int) -> Schema:
    """A schema with that many schemas inside one another."""
    schema: Schema = {"type": "string"}
    for _ in range(levels - 1):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


def chain(links: int, *, width: int) -> Schema:
    """A schema with definitions that each refer `width` times to the next."""
    defs: Schema = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * width} for n in range(links)}
    return {"type": "object", "$defs": {**defs, f"d{links}": {}}, "properties": {"a": {"$ref": "#/$defs/d0"}}}


def object_with(**keywords: object) -> Schema:
    return {"type": "object", **keywords}


GOOD = (
    CITY,
    nested(MOST_LEVELS),
    chain(3, width=3),
    object_with(properties={"$ref": {"type": "string"}, "pattern": {}}),
)
# A tool of Claude Code has it.
LONG_PATTERN = object_with(
    properties={"to": {"allOf": [{"pattern": "^[^\\n\\r]*$"}, {"pattern": "^[\\s\\S]{0,300}$"}]}}
)
BAD = {
    "no JSON": "{",
    "brackets": "[" * 60_000,
    "braces": '{"type":"object","a":' * 2_500 + "1" + "}" * 2_500,
    "no object": '["object"]',
    "another type": '{"type":"array"}',
    "not by the meta-schema": object_with(properties={"a": {"type": "strin"}}),
    "too deep": nested(MOST_LEVELS + 1),
    "too many values": object_with(enum=list(range(MOST_NODES))),
    "too many patterns": object_with(properties={f"a{n}": {"pattern": "(a{50}){50}"} for n in range(1_000)}),
    "refers to itself": object_with(properties={"a": {"$ref": "#"}}),
    "refers in a circle": object_with(
        **{"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}
    ),
    "grows by references": chain(12, width=2),
    "a long chain": chain(1_200, width=1),
    "leaves the document": object_with(**{"$ref": "https://example.com/schema"}),
    "leads nowhere": object_with(**{"$ref": "#/$defs/no"}),
    "another language": object_with(**{"$schema": "https://example.com/language"}),
}


@pytest.mark.parametrize("schema", GOOD)
def test_schemas_that_vendors_accept_are_accepted(schema: Schema) -> None:
    assert check_parameters(json.dumps(schema)) > 1
    answer_schema(json.dumps(schema))


def test_long_patterns_of_tools_are_accepted_and_count_more() -> None:
    short = json.dumps(LONG_PATTERN).replace("300", "3")
    assert check_parameters(json.dumps(LONG_PATTERN)) == 4 * check_parameters(short)


@pytest.mark.parametrize("name", BAD)
def test_p19_a_schema_is_refused_before_it_costs_much(name: str) -> None:
    schema = BAD[name]
    text = schema if isinstance(schema, str) else json.dumps(schema)
    assert len(text) < 65_536
    with pytest.raises(SchemaError, match=r"^must "):
        check_parameters(text)


def refused(options: ChatOptions) -> str:
    """The field that the refusal names."""
    with pytest.raises(AichatError) as caught:
        check_forms(options)
    assert caught.value.reason is Reason.REQUEST_INVALID
    return caught.value.violations[0].field


ONE = ToolChoiceMode.ONE
A, B = Tool("a"), Tool("b", parameters=OBJECT)
LARGE = tuple(Tool(f"t{n}", "d" * (MOST_TOOL_BYTES // 100)) for n in range(100))
FULL = json.dumps(object_with(enum=list(range(MOST_NODES // 2))))
REFUSED = {
    "options.tools[1].name": ChatOptions(tools=(A, A)),
    "options.tools[1].parameters": ChatOptions(tools=(B, Tool("c", parameters="{"))),
    "options.tools": ChatOptions(tools=LARGE),
    "options.tool_choice": ChatOptions(tool_choice=ToolChoice(ToolChoiceMode.AUTO)),
    "options.tool_choice.name": ChatOptions(tools=(A,), tool_choice=ToolChoice(ONE, "b")),
    "options.response_format.json_schema": ChatOptions(response_format=ResponseFormat("{}")),
}


@pytest.mark.parametrize("field", REFUSED)
def test_forms_that_no_vendor_accepts_are_refused_by_their_field(field: str) -> None:
    assert refused(REFUSED[field]) == field


def test_other_refusals_of_tools() -> None:
    assert refused(ChatOptions(tools=(A,), tool_choice=ToolChoice(ONE))) == "options.tool_choice.name"
    named = ChatOptions(tools=(A,), tool_choice=ToolChoice(ToolChoiceMode.REQUIRED, "a"))
    assert refused(named) == "options.tool_choice.name"
    assert refused(ChatOptions(tools=tuple(Tool(f"t{n}", parameters=FULL) for n in range(12)))) == "options.tools"
    assert check_forms(ChatOptions(tools=(A, B), tool_choice=ToolChoice(ONE, "b"))) is None


def test_an_answer_is_checked_and_the_fault_does_not_repeat_it() -> None:
    schema = check_forms(ChatOptions(response_format=ResponseFormat(json.dumps(CITY))))
    assert schema is not None
    assert schema.fault('{"city": "Bonn", "days": ["Monday"]}') is None
    for answer in ('{"city": "secret"}', '{"secret": "Bonn"}', '{"city": "Bonn", "secret": 1}', "secret", "[" * 50_000):
        fault = schema.fault(answer)
        assert fault
        assert "secret" not in fault
