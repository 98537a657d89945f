"""Tokens of Go's ``text/template``."""

from __future__ import annotations

import re
from typing import NamedTuple

from lokictl.lazy import lazy_pattern


class Token(NamedTuple):
    """``kind`` as in `KINDS`; ``offset`` in characters; an error token's text is its message."""

    kind: str
    text: str
    offset: int
    line: int


KEYWORDS = ("block", "break", "continue", "define", "else", "end", "if", "nil", "range", "template", "with")

_IDENTIFIER = lazy_pattern(r"[^\W\d]\w*|_\w*")
_NUMBER = lazy_pattern(
    r"[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|[0-9_]*\.?[0-9_]*)(?:[eEpP][+-]?[0-9_]+)?i?"
)
_SPACE = " \t\r\n"


def tokenize(text: str) -> list[Token]:
    """All tokens, ending with ``eof`` or the first ``error``."""
    return _Lexer(text).run()


class _Lexer:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.tokens: list[Token] = []
        self.depth = 0

    def emit(self, kind: str, text: str, offset: int) -> None:
        self.tokens.append(Token(kind, text, offset, 1 + self.text.count("\n", 0, offset)))

    def fail(self, message: str, offset: int) -> bool:
        self.emit("error", message, offset)
        return False

    def run(self) -> list[Token]:
        while self.outside():
            pass
        return self.tokens

    def outside(self) -> bool:
        start = self.position
        left = self.text.find("{{", start)
        if left < 0:
            if start < len(self.text):
                self.emit("text", self.text[start:], start)
            self.emit("eof", "", len(self.text))
            return False
        trimmed = self.trims_left(left)
        body = self.text[start:left]
        body = body.rstrip(_SPACE) if trimmed else body
        if body:
            self.emit("text", body, start)
        after = left + 2 + (2 if trimmed else 0)
        if self.text.startswith("/*", after):
            return self.comment(after, left)
        self.emit("left", "{{", left)
        self.position = left + 2 + (2 if trimmed else 0)
        self.depth = 0
        return self.inside(left)

    def trims_left(self, left: int) -> bool:
        return (
            self.text[left + 2 : left + 3] == "-"
            and self.text[left + 3 : left + 4] in _SPACE
            and len(self.text) > left + 3
        )

    def comment(self, after: int, left: int) -> bool:
        end = self.text.find("*/", after)
        if end < 0:
            return self.fail("unclosed comment", left)
        position = end + 2
        trim = self.text[position : position + 1] in _SPACE and self.text.startswith("-}}", position + 1)
        if trim and position < len(self.text):
            position += 4
        elif self.text.startswith("}}", position):
            position += 2
        else:
            return self.fail("comment ends before closing delimiter", left)
        if trim:
            while position < len(self.text) and self.text[position] in _SPACE:
                position += 1
        self.position = position
        return True

    def inside(self, left: int) -> bool:
        while True:
            text, start = self.text, self.position
            if text[start : start + 1] and text[start] in _SPACE and text.startswith("-}}", start + 1):
                return self.close(start, 4, trim=True)
            if text.startswith("}}", start):
                return self.close(start, 2, trim=False)
            if start >= len(text):
                return self.fail("unclosed action", start)
            if not self.token(text[start], start):
                return False

    def close(self, start: int, length: int, *, trim: bool) -> bool:
        if self.depth:
            return self.fail("unclosed left paren", start)
        self.emit("right", "}}", start + length - 2)
        self.position = start + length
        if trim:
            while self.position < len(self.text) and self.text[self.position] in _SPACE:
                self.position += 1
        return True

    def token(self, character: str, start: int) -> bool:
        text = self.text
        if character in _SPACE:
            end = start
            while end < len(text) and text[end] in _SPACE and not text.startswith("-}}", end + 1):
                end += 1
            if end == start:
                end += 1
            self.emit("space", text[start:end], start)
            self.position = end
            return True
        simple = {"=": "assign", "|": "pipe", ",": "char"}
        if text.startswith(":=", start):
            self.emit("declare", ":=", start)
            self.position += 2
            return True
        if character == ":":
            return self.fail("expected :=", start)
        if character in simple:
            self.emit(simple[character], character, start)
            self.position += 1
            return True
        if character in "()":
            return self.paren(character, start)
        if character in "\"`'":
            return self.quoted(character, start)
        if character == "$":
            return self.field("variable", start)
        if character == "." and not text[start + 1 : start + 2].isdigit():
            return self.field("field", start)
        if character == "." or character.isdigit() or (character in "+-"):
            return self.number(start)
        if character == "_" or character.isalpha():
            return self.word(start)
        if character.isprintable() and character.isascii():
            self.emit("char", character, start)
            self.position += 1
            return True
        return self.fail(f"unrecognized character in action: U+{ord(character):04X} '{character}'", start)

    def paren(self, character: str, start: int) -> bool:
        if character == "(":
            self.depth += 1
            self.emit("leftparen", "(", start)
        else:
            self.depth -= 1
            if self.depth < 0:
                return self.fail("unexpected right paren", start)
            self.emit("rightparen", ")", start)
        self.position += 1
        return True

    def quoted(self, mark: str, start: int) -> bool:
        text, position = self.text, start + 1
        what = {'"': "quoted string", "`": "raw quoted string", "'": "character constant"}[mark]
        while position < len(text) and text[position] != mark:
            if text[position] == "\n" and mark != "`":
                return self.fail(f"unterminated {what}", start)
            position += 2 if text[position] == "\\" and mark != "`" else 1
        if position >= len(text):
            return self.fail(f"unterminated {what}", start)
        kind = {'"': "string", "`": "rawstring", "'": "charconstant"}[mark]
        self.emit(kind, text[start : position + 1], start)
        self.position = position + 1
        return True

    def field(self, kind: str, start: int) -> bool:
        end = start + 1
        matched = re.compile(r"\w*").match(self.text, end)
        end = matched.end() if matched else end
        if not self.at_terminator(end):
            return self.fail(f"bad character {_shown(self.text[end])}", start)
        word = self.text[start:end]
        self.emit("dot" if word == "." else kind, word, start)
        self.position = end
        return True

    def at_terminator(self, end: int) -> bool:
        following = self.text[end : end + 1]
        return following == "" or following in " \t\r\n.,|:)(" or self.text.startswith("}}", end)

    def number(self, start: int) -> bool:
        matched = _NUMBER.match(self.text, start)
        end = matched.end() if matched else start + 1
        following = self.text[end : end + 1]
        if following.isalnum() or following == "_" or end == start + (self.text[start] in "+-"):
            while self.text[end : end + 1].isalnum():
                end += 1
            return self.fail(f'bad number syntax: "{self.text[start : max(end, start + 1)]}"', start)
        self.emit("number", self.text[start:end], start)
        self.position = end
        return True

    def word(self, start: int) -> bool:
        matched = _IDENTIFIER.match(self.text, start)
        end = matched.end() if matched else start + 1
        if not self.at_terminator(end):
            return self.fail(f"bad character {_shown(self.text[end])}", start)
        word = self.text[start:end]
        kind = word if word in KEYWORDS else "bool" if word in ("true", "false") else "identifier"
        self.emit(kind, word, start)
        self.position = end
        return True


def _shown(character: str) -> str:
    return f"U+{ord(character):04X} '{character}'"
