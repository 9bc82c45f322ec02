"""Derives a class for code without an event loop from an asynchronous one."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator

Function = ast.FunctionDef | ast.AsyncFunctionDef

# Each is replaced in docstrings, in this order.
_WORDS = (
    (r"\basync (with|for)\b", r"\1"),
    (r"\bAsyncAIChat\b", "AIChat"),
    (", or await ", ", or take "),
    ("`await` it for one page", "take its `page()`"),
    ("; awaiting the list does the same", ""),
    (r"\bawait ", ""),
)
_CLIENT = (
    '"""A client of the platform for code without an event loop. Any number of threads may use it at once.',
    "",
    "It has the methods of AsyncAIChat, and an event loop in a thread of its own, so that it also works where another",
    "event loop runs, as in a notebook. It closes itself when it is dropped, and at the end of the process. After a",
    "fork, a client that was in use before raises ClosedError.",
    "",
    "`with AIChat() as client:` closes it at the end; without the block, `client.close()` does.",
    '"""',
)
_RENAMED = {"__aiter__": "__iter__", "__anext__": "__next__", "__aenter__": "__enter__", "__aexit__": "__exit__"}
_KEPT = {"__reduce__", "__repr__"}


class SyncClass:
    """Makes the source of one class."""

    def __init__(self, found: ast.ClassDef, derived: Collection[str]) -> None:
        """`derived`: the names of all classes that are made."""
        self._found = found
        self._derived = derived
        self._methods = [node for node in found.body if isinstance(node, Function)]
        self._is_iterator = any(node.name == "__anext__" for node in self._methods)

    def source(self) -> str:
        """Returns the class."""
        bases = [ast.unparse(base) for base in self._found.bases]
        head = f"class {self.name}({', '.join(bases)}):" if bases else f"class {self.name}:"
        return "\n".join([head, *_indented([*self._docstring(), *self._constructor(), *self._rest()])])

    @property
    def name(self) -> str:
        """The name of both classes."""
        return self._found.name

    def _docstring(self) -> Iterator[str]:
        return _docstring(self._found)

    def _constructor(self) -> Iterator[str]:
        generic = next((base for base in self._found.bases if ast.unparse(base).startswith("Generic[")), None)
        parameters = ast.unparse(generic).removeprefix("Generic") if generic else ""
        inner = f"Async{self._found.name}{parameters}"
        yield f"def __init__(self, inner: {inner}, portal: Portal) -> None:"
        if any(ast.unparse(base) in self._derived for base in self._found.bases):
            yield from _indented(["super().__init__(inner, portal)", f"self._inner: {inner} = inner"])
        else:
            yield from _indented(["self._inner = inner", "self._portal = portal"])

    def _rest(self) -> Iterator[str]:
        for node in self._methods:
            if not node.name.startswith("_") or node.name in _RENAMED or node.name in _KEPT:
                yield from self.method(node, self._body(node))

    def method(self, node: Function, body: list[str]) -> Iterator[str]:
        """Yields a method with another body."""
        yield ""
        yield from (f"@{ast.unparse(decorator)}" for decorator in node.decorator_list)
        returns = ast.unparse(node.returns or ast.Constant(None)).replace("AsyncIterator[", "Iterator[")
        yield f"def {_RENAMED.get(node.name, node.name)}({ast.unparse(node.args)}) -> {returns}:"
        yield from _indented([*_docstring(node), *body])

    def _body(self, node: Function) -> list[str]:
        match node.name:
            case "__anext__":
                return ["return self._portal.next(self._inner)"]
            case "__aiter__":
                return ["return self" if self._is_iterator else "return self._portal.iterate(aiter(self._inner))"]
            case "__aexit__":
                return ["self.close()"]
            case "close":
                return ["self._portal.finish(self._inner.close())"]
        decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
        if "overload" in decorators:
            return ["..."]
        call = f"self._inner.{node.name}" + ("" if "property" in decorators else f"({passed(node.args)})")
        returns = ast.unparse(node.returns or ast.Constant(None))
        if returns == "Self":
            return [f"self._portal.run({call})", "return self"]
        return [f"return {self._converted(node, call, returns)}".removeprefix("return " if returns == "None" else "")]

    def _converted(self, node: Function, call: str, returns: str) -> str:
        if returns.startswith("AsyncIterator["):
            return f"self._portal.iterate({call})"
        if isinstance(node, ast.AsyncFunctionDef):
            return f"self._portal.run({call})"
        kind = returns.partition("[")[0]
        return f"{kind}({call}, self._portal)" if kind in self._derived else call


class SyncClient(SyncClass):
    """Makes the source of the client, which holds the services."""

    @property
    def name(self) -> str:
        """The client's name."""
        return "AIChat"

    def _docstring(self) -> Iterator[str]:
        return iter(_CLIENT)

    def _constructor(self) -> Iterator[str]:
        made = self._named("__init__")
        body = [f"inner = AsyncAIChat({passed(made.args)})", "self._hold(inner, Portal(inner.close))"]
        yield from self.method(made, body)
        yield ""
        yield "def _hold(self, inner: AsyncAIChat, portal: Portal) -> None:"
        yield from _indented(["self._inner = inner", "self._portal = portal", *self._services()])

    def _services(self) -> Iterator[str]:
        for node in self._named("_serve").body:
            match node:
                case ast.Assign(targets=[ast.Attribute(attr=name)], value=ast.Call(func=ast.Name(id=kind))) if (
                    kind in self._derived
                ):
                    yield f"self.{name} = {kind}(inner.{name}, portal)"
                case ast.Expr(value=ast.Constant()):
                    yield ast.unparse(node)

    def _body(self, node: Function) -> list[str]:
        match node.name:
            case "close":
                return ["self._portal.close()"]
            case "with_options":
                inner = f"self._inner.with_options({passed(node.args)})"
                return ["client = object.__new__(type(self))", f"client._hold({inner}, self._portal)", "return client"]
            case "__reduce__":
                return [ast.unparse(line) for line in node.body]
            case "__repr__":
                return ['return repr(self._inner).removeprefix("Async")']
        return super()._body(node)

    def _named(self, name: str) -> Function:
        return next(node for node in self._methods if node.name == name)


def passed(arguments: ast.arguments) -> str:
    """Returns the arguments as a function passes them to another of the same signature."""
    names = [argument.arg for argument in arguments.args[1:]]
    names += [f"{argument.arg}={argument.arg}" for argument in arguments.kwonlyargs]
    return ", ".join([*names, *([f"**{arguments.kwarg.arg}"] if arguments.kwarg else [])])


def _docstring(node: ast.ClassDef | Function) -> Iterator[str]:
    text = ast.get_docstring(node)
    if text:
        for old, new in _WORDS:
            text = re.sub(old, new, text)
        *lines, last = text.splitlines()
        yield from [*(f'"""{lines[0]}', *lines[1:], last, '"""')] if lines else [f'"""{last}"""']


def _indented(lines: Collection[str] | Iterator[str]) -> list[str]:
    return [f"    {line}" if line else "" for line in lines]
