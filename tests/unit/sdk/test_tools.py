"""Tools from typed functions: the schema that a model sees, and the values that the function gets."""

from __future__ import annotations

import dataclasses
import enum
import functools
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypedDict

import msgspec
import pytest
from aichat_sdk import Tool
from aichat_sdk._docstring import read_docstring
from pydantic import BaseModel


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Point:
    """A place on the map."""

    x: float
    y: float = 0.0


class Range(TypedDict):
    low: int
    high: int


class Person(BaseModel):
    name: str
    home: Address


class Address(BaseModel):
    city: str


@dataclasses.dataclass
class Node:
    inner: list[Node]


Person.model_rebuild()

INTEGER, TEXT, NUMBER = {"type": "integer"}, {"type": "string"}, {"type": "number"}
SCHEMAS: list[tuple[object, dict[str, Any], str, object]] = [
    (int, INTEGER, "3", 3),
    (list[int], {"type": "array", "items": INTEGER}, "[3.0, 4]", [3, 4]),
    (float, NUMBER, "3", 3.0),
    (bool, {"type": "boolean"}, "true", True),
    (None, {"type": "null"}, "null", None),
    (str, TEXT, '"a"', "a"),
    (Any, {}, "[1]", [1]),
    (Literal["a", "b"], {"enum": ["a", "b"]}, '"b"', "b"),
    (int | None, {"anyOf": [INTEGER, {"type": "null"}]}, "null", None),
    (list[int], {"type": "array", "items": INTEGER}, "[1]", [1]),
    (dict[str, int], {"type": "object", "additionalProperties": INTEGER}, '{"a": 1}', {"a": 1}),
    (
        tuple[int, str],
        {"type": "array", "prefixItems": [INTEGER, TEXT], "minItems": 2, "maxItems": 2, "items": False},
        '[1, "a"]',
        (1, "a"),
    ),
    (Annotated[int, "How many."], {"type": "integer", "description": "How many."}, "1", 1),
    (Annotated[int, msgspec.Meta(ge=1)], {"type": "integer", "minimum": 1}, "1", 1),
]  # fmt: skip
REFERENCES: list[tuple[object, str, dict[str, Any], str, object]] = [
    (Colour, "Colour", {"title": "Colour", "enum": ["blue", "red"]}, '"red"', Colour.RED),
    (
        Range,
        "Range",
        {
            "title": "Range",
            "type": "object",
            "properties": {"low": INTEGER, "high": INTEGER},
            "required": ["high", "low"],
        },
        '{"low": 1, "high": 2}',
        {"low": 1, "high": 2},
    ),
    (
        Point,
        "Point",
        {
            "title": "Point",
            "description": "A place on the map.",
            "type": "object",
            "properties": {"x": NUMBER, "y": NUMBER | {"default": 0.0}},
            "required": ["x"],
        },
        '{"x": 1.5}',
        Point(1.5),
    ),
]


def function_of(annotation: object) -> Callable[..., object]:
    def same(value: Any) -> object:
        return value

    same.__annotations__["value"] = annotation
    return same


@pytest.mark.parametrize(("annotation", "schema", "given", "got"), SCHEMAS)
async def test_an_annotation_is_a_schema_and_the_argument_is_of_its_type(
    annotation: object, schema: dict[str, Any], given: str, got: object
) -> None:
    tool = Tool.from_function(function_of(annotation))
    assert tool.parameters["properties"]["value"] == schema
    assert dict(tool.parameters) | {"properties": {}} == {
        "type": "object", "properties": {}, "required": ["value"], "additionalProperties": False
    }  # fmt: skip
    assert await tool.call(f'{{"value": {given}}}') == got


@pytest.mark.parametrize(("annotation", "name", "schema", "given", "got"), REFERENCES)
async def test_a_class_is_a_definition_of_its_name(
    annotation: object, name: str, schema: dict[str, Any], given: str, got: object
) -> None:
    tool = Tool.from_function(function_of(annotation))
    assert tool.parameters["properties"]["value"] == {"$ref": f"#/$defs/{name}"}
    definition = tool.parameters["$defs"][name]
    assert definition | {"required": sorted(definition.get("required", []))} == {"required": []} | schema
    assert await tool.call(f'{{"value": {given}}}') == got


async def test_models_of_pydantic_work_wherever_they_stand() -> None:
    tool = Tool.from_function(function_of(list[Person]))
    person = tool.parameters["properties"]["value"]["items"]
    assert person["properties"]["home"] == {"$ref": "#/$defs/Person.Address"}
    assert tool.parameters["$defs"]["Person.Address"]["properties"] == {"city": {"title": "City", "type": "string"}}
    home = {"name": "Ann", "home": {"city": "Ulm"}}
    assert await tool.call(msgspec.json.encode({"value": [home]}).decode()) == [Person.model_validate(home)]
    with pytest.raises(ValueError, match="city"):
        await tool.call('{"value": [{"name": "Ann", "home": {}}]}')


async def test_defaults_stay_the_functions_own() -> None:
    def search(words: list[str], most: int = 5, *, near: Point | None = None) -> tuple[object, ...]:
        return words, most, near

    tool = Tool.from_function(search)
    assert tool.parameters["required"] == ["words"]
    assert tool.parameters["properties"]["most"] == INTEGER
    assert await tool.call('{"words": ["a"]}') == (["a"], 5, None)
    assert await tool.call('{"words": ["a"], "near": {"x": 1}}') == (["a"], 5, Point(1.0))


async def test_a_wrapped_function_is_one_whose_result_nobody_needs_to_know() -> None:
    def find(name: str) -> "Missing":  # type: ignore[name-defined]  # noqa: F821, UP037
        return name.upper()

    @functools.wraps(find)
    def wrapper(*given: Any, **named: Any) -> Any:
        return find(*given, **named)

    tool = Tool.from_function(wrapper)
    assert (tool.name, tool.parameters["required"]) == ("find", ["name"])
    assert await tool.call('{"name": "a"}') == "A"


async def test_a_method_and_a_function_without_parameters_are_tools() -> None:
    class Clock:
        async def now(self) -> str:
            """Returns the time."""
            return "noon"

    tool = Tool.from_function(Clock().now)
    assert (tool.name, tool.description, tool.parameters["properties"]) == ("now", "Returns the time.", {})
    assert [await tool.call(text) for text in ("", "{}")] == ["noon"] * 2


untyped: Any = lambda value: value  # noqa: E731
untyped.__name__ = "untyped"


def many(*values: int) -> None:
    """Has no names."""


WRONG: list[tuple[Callable[..., object], str]] = [
    (untyped, "untyped: the parameter 'value' has no annotation"),
    (many, "many: the parameter 'values' must be one that is passed by its name"),
    (function_of("Missing"), "annotations of same cannot be read: name 'Missing'"),
    (function_of(object), "same: the parameter 'value' has an unsupported annotation: object"),
    (function_of(Callable[[], int]), "same: the parameter 'value' has an unsupported annotation"),
    (function_of(Node), "'value' has an unsupported annotation: Node holds itself"),
    (function_of(int | Person), "'value' has an unsupported annotation"),
]


@pytest.mark.parametrize(("function", "told"), WRONG)
def test_what_has_no_schema_is_refused_by_its_parameter(function: Callable[..., object], told: str) -> None:
    with pytest.raises(TypeError) as caught:
        Tool.from_function(function)
    assert told in str(caught.value)


async def test_arguments_that_are_invalid_are_a_value_error() -> None:
    tool = Tool.from_function(function_of(list[int]))
    for wrong in ('{"value": [3.5]}', '{"value": [1], "more": 2}', "[]", "{", '{"value": ' + "[" * 100_000, "\udcff"):
        with pytest.raises(ValueError, match=r"\w"):
            await tool.call(wrong)


def test_a_name_that_vendors_refuse_is_refused_at_once() -> None:
    nameless: Callable[[], None] = lambda: None  # noqa: E731
    for name in ("my tool", "a" * 65, nameless.__name__, ""):
        with pytest.raises(ValueError, match="is no name of a tool"):
            Tool.from_function(nameless, name=name)


DOCSTRINGS = {
    "google": """Finds a city.

        Reads the map.

        Args:
            city (str): The city's name,
                in English.
            country: Its country.

        Returns:
            The city: always.
        """,
    "numpy": """Finds a city.

        Reads the map.

        Parameters
        ----------
        city : str
            The city's name,
            in English.
        country : str, optional
            Its country.

        Returns
        -------
        city
            Always.
        """,
    "sphinx": """Finds a city.

        Reads the map.

        :param str city: The city's name,
            in English.
        :param country: Its country.
        :returns: The city.
        """,
}


@pytest.mark.parametrize("text", DOCSTRINGS.values(), ids=DOCSTRINGS)
def test_descriptions_come_from_docstrings_of_each_style(text: str) -> None:
    def documented() -> None: ...

    documented.__doc__ = text
    told = {"city": "The city's name, in English.", "country": "Its country."}
    assert read_docstring(documented) == ("Finds a city.\n\nReads the map.", told)


def test_a_described_parameter_has_its_description() -> None:
    def find(
        city: str, country: Annotated[str, "In two letters."], zone: Annotated[str, msgspec.Meta(description="Z")]
    ) -> None:
        """Finds.

        Args:
            city: The name.
            country: Its country.
            zone: Its zone.
        """

    found = Tool.from_function(find).parameters["properties"]
    assert {name: schema["description"] for name, schema in found.items()} == {
        "city": "The name.", "country": "In two letters.", "zone": "Z"
    }  # fmt: skip
