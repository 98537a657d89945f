"""The parts of a parsed template; ``str()`` of one is Go's text of it (error messages show it)."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from lokictl.logql.units import quote
from lokictl.records import dataclass


@dataclass(slots=True)
class Node:
    offset: int


@dataclass(slots=True)
class Text(Node):
    text: str


@dataclass(slots=True)
class Dot(Node):
    def __str__(self) -> str:
        return "."


@dataclass(slots=True)
class Nil(Node):
    def __str__(self) -> str:
        return "nil"


@dataclass(slots=True)
class Constant(Node):
    """A number, bool, string or character; ``text`` as written."""

    value: Any
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(slots=True)
class Field(Node):
    """``.a.b``"""

    names: list[str]

    def __str__(self) -> str:
        return "".join(f".{name}" for name in self.names)


@dataclass(slots=True)
class Variable(Node):
    """``$x.a``: the variable's name first."""

    names: list[str]

    def __str__(self) -> str:
        return ".".join(self.names)


@dataclass(slots=True)
class Chain(Node):
    """``(…).a.b``"""

    inner: Any
    names: list[str]

    def __str__(self) -> str:
        inner = f"({self.inner})" if isinstance(self.inner, Pipe) else str(self.inner)
        return inner + "".join(f".{name}" for name in self.names)


@dataclass(slots=True)
class Identifier(Node):
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(slots=True)
class Command(Node):
    arguments: list[Any] = field(default_factory=list)

    def __str__(self) -> str:
        return " ".join(f"({item})" if isinstance(item, Pipe) else str(item) for item in self.arguments)


@dataclass(slots=True)
class Pipe(Node):
    commands: list[Command] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)
    assigns: bool = False

    def __str__(self) -> str:
        head = ", ".join(self.variables)
        body = " | ".join(str(command) for command in self.commands)
        return f"{head} {'=' if self.assigns else ':='} {body}" if head else body


@dataclass(slots=True)
class Action(Node):
    pipe: Pipe

    def __str__(self) -> str:
        return f"{{{{{self.pipe}}}}}"


@dataclass(slots=True)
class Branch(Node):
    """``if``, ``with`` or ``range``."""

    kind: str
    pipe: Pipe
    body: list[Any]
    otherwise: list[Any] | None


@dataclass(slots=True)
class TemplateCall(Node):
    name: str
    pipe: Pipe | None

    def __str__(self) -> str:
        return f"{{{{template {quote(self.name)}{f' {self.pipe}' if self.pipe else ''}}}}}"


@dataclass(slots=True)
class Jump(Node):
    """``break`` or ``continue``."""

    kind: str
