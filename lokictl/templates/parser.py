"""Parses Go's ``text/template``, with its error words."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import field
from typing import Any

from lokictl.logql.lexer import unescape
from lokictl.logql.units import parse_float, quote
from lokictl.records import dataclass
from lokictl.templates import nodes as n
from lokictl.templates.errors import TemplateError
from lokictl.templates.lexer import Token, tokenize

MAX_DEPTH = 200
"""Levels of nested control structures and parentheses."""


@dataclass
class Parsed:
    """A template's body and the templates that it defines."""

    name: str
    text: str
    body: list[Any]
    defined: dict[str, list[Any]] = field(default_factory=dict)


def parse(name: str, text: str, functions: Collection[str], variables: tuple[str, ...] = ()) -> Parsed:
    """The template; ``variables`` (with their ``$``) are defined outside of it.  Raises `TemplateError`."""
    return _Parser(name, text, functions, variables).parse()


class _Parser:
    def __init__(self, name: str, text: str, functions: Collection[str], variables: tuple[str, ...]) -> None:
        self.name, self.text, self.functions = name, text, functions
        self.tokens = tokenize(text)
        self.position = 0
        self.variables: list[str] = ["$", *variables]
        self.parsed = Parsed(name, text, [])
        self.range_depth = 0
        self.depth = 0

    # --- tokens ------------------------------------------------------------------------------------------------

    def next(self) -> Token:
        token = self.tokens[min(self.position, len(self.tokens) - 1)]
        self.position += 1
        return token

    def peek(self) -> Token:
        return self.tokens[min(self.position, len(self.tokens) - 1)]

    def next_solid(self) -> Token:
        token = self.next()
        while token.kind == "space":
            token = self.next()
        return token

    def peek_solid(self) -> Token:
        while self.peek().kind == "space":
            self.position += 1
        return self.peek()

    def fail(self, message: str, token: Token | None = None) -> TemplateError:
        token = token or self.tokens[min(max(self.position - 1, 0), len(self.tokens) - 1)]
        return TemplateError(f"template: {self.name}:{token.line}: {message}", offset=token.offset)

    def unexpected(self, token: Token, context: str) -> TemplateError:
        if token.kind == "error":
            return self.fail(token.text, token)
        return self.fail(f"unexpected {_shown(token)} in {context}", token)

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise self.fail("template nests too deeply")

    # --- structure -----------------------------------------------------------------------------------------------

    def parse(self) -> Parsed:
        body: list[Any] = []
        while self.peek().kind != "eof":
            if self.peek().kind == "left":
                mark = self.position
                self.next()
                if self.next_solid().kind == "define":
                    self.definition()
                    continue
                self.position = mark
            node = self.text_or_action()
            if isinstance(node, str):
                raise self.fail(f"unexpected {{{{{node.split(' ')[0]}}}}}")
            if node is not None:
                body.append(node)
        self.parsed.body = body
        return self.parsed

    def definition(self) -> None:
        token = self.next_solid()
        if token.kind not in ("string", "rawstring"):
            raise self.unexpected(token, "define clause")
        name = self.string(token)
        closing = self.next_solid()
        if closing.kind != "right":
            raise self.unexpected(closing, "define clause")
        outer, self.variables = self.variables, ["$"]
        body, end = self.items("define")
        if end != "end":
            raise self.fail("unexpected {{else}} in define clause")
        self.variables = outer
        self.parsed.defined[name] = body

    def items(self, context: str) -> tuple[list[Any], str]:
        """Nodes up to ``end`` or ``else``; which of them it was."""
        found: list[Any] = []
        while self.peek_solid_outside().kind != "eof":
            node = self.text_or_action()
            if isinstance(node, str):
                return found, node
            if node is not None:
                found.append(node)
        raise self.fail("unexpected EOF", self.peek())

    def peek_solid_outside(self) -> Token:
        return self.peek()

    def text_or_action(self) -> Any:
        token = self.next()
        if token.kind == "text":
            return n.Text(token.offset, token.text)
        if token.kind == "left":
            return self.action()
        raise self.unexpected(token, "input")

    def action(self) -> Any:
        token = self.next_solid()
        kind = token.kind
        if kind in ("if", "with", "range"):
            return self.branch(kind, token)
        if kind == "end":
            closing = self.next_solid()
            if closing.kind != "right":
                raise self.unexpected(closing, "end")
            return "end"
        if kind == "else":
            return self.otherwise()
        if kind == "template":
            return self.template_call(token)
        if kind == "block":
            return self.block(token)
        if kind in ("break", "continue"):
            if self.range_depth == 0:
                raise self.fail(f"{{{{{kind}}}}} outside {{{{range}}}}", token)
            closing = self.next_solid()
            if closing.kind != "right":
                raise self.unexpected(closing, f"{{{{{kind}}}}}")
            return n.Jump(token.offset, kind)
        if kind == "define":
            raise self.unexpected(token, "command")
        self.position -= 1
        return n.Action(token.offset, self.pipeline("command", "right"))

    def otherwise(self) -> str:
        token = self.peek_solid()
        if token.kind in ("if", "with"):
            return f"else {token.kind}"
        closing = self.next_solid()
        if closing.kind != "right":
            raise self.unexpected(closing, "else")
        return "else"

    def branch(self, kind: str, token: Token) -> n.Branch:
        self.deeper()
        known = len(self.variables)
        pipe = self.pipeline(kind, "right")
        self.range_depth += kind == "range"
        body, end = self.items(kind)
        self.range_depth -= kind == "range"
        otherwise: list[Any] | None = None
        if end.startswith("else "):
            nested = end.split(" ")[1]
            if nested != kind:
                raise (
                    self.fail(f"unexpected <{nested}> in else clause")
                    if kind == "range"
                    else self.unexpected(self.peek(), "else")
                )
            inner = self.next_solid()
            otherwise = [self.branch(nested, inner)]
        elif end == "else":
            otherwise, end = self.items(kind)
            if end != "end":
                raise self.fail(f"expected end; found {{{{{end}}}}}")
        del self.variables[known:]
        self.depth -= 1
        return n.Branch(token.offset, kind, pipe, body, otherwise)

    def template_call(self, token: Token) -> n.TemplateCall:
        name_token = self.next_solid()
        if name_token.kind not in ("string", "rawstring"):
            raise self.unexpected(name_token, "template clause")
        name = self.string(name_token)
        pipe = None
        if self.next_solid().kind != "right":
            self.position -= 1
            pipe = self.pipeline("template clause", "right")
        return n.TemplateCall(name_token.offset, name, pipe)

    def block(self, token: Token) -> n.TemplateCall:
        name_token = self.next_solid()
        if name_token.kind not in ("string", "rawstring"):
            raise self.unexpected(name_token, "block clause")
        name = self.string(name_token)
        pipe = self.pipeline("block clause", "right")
        outer, self.variables = self.variables, ["$"]
        body, end = self.items("block")
        if end != "end":
            raise self.fail("unexpected {{else}} in block clause")
        self.variables = outer
        self.parsed.defined.setdefault(name, body)
        return n.TemplateCall(name_token.offset, name, pipe)

    # --- pipelines -------------------------------------------------------------------------------------------------

    def pipeline(self, context: str, end: str) -> n.Pipe:
        token = self.peek_solid()
        pipe = n.Pipe(token.offset)
        self.declaration(pipe, context)
        while True:
            token = self.next_solid()
            if token.kind == end:
                self.check_pipeline(pipe, context)
                return pipe
            if token.kind in (
                *("bool", "charconstant", "dot", "field", "identifier", "number", "nil", "rawstring"),
                *("string", "variable", "leftparen"),
            ):
                self.position -= 1
                pipe.commands.append(self.command())
            else:
                raise self.unexpected(token, context)

    def declaration(self, pipe: n.Pipe, context: str) -> None:
        mark = self.position
        if self.peek_solid().kind != "variable":
            return
        variable = self.next()
        following = self.peek_solid()
        if following.kind in ("declare", "assign"):
            self.next_solid()
            self.declare(pipe, [variable], following)
            return
        if following.kind == "char" and following.text == "," and context == "range":
            self.next_solid()
            second = self.next_solid()
            operator = self.next_solid()
            if second.kind == "variable" and operator.kind in ("declare", "assign"):
                self.declare(pipe, [variable, second], operator)
                return
            raise self.fail("range can only initialize variables", second)
        self.position = mark

    def declare(self, pipe: n.Pipe, variables: list[Token], operator: Token) -> None:
        pipe.assigns = operator.kind == "assign"
        for token in variables:
            if pipe.assigns and token.text not in self.variables:
                raise self.fail(f"undefined variable {quote(token.text)}", token)
            pipe.variables.append(token.text)
            if not pipe.assigns:
                self.variables.append(token.text)

    def check_pipeline(self, pipe: n.Pipe, context: str) -> None:
        if not pipe.commands:
            raise self.fail(f"missing value for {context}")
        for command in pipe.commands[1:]:
            first = command.arguments[0]
            if isinstance(first, n.Constant | n.Dot | n.Nil):
                index = pipe.commands.index(command) + 1
                raise self.fail(f"non executable command in pipeline stage {index}")

    def command(self) -> n.Command:
        command = n.Command(self.peek_solid().offset)
        while True:
            self.peek_solid()
            operand = self.operand()
            if operand is not None:
                command.arguments.append(operand)
            token = self.next()
            if token.kind == "space":
                continue
            if token.kind == "right" or token.kind == "rightparen":
                self.position -= 1
            elif token.kind != "pipe":
                raise self.unexpected(token, "operand")
            break
        if not command.arguments:
            raise self.fail("empty command")
        return command

    def operand(self) -> Any:
        node = self.term()
        if node is None:
            return None
        if self.peek().kind == "field":
            names = []
            # Go's positions: a longer path begins, for its errors, where its second name stands.
            offset = self.peek().offset
            while self.peek().kind == "field":
                names.append(self.next().text[1:])
            if isinstance(node, n.Field):
                return n.Field(offset, [*node.names, *names])
            if isinstance(node, n.Variable):
                return n.Variable(offset, [*node.names, *names])
            if isinstance(node, n.Constant | n.Nil | n.Dot):
                raise self.fail(f"unexpected . after term {quote(str(node))}")
            return n.Chain(offset, node, names)
        return node

    def term(self) -> Any:
        token = self.next_solid()
        kind = token.kind
        if kind == "identifier":
            if token.text not in self.functions:
                raise self.fail(f"function {quote(token.text)} not defined", token)
            return n.Identifier(token.offset, token.text)
        if kind == "dot":
            return n.Dot(token.offset)
        if kind == "nil":
            return n.Nil(token.offset)
        if kind == "variable":
            if token.text not in self.variables:
                raise self.fail(f"undefined variable {quote(token.text)}", token)
            return n.Variable(token.offset, [token.text])
        if kind == "field":
            return n.Field(token.offset, [token.text[1:]])
        if kind == "bool":
            return n.Constant(token.offset, token.text == "true", token.text)
        if kind in ("charconstant", "number"):
            return n.Constant(token.offset, self.number(token), token.text)
        if kind in ("string", "rawstring"):
            return n.Constant(token.offset, self.string(token), token.text)
        if kind == "leftparen":
            self.deeper()
            pipe = self.pipeline("parenthesized pipeline", "rightparen")
            self.depth -= 1
            return pipe
        self.position -= 1
        return None

    def string(self, token: Token) -> str:
        if token.kind == "rawstring":
            return token.text[1:-1].replace("\r", "")
        if re.search(r"(?<!\\)(?:\\\\)*\\(?![abfnrtv\\\"0-7xuU])", token.text[1:-1]):
            raise self.fail("invalid syntax", token)
        value = unescape(token.text[1:-1])
        if value is None:
            raise self.fail("invalid syntax", token)
        return value

    def number(self, token: Token) -> int | float:
        text = token.text
        if token.kind == "charconstant":
            body = unescape(text[1:-1].replace("\\'", "'")) or ""
            if len(body) != 1:
                raise self.fail(f"malformed character constant: {text}", token)
            return ord(body)
        value = number_value(text)
        if value is None:
            raise self.fail(f"illegal number syntax: {quote(text)}", token)
        return value


def number_value(text: str) -> int | float | None:
    """A number constant as Go reads it: an int where it is one."""
    body = text.lstrip("+-")
    if re.fullmatch(r"0[0-7_]+", body):
        body = "0o" + body[1:]
    try:
        value: int | float = int(body, 0)
    except ValueError:
        try:
            value = parse_float(body)
        except ValueError:
            return None
    return -value if text.startswith("-") else value


def _shown(token: Token) -> str:
    if token.kind == "eof":
        return "EOF"
    if token.kind in ("identifier",) or token.kind not in (
        *(
            "block",
            "break",
            "continue",
            "define",
            "else",
            "end",
            "if",
            "nil",
            "range",
            "template",
            "with",
            "dot",
        ),
    ):
        text = token.text if len(token.text) <= 10 else token.text[:10]
        return quote(text) + ("..." if len(token.text) > 10 else "")
    return f"<{token.text}>"
