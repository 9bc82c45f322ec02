"""Tools that models may call, from Python functions."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Annotated, Any, Self, get_args, get_origin, get_type_hints

import msgspec

from aichat_sdk._docstring import read_docstring
from aichat_sdk._schema import schema_of, value_of
from aichat_sdk._threads import in_thread

__all__ = ["Tool", "tool_of"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a model may call, with the JSON Schema of its arguments.

    `Tool.from_function(f)` makes it from a typed function; `tools=[f]` does the same.
    """

    name: str
    """What the model calls it: letters, digits, "_" and "-", at most 64."""
    description: str = ""
    """What it does and when to call it, for the model."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """The JSON Schema of its arguments: an object schema; empty: no arguments."""
    function: Callable[..., Any] | None = None
    """Gets the arguments by their names. None: the caller answers the calls, and `run_tools` does not take the tool."""
    _arguments: type[Any] | None = field(default=None, repr=False, compare=False)
    """The type of all arguments together; None: no other check than that they are a JSON object."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f'{self.name!r} is no name of a tool: it takes letters, digits, "_" and "-", at most 64')

    @classmethod
    def from_function(
        cls, function: Callable[..., Any], *, name: str | None = None, description: str | None = None
    ) -> Self:
        """Takes name and description from the function and its docstring, and the schema from its annotations.

        A parameter's description is a string in its `Annotated`, or what the docstring says. Parameters with a default
        are optional. Raises TypeError, naming the parameter, if its annotation is missing or has no JSON Schema.
        """
        named = name if name is not None else getattr(function, "__name__", "")
        said, descriptions = read_docstring(function)
        arguments = _arguments_of(function, named, descriptions)
        schema = schema_of(arguments)
        schema.pop("title")
        return cls(named, said if description is None else description, schema, function, arguments)

    async def call(self, arguments: str) -> Any:
        """Calls the function with arguments as JSON text, and returns its result.

        A function that is not asynchronous runs in a thread. Raises ValueError if the arguments are invalid, and what
        the function raises.
        """
        if self.function is None:
            raise TypeError(f"the tool {self.name} has no function")
        given = self._read(arguments if arguments.strip() else "{}")
        if inspect.iscoroutinefunction(self.function):
            return await self.function(**given)
        result = await in_thread(self.function, **given)
        return await result if inspect.isawaitable(result) else result

    def _read(self, arguments: str) -> dict[str, Any]:
        if self._arguments is None:
            return value_of(dict[str, Any], arguments)
        read = value_of(self._arguments, arguments)
        values = {name: getattr(read, name) for name in read.__struct_fields__}
        return {name: value for name, value in values.items() if value is not msgspec.UNSET}


def tool_of(tool: object) -> Tool:
    """Returns a tool unchanged, and makes one from a function; raises TypeError or ValueError if it cannot be one."""
    if isinstance(tool, Tool):
        return tool
    if not callable(tool):
        raise TypeError(f"a tool must be a function or a Tool, not {type(tool).__name__}")
    return Tool.from_function(tool)


def _arguments_of(function: Callable[..., Any], name: str, descriptions: Mapping[str, str]) -> type[Any]:
    """Returns a type whose fields are the function's parameters."""
    try:
        hints = _hints(function)
        parameters = inspect.signature(function).parameters.values()
    except (NameError, TypeError, ValueError) as error:
        raise TypeError(f"the annotations of {name} cannot be read: {error}") from error
    fields: list[tuple[str, Any] | tuple[str, Any, Any]] = []
    for parameter in parameters:
        annotation = _annotation(name, parameter, hints, descriptions.get(parameter.name, ""))
        if parameter.default is parameter.empty:
            fields.append((parameter.name, annotation))
        else:
            # The function's own default applies, whatever it is: the model does not see it.
            fields.append((parameter.name, annotation, msgspec.field(default_factory=_left_out)))
    return msgspec.defstruct("arguments", fields, kw_only=True, forbid_unknown_fields=True)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Returns the annotations of the parameters; the one of the result may name what exists for type checkers only."""
    inner: Any = inspect.unwrap(function)
    told = {name: hint for name, hint in getattr(inner, "__annotations__", {}).items() if name != "return"}
    holder = SimpleNamespace(__annotations__=told)
    return get_type_hints(holder, globalns=getattr(inner, "__globals__", {}), include_extras=True)


def _annotation(name: str, parameter: inspect.Parameter, hints: Mapping[str, Any], description: str) -> Any:
    place = f"{name}: the parameter {parameter.name!r}"
    if parameter.kind not in _NAMED:
        raise TypeError(f"{place} must be one that is passed by its name")
    if parameter.name not in hints:
        raise TypeError(f"{place} has no annotation")
    annotation = hints[parameter.name]
    base, *metadata = get_args(annotation) if get_origin(annotation) is Annotated else (annotation,)
    said = next((one for one in metadata if isinstance(one, str)), description)
    if said:
        # First, so that the description of a `msgspec.Meta` among the rest replaces it.
        metadata.insert(0, msgspec.Meta(description=said))
    described = Annotated[(base, *metadata)] if metadata else base
    try:
        schema_of(described)
    except TypeError as error:
        raise TypeError(f"{place} has an unsupported annotation: {error}") from error
    return described


def _left_out() -> Any:
    return msgspec.UNSET
