"""Executes a parsed template, with Go's rules of evaluation and Go's error messages."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from lokictl.logql.units import quote
from lokictl.templates import nodes as n
from lokictl.templates.errors import FunctionError, TemplateError
from lokictl.templates.functions import Function
from lokictl.templates.parser import Parsed
from lokictl.templates.times import DURATION_METHODS, METHODS, Time
from lokictl.templates.values import (
    NIL,
    Duration,
    QueryResult,
    Sample,
    StringMap,
    Struct,
    display,
    is_true,
    to_bytes,
    type_name,
)

MAX_OUTPUT = 16 * 1024 * 1024
"""Characters that one execution may print."""
MAX_STEPS = 1_000_000
"""Nodes that one execution may visit: what bounds loops."""
MAX_TEMPLATE_DEPTH = 40
"""Nested ``template`` actions.  Go allows 100,000; deeper recursion than this is a loop in all but theory."""


class _Missing:
    """There is no piped value."""


_MISSING = _Missing()


class _BreakSignal(Exception):  # noqa: N818 - no error, a way out of a loop
    pass


class _ContinueSignal(Exception):  # noqa: N818 - as above
    pass


def execute(parsed: Parsed, functions: Mapping[str, Function], data: Any) -> str:
    """The text that the template makes of ``data``.  Raises `TemplateError` with Go's message."""
    run = _Run(parsed, functions, data)
    try:
        run.walk_all(data, parsed.body)
    except RecursionError:
        raise TemplateError(f"template: {parsed.name}: nested too deeply to be executed") from None
    return "".join(run.output)


class _Run:
    def __init__(self, parsed: Parsed, functions: Mapping[str, Function], data: Any) -> None:
        self.parsed = parsed
        self.functions = functions
        self.template_name = parsed.name
        self.variables: list[tuple[str, Any]] = [("$", data)]
        self.output: list[str] = []
        self.size = 0
        self.steps = 0
        self.depth = 0
        self.node: Any = None

    # --- errors ------------------------------------------------------------------------------------------------

    def fail(self, message: str) -> TemplateError:
        head = f"template: {self.parsed.name}"
        if self.node is None:
            return TemplateError(f"{head}: {message}")
        before = self.parsed.text[: self.node.offset]
        column = len(to_bytes(before[before.rfind("\n") + 1 :]))
        line = 1 + before.count("\n")
        return TemplateError(
            f"{head}:{line}:{column}: executing {quote(self.template_name)} at <{self.node}>: {message}",
            offset=self.node.offset,
        )

    def step(self) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise self.fail(f"more than {MAX_STEPS} steps in one template")

    def write(self, text: str) -> None:
        self.size += len(text)
        if self.size > MAX_OUTPUT:
            raise self.fail(f"the template prints more than {MAX_OUTPUT} characters")
        self.output.append(text)

    # --- actions -----------------------------------------------------------------------------------------------

    def walk_all(self, dot: Any, body: list[Any]) -> None:
        for node in body:
            self.walk(dot, node)

    def walk(self, dot: Any, node: Any) -> None:
        self.step()
        if isinstance(node, n.Text):
            self.write(node.text)
            return
        self.node = node if isinstance(node, n.TemplateCall) else getattr(node, "pipe", node)
        if isinstance(node, n.Action):
            value = self.pipeline(dot, node.pipe)
            if not node.pipe.variables:
                self.write("<no value>" if value is None else display(value))
        elif isinstance(node, n.Branch):
            self.range(dot, node) if node.kind == "range" else self.branch(dot, node)
        elif isinstance(node, n.TemplateCall):
            self.template(dot, node)
        elif isinstance(node, n.Jump):
            raise _BreakSignal if node.kind == "break" else _ContinueSignal

    def branch(self, dot: Any, node: n.Branch) -> None:
        mark = len(self.variables)
        value = self.pipeline(dot, node.pipe)
        if is_true(value):
            self.walk_all(value if node.kind == "with" else dot, node.body)
        elif node.otherwise is not None:
            self.walk_all(dot, node.otherwise)
        del self.variables[mark:]

    def range(self, dot: Any, node: n.Branch) -> None:
        outer = len(self.variables)
        value = self.pipeline(dot, node.pipe)
        mark = len(self.variables)
        ran = False
        try:
            for key, element in self.items(value, node):
                ran = True
                self.bind(node.pipe, key, element, mark)
                with contextlib.suppress(_ContinueSignal):
                    self.walk_all(element, node.body)
                del self.variables[mark:]
        except _BreakSignal:
            ran = True
        if not ran and node.otherwise is not None:
            del self.variables[mark:]
            self.walk_all(dot, node.otherwise)
        del self.variables[outer:]

    def items(self, value: Any, node: n.Branch) -> list[tuple[Any, Any]]:
        if isinstance(value, list):
            return list(enumerate(value))
        if isinstance(value, QueryResult):
            return list(enumerate(value.samples))
        if isinstance(value, dict):
            return [(key, value[key]) for key in sorted(value, key=to_bytes)]
        if isinstance(value, int) and not isinstance(value, bool):
            if len(node.pipe.variables) > 1:
                raise self.fail(f"can't use {display(value)} to iterate over more than one variable")
            if value > MAX_STEPS:
                raise self.fail(f"more than {MAX_STEPS} steps in one template")
            return [(number, number) for number in range(max(int(value), 0))]
        if value is None:
            return []
        raise self.fail(f"range can't iterate over {display(value)}")

    def bind(self, pipe: n.Pipe, key: Any, element: Any, mark: int) -> None:
        names = pipe.variables
        if not names:
            return
        values = [element] if len(names) == 1 else [key, element]
        for offset, value in enumerate(values):
            if pipe.assigns:
                self.assign(names[offset], value)
            else:
                # The pipeline has declared the variables already; each turn sets them again.
                self.variables[mark - len(names) + offset] = (names[offset], value)

    def template(self, dot: Any, node: n.TemplateCall) -> None:
        if node.name not in self.parsed.defined and node.name != self.parsed.name:
            raise self.fail(f"template {quote(node.name)} not defined")
        if self.depth >= MAX_TEMPLATE_DEPTH:
            raise self.fail(f"exceeded maximum template depth ({MAX_TEMPLATE_DEPTH})")
        value = self.pipeline(dot, node.pipe) if node.pipe else None
        body = self.parsed.defined.get(node.name, self.parsed.body)
        outer, outer_name = self.variables, self.template_name
        self.variables, self.template_name = [("$", value)], node.name
        self.depth += 1
        self.walk_all(value, body)
        self.depth -= 1
        self.variables, self.template_name = outer, outer_name

    # --- pipelines ---------------------------------------------------------------------------------------------

    def pipeline(self, dot: Any, pipe: n.Pipe) -> Any:
        """The pipeline's value; None where Go has none."""
        self.step()
        self.node = pipe
        value: Any = _MISSING
        for command in pipe.commands:
            value = self.command(dot, command, value)
            if value is NIL:
                value = None
        for name in pipe.variables:
            if pipe.assigns:
                self.assign(name, value)
            else:
                self.variables.append((name, value))
        return value

    def assign(self, name: str, value: Any) -> None:
        for index in range(len(self.variables) - 1, -1, -1):
            if self.variables[index][0] == name:
                self.variables[index] = (name, value)
                return
        raise self.fail(f"undefined variable: {name}")

    def variable(self, name: str) -> Any:
        for known, value in reversed(self.variables):
            if known == name:
                return value
        raise self.fail(f"undefined variable: {name}")

    def command(self, dot: Any, command: n.Command, final: Any) -> Any:
        first = command.arguments[0]
        if isinstance(first, n.Field | n.Chain | n.Variable):
            return self.reference(dot, first, command.arguments[1:], final)
        if isinstance(first, n.Identifier):
            return self.function(dot, first, command, command.arguments[1:], final)
        self.node = first if not isinstance(first, n.Pipe) else self.node
        if len(command.arguments) > 1 or final is not _MISSING:
            raise self.fail(f"can't give argument to non-function {first}")
        if isinstance(first, n.Pipe):
            return self.pipeline(dot, first)
        if isinstance(first, n.Dot):
            return dot
        if isinstance(first, n.Constant):
            return self.constant(first)
        raise self.fail("nil is not a command")

    def constant(self, node: n.Constant) -> Any:
        if (
            isinstance(node.value, int)
            and not isinstance(node.value, bool)
            and not -(1 << 63) <= node.value < 1 << 63
        ):
            raise self.fail(f"{node.text} overflows int")
        return node.value

    def reference(self, dot: Any, node: Any, arguments: list[Any], final: Any) -> Any:
        """A field of dot, of a variable, or of a parenthesised pipeline."""
        self.node = node
        if isinstance(node, n.Field):
            receiver, names = dot, node.names
        elif isinstance(node, n.Variable):
            receiver, names = self.variable(node.names[0]), node.names[1:]
            if not names and (arguments or final is not _MISSING):
                raise self.fail(f"can't give argument to non-function {node}")
        else:
            if isinstance(node.inner, n.Nil):
                raise self.fail(f"indirection through explicit nil in {node}")
            receiver, names = self.argument(dot, "any", node.inner), node.names
            self.node = node
        for position, name in enumerate(names):
            last = position == len(names) - 1
            receiver = self.field(dot, name, receiver, arguments if last else [], final if last else _MISSING)
        return receiver

    def field(self, dot: Any, name: str, receiver: Any, arguments: list[Any], final: Any) -> Any:
        if receiver is None:
            return None
        if receiver is NIL:
            raise self.fail(f"nil pointer evaluating interface {{}}.{name}")
        method = self.method(receiver, name)
        if method is not None:
            return self.call(dot, self.node, name, method, arguments, final)
        given = bool(arguments) or final is not _MISSING
        if isinstance(receiver, dict):
            if given:
                raise self.fail(f"{name} is not a method but has arguments")
            return receiver.get(name, "" if isinstance(receiver, StringMap) else NIL)
        fields = self.fields(receiver)
        if name in fields:
            if given:
                raise self.fail(f"{name} has arguments but cannot be invoked as function")
            return fields[name]
        raise self.fail(f"can't evaluate field {name} in type {type_name(receiver)}")

    def fields(self, receiver: Any) -> dict[str, Any]:
        if isinstance(receiver, Struct):
            return receiver.fields
        if isinstance(receiver, Sample):
            return {"Labels": receiver.labels, "Value": receiver.value}
        return {}

    def method(self, receiver: Any, name: str) -> Function | None:
        table = (
            METHODS
            if isinstance(receiver, Time)
            else DURATION_METHODS
            if isinstance(receiver, Duration)
            else {}
        )
        if name not in table:
            return None
        parameters, call = table[name]
        return Function(lambda *values: call(receiver, *values), parameters)

    # --- functions ---------------------------------------------------------------------------------------------

    def function(self, dot: Any, name: n.Identifier, place: Any, arguments: list[Any], final: Any) -> Any:
        self.node = name
        function = self.functions.get(name.name)
        if function is None:
            raise self.fail(f"{quote(name.name)} is not a defined function")
        return self.call(dot, place, name.name, function, arguments, final)

    def call(
        self, dot: Any, place: Any, name: str, function: Function, arguments: list[Any], final: Any
    ) -> Any:
        self.step()
        types = function.parameters
        count = len(arguments) + (final is not _MISSING)
        if function.variadic is not None and count < len(types):
            raise self.fail(
                f"wrong number of args for {name}: want at least {len(types)} got {len(arguments)}"
            )
        if function.variadic is None and count != len(types):
            raise self.fail(f"wrong number of args for {name}: want {len(types)} got {count}")
        if name in ("and", "or"):
            return self.logic(dot, name, arguments, final)

        def expected(position: int) -> str:
            return types[position] if position < len(types) else function.variadic or "any"

        values = [self.argument(dot, expected(i), node) for i, node in enumerate(arguments)]
        if final is not _MISSING:
            values.append(self.validate(final, expected(len(arguments))))
        try:
            return function.call(*values)
        except FunctionError as error:
            message = str(error)
            if name == "call" and arguments:
                message = message.replace("{node}", str(arguments[0]))
            self.node = place
            raise self.fail(f"error calling {name}: {message}") from None
        except (ArithmeticError, MemoryError) as error:
            self.node = place
            raise self.fail(f"error calling {name}: {error or type(error).__name__}") from None

    def logic(self, dot: Any, name: str, arguments: list[Any], final: Any) -> Any:
        value: Any = None
        for node in arguments:
            value = self.argument(dot, "any", node)
            if is_true(value) == (name == "or"):
                return value
        return value if final is _MISSING else final

    # --- arguments ---------------------------------------------------------------------------------------------

    def argument(self, dot: Any, expected: str, node: Any) -> Any:
        """An argument's value, as a parameter of the type ``expected`` takes it."""
        self.node = node
        if isinstance(node, n.Dot):
            return self.validate(dot, expected)
        if isinstance(node, n.Nil):
            if expected not in ("any", "template.queryResult", "*template.sample"):
                raise self.fail(f"cannot assign nil to {expected}")
            return None
        if isinstance(node, n.Field | n.Variable | n.Chain):
            return self.validate(self.reference(dot, node, [], _MISSING), expected)
        if isinstance(node, n.Pipe):
            return self.validate(self.pipeline(dot, node), expected)
        if isinstance(node, n.Identifier):
            return self.validate(self.function(dot, node, node, [], _MISSING), expected)
        assert isinstance(node, n.Constant)
        return self.typed_constant(node, expected)

    def typed_constant(self, node: n.Constant, expected: str) -> Any:
        value = node.value
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if expected == "any":
            return self.constant(node)
        if expected == "string":
            if not isinstance(value, str):
                raise self.fail(f"expected string; found {node}")
            return value
        if expected == "bool":
            if not isinstance(value, bool):
                raise self.fail(f"expected bool; found {node}")
            return value
        if expected in ("int", "int64", "time.Duration"):
            if not number or value != int(value):
                raise self.fail(f"expected integer; found {node}")
            return int(value)
        if expected == "float64":
            if not number:
                raise self.fail(f"expected float; found {node}")
            return float(value)
        raise self.fail(f"can't handle {node} for arg of type {expected}")

    def validate(self, value: Any, expected: str) -> Any:
        if expected == "any":
            return None if value is NIL else value
        if value is None or value is NIL:
            if expected in ("template.queryResult", "*template.sample"):
                return None
            raise self.fail(f"invalid value; expected {expected}")
        if type_name(value) != expected:
            raise self.fail(f"wrong type for value; expected {expected}; got {type_name(value)}")
        return value
