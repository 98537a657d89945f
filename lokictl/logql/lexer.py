"""Turns a query into tokens, with Loki's own ideas of what a token is and of where it stands."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from lokictl.lazy import lazy_pattern
from lokictl.logql.grammar import RANGE_OPERATIONS, RESERVED, VECTOR_OPERATIONS
from lokictl.logql.units import parse_bytes, parse_go_duration, parse_prometheus_duration
from lokictl.logql.versions import (
    ANY_CASE,
    APPROX_TOPK,
    DEFAULT,
    NO_BINARY_AFTER_BLANK,
    PATTERN_FILTERS,
    PETABYTES,
    VARIANTS,
    LokiVersion,
)
from lokictl.records import dataclass

FUNCTION_WORDS = {
    **{name: name.upper() for name in (*RANGE_OPERATIONS, *VECTOR_OPERATIONS, "vector")},
    "label_replace": "label_replace",
    "bytes": "BYTES_CONV",
    "duration": "DURATION_CONV",
    "duration_seconds": "DURATION_SECONDS_CONV",
    "ip": "ip",
}
"""Words that are keywords only in front of a parenthesis -> the name of their token."""

TWO_CHARACTERS = frozenset(["|=", "|~", "|>", "!=", "!~", "!>", "=~", "==", ">=", "<="])
DATED_WORDS = {"approx_topk": APPROX_TOPK, "variants": VARIANTS, "of": VARIANTS}
"""Words that not every version knows."""
ONE_CHARACTER = frozenset(",.{}()]=><+-*/%^|")
NOT_FIXED = frozenset("./-")
"""Characters that can begin something longer: a number, a comment, a flag."""
SKIPPED = frozenset(" \t\r\n#/")
"""What white space and comments begin with."""
FLAGS = ("--strict", "--keep-empty")
_FLAG = lazy_pattern(rf"(?:{'|'.join(FLAGS)})(?!\w)")

END = "$end"


class Token(NamedTuple):
    """``kind`` is the name that error messages use; ``start`` and ``end`` are character offsets in the query."""

    kind: str
    text: str
    value: str | int
    start: int
    end: int
    line_known: bool = True


@dataclass(frozen=True, slots=True)
class LexicalError:
    """A token that cannot be read; it counts only if the parser gets that far."""

    message: str
    start: int
    end: int
    line_known: bool = True


def tokenize(text: str, version: LokiVersion = DEFAULT) -> list[Token | LexicalError]:
    """All tokens of ``text`` up to the end token, or up to the first lexical error."""
    return _Lexer(text, version).run()


_SPACE = re.compile(r"[ \t\r\n]+")
_IDENTIFIER = lazy_pattern(r"[^\W\d]\w*")
_AFTER_WORD = lazy_pattern(r"\s*\(")
_AFTER_WORD_GROUPING = lazy_pattern(r"\s*(?:by|without)\s*\(", re.IGNORECASE)
_DURATION_CHARACTERS = lazy_pattern(r"[\d.nuµmshdwy]+")
_PETABYTES = lazy_pattern(r"[0-9][0-9.]*[pP](?:i?B)")
_BYTES_CHARACTERS = lazy_pattern(r"[\d.BikKMGTP]+")


WORD, STRING, RAW, _OPERATOR, NUMBER, RANGE, _OTHER = range(1, 8)
_COMMON = lazy_pattern(
    r"""[ \t\r\n]*(?:
        ([a-z_][a-z0-9_]*)(?!\w)
      | ("[^"\\\n\ud800-\udfff]*")
      | (`[^`\r]*`)
      | ([|=!<>]=|[|=!]~|[|!]>|[,{}()\]=<>+*%^|])
      | ((?:0|[1-9][0-9]*)(?:\.[0-9]+)?)(?![\w.])
      | (\[[^\]]*\])
      | ([^ \t\r\n])
    )""",
    re.VERBOSE,
)
"""White space, and a lower-case word, a string without escapes, an operator, a number without a unit, a range, or the
first character of anything else."""


class _Dialect(NamedTuple):
    """What a version's tokens are.

    ``fixed`` tokens are what they are wherever they stand: their text -> their value, and whether errors know their
    line.  ``unknown`` are words that this version does not know yet.
    """

    fixed: dict[str, tuple[str, bool]]
    functions: dict[str, str]
    unknown: frozenset[str]
    pairs: frozenset[str]
    any_case: bool


@lru_cache
def _dialect(version: LokiVersion) -> _Dialect:
    unknown = frozenset(word for word, behavior in DATED_WORDS.items() if not version.has(behavior))
    pairs = TWO_CHARACTERS if version.has(PATTERN_FILTERS) else TWO_CHARACTERS - {"|>", "!>"}
    fixed = {word: (word, True) for word in RESERVED if word not in unknown}
    fixed |= dict.fromkeys(ONE_CHARACTER - NOT_FIXED, ("", True))
    fixed |= dict.fromkeys(pairs, ("", False))
    functions = {word: kind for word, kind in FUNCTION_WORDS.items() if word not in unknown}
    return _Dialect(fixed, functions, unknown, pairs, version.has(ANY_CASE))


class _Lexer:
    def __init__(self, text: str, version: LokiVersion) -> None:
        self.text, self.version = text, version
        self.position = 0
        self.dialect = _dialect(version)

    def run(self) -> list[Token | LexicalError]:
        if self.text.startswith("\ufeff"):
            self.position = 1
        tokens: list[Token | LexicalError] = []
        holds_nul = "\0" in self.text
        while True:
            if not holds_nul:
                self.common(tokens)
            token = self.next()
            if holds_nul and self.text[token.end : token.end + 1] == "\0" and isinstance(token, Token):
                # Go's scanner reads one character ahead, and places the error where the token begins.
                token = LexicalError("invalid character NUL", token.start, token.end)
            tokens.append(token)
            if isinstance(token, LexicalError) or token.kind == END:
                return tokens

    def common(self, tokens: list[Token | LexicalError]) -> None:
        """Adds the tokens up to the first that is not simple: most queries are made of simple ones.

        They are what `next` would give.
        """
        fixed, functions, _, _, _ = self.dialect
        make = tuple.__new__
        for found in _COMMON.finditer(self.text, self.position):
            which = found.lastindex or 0
            text, end = found[which], found.end()
            kind, value, known = text, text, True  # type: tuple[str, str | int, bool]
            if text in fixed:
                value, known = fixed[text]
            elif which == WORD:
                kind = functions[text] if text in functions and self.called(end) else "IDENTIFIER"
            elif which in (STRING, RAW):
                kind, value = "STRING", text[1:-1]
            elif which == NUMBER:
                kind = "NUMBER"
            elif which == RANGE:
                try:
                    kind, value, known = "RANGE", parse_prometheus_duration(text[1:-1]), False
                except ValueError:
                    return
            else:
                return
            tokens.append(make(Token, (kind, text, value, end - len(text), end, known)))
            self.position = end

    def next(self) -> Token | LexicalError:
        text = self.text
        if text[self.position : self.position + 1] in SKIPPED:
            error = self.skip()
            if error is not None:
                return error
        start = self.position
        if start >= len(text):
            return Token(END, "", "", start, start)
        character = text[start]
        if character == "_" or character.isalpha():
            return self.word(start)
        if "0" <= character <= "9" or (character == "." and text[start + 1 : start + 2].isdecimal()):
            return self.number(start)
        if character in "\"'":
            return self.quoted(start, character)
        if character == "`":
            return self.raw(start)
        if character == "[":
            return self.range(start)
        if character == "-":
            return self.minus(start)
        return self.operator(start, character)

    def skip(self) -> LexicalError | None:
        """White space and comments."""
        text = self.text
        while self.position < len(text):
            start = self.position
            if text[start] in " \t\r\n":
                matched = _SPACE.match(text, start)
                self.position = matched.end() if matched else start + 1
            elif text[start] == "#" or text.startswith("//", start):
                newline = text.find("\n", start)
                self.position = len(text) if newline < 0 else newline + 1
            elif text.startswith("/*", start):
                end = text.find("*/", start + 2)
                if end < 0:
                    return LexicalError("comment not terminated", start, len(text))
                self.position = end + 2
            else:
                return None
        return None

    def token(self, kind: str, start: int, end: int, value: str | int = "", line_known: bool = True) -> Token:
        self.position = end
        return Token(kind, self.text[start:end], value, start, end, line_known)

    def word(self, start: int) -> Token:
        matched = _IDENTIFIER.match(self.text, start)
        end = matched.end() if matched else start + 1
        name = self.text[start:end]
        lower = name.lower()
        if (lower != name and not self.dialect.any_case) or lower in self.dialect.unknown:
            return self.token("IDENTIFIER", start, end, name)
        if lower in RESERVED:
            return self.token(lower, start, end, lower)
        if lower in FUNCTION_WORDS and self.called(end):
            return self.token(FUNCTION_WORDS[lower], start, end, lower)
        return self.token("IDENTIFIER", start, end, name)

    def called(self, end: int) -> bool:
        return bool(_AFTER_WORD.match(self.text, end) or _AFTER_WORD_GROUPING.match(self.text, end))

    def operator(self, start: int, character: str) -> Token | LexicalError:
        pair = self.text[start : start + 2]
        if pair in self.dialect.pairs:
            return self.token(pair, start, start + 2, line_known=False)
        if character in ONE_CHARACTER:
            return self.token(character, start, start + 1)
        if character == "\0":
            return LexicalError("invalid character NUL", start, start + 1)
        if "\ud800" <= character <= "\udfff":
            return LexicalError("invalid UTF-8 encoding", start, start + 1)
        return self.token("IDENTIFIER", start, start + 1, character)

    # --- numbers ---------------------------------------------------------------------------------------------

    def number(self, start: int) -> Token | LexicalError:
        end, error = scan_number(self.text, start, blank_matters=self.version.has(NO_BINARY_AFTER_BLANK))
        petabytes = _PETABYTES.match(self.text, start) if self.version.has(PETABYTES) else None
        if petabytes:
            try:
                size = parse_bytes(petabytes[0])
            except ValueError:
                # Too large for a size, it is a number and a word.
                end = start + len(petabytes[0].rstrip("PpIiBb"))
                return self.token("NUMBER", start, end, self.text[start:end])
            return self.token("BYTES", start, petabytes.end(), size, line_known=False)
        if error:
            return LexicalError(error, start, end)
        return self.extended(start, end) or self.token("NUMBER", start, end, self.text[start:end])

    def extended(self, start: int, end: int) -> Token | None:
        """A number that goes on as a duration or a size."""
        matched = _DURATION_CHARACTERS.match(self.text, end)
        if matched:
            value = duration(self.text[start : matched.end()])
            if value is not None:
                return self.token("DURATION", start, matched.end(), value, line_known=False)
        matched = _BYTES_CHARACTERS.match(self.text, end)
        if matched:
            try:
                size = parse_bytes(self.text[start : matched.end()])
            except ValueError:
                return None
            return self.token("BYTES", start, matched.end(), size, line_known=False)
        return None

    def minus(self, start: int) -> Token:
        flag = _FLAG.match(self.text, start)
        if flag:
            return self.token("FUNCTION_FLAG", start, flag.end(), flag[0], line_known=False)
        matched = _DURATION_CHARACTERS.match(self.text, start + 1)
        if matched:
            try:
                value = parse_go_duration(self.text[start : matched.end()])
            except ValueError:
                value = None
            if value is not None:
                return self.token("DURATION", start, matched.end(), value, line_known=False)
        return self.token("-", start, start + 1)

    def range(self, start: int) -> Token | LexicalError:
        end = self.text.find("]", start)
        if end < 0:
            return LexicalError("missing closing ']' in duration", start, len(self.text), line_known=False)
        try:
            value = parse_prometheus_duration(self.text[start + 1 : end])
        except ValueError as error:
            return LexicalError(str(error), start, end + 1, line_known=False)
        return self.token("RANGE", start, end + 1, value, line_known=False)

    # --- strings ---------------------------------------------------------------------------------------------

    def raw(self, start: int) -> Token | LexicalError:
        end = self.text.find("`", start + 1)
        if end < 0:
            return LexicalError("literal not terminated", start, len(self.text))
        if "\0" in self.text[start:end]:
            return LexicalError("invalid character NUL", start, end + 1)
        # Go's raw strings lose carriage returns.
        return self.token("STRING", start, end + 1, self.text[start + 1 : end].replace("\r", ""))

    def quoted(self, start: int, mark: str) -> Token | LexicalError:
        end, count, error = scan_quoted(self.text, start, mark)
        if error or "\0" in self.text[start:end]:
            return LexicalError(error or "invalid character NUL", start, end)
        if mark == "'":
            if count != 1:
                return LexicalError("invalid char literal", start, end)
            return self.token("IDENTIFIER", start, end, self.text[start:end])
        value = unescape(self.text[start + 1 : end - 1])
        if value is None:
            return LexicalError("invalid syntax", start, end)
        return self.token("STRING", start, end, value)


def duration(text: str) -> int | None:
    """Nanoseconds of a duration outside of brackets: Prometheus' form, else Go's; None where it is neither."""
    for parse in (parse_prometheus_duration, parse_go_duration):
        try:
            return parse(text)
        except ValueError:
            continue
    return None


_DIGITS = lazy_pattern(r"[0-9_]*")
_HEX_DIGITS = lazy_pattern(r"[0-9a-fA-F_]*")


def scan_number(text: str, start: int, *, blank_matters: bool = True) -> tuple[int, str]:
    """The end of the number that begins at ``start``, and the first thing wrong with it (Go's scanner).

    ``blank_matters``: behind a space there are no binary numbers.
    """
    scanner = _NumberScanner(text, start, blank_matters)
    scanner.run()
    return scanner.position, scanner.error


class _NumberScanner:
    NAMES = {"x": "hexadecimal literal", "o": "octal literal", "0": "octal literal", "b": "binary literal"}

    FOREIGN = {"0": "89", "o": "89", "b": "23456789"}

    def __init__(self, text: str, start: int, blank_matters: bool) -> None:
        self.text, self.start, self.position = text, start, start
        self.blank_matters = blank_matters
        self.error = ""
        self.prefix = ""
        self.invalid = ""

    def peek(self) -> str:
        return self.text[self.position : self.position + 1]

    def fail(self, message: str) -> None:
        self.error = self.error or message

    def digits(self, pattern: re.Pattern[str]) -> bool:
        matched = pattern.match(self.text, self.position)
        found = matched[0] if matched else ""
        if self.prefix in self.FOREIGN and not self.invalid:
            self.invalid = next((digit for digit in found if digit in self.FOREIGN[self.prefix]), "")
        self.position += len(found)
        return any(digit != "_" for digit in found)

    def run(self) -> None:
        is_float = self.peek() == "."
        any_digits = False
        pattern = _DIGITS
        if not is_float:
            if self.peek() == "0":
                pattern, any_digits = self.radix()
            any_digits = self.digits(pattern) or any_digits
        if self.peek() == ".":
            is_float = True
            self.position += 1
            if self.prefix in ("o", "b"):
                self.fail(f"invalid radix point in {self.NAMES[self.prefix]}")
            any_digits = self.digits(pattern) or any_digits
        if not any_digits:
            self.fail(f"{self.NAMES.get(self.prefix, 'decimal literal')} has no digits")
        is_float = self.exponent() or is_float
        if not is_float and self.invalid:
            self.fail(f"invalid digit '{self.invalid}' in {self.NAMES[self.prefix]}")
        self.separators()

    def radix(self) -> tuple[re.Pattern[str], bool]:
        self.position += 1
        letter = self.peek().lower()
        if letter == "x":
            self.prefix = "x"
            self.position += 1
            return _HEX_DIGITS, False
        if letter == "o":
            self.prefix = "o"
            self.position += 1
            return _DIGITS, False
        if letter == "b" and self.blank_matters and self.text[max(self.start - 1, 0)] in " \t\r\n":
            # Behind a space a binary number is refused: the prefix is read and nothing may follow.
            self.fail("decimal literal has no digits")
            self.position += 1
            return _DIGITS, True
        if letter == "b":
            self.prefix = "b"
            self.position += 1
            return _DIGITS, False
        self.prefix = "0"
        return _DIGITS, True

    def exponent(self) -> bool:
        letter = self.peek()
        kind = letter.lower()
        if kind not in ("e", "p") or not kind:
            if self.prefix == "x" and "." in self.text[self.start : self.position]:
                self.fail("hexadecimal mantissa requires a 'p' exponent")
            return False
        if kind == "e" and self.prefix not in ("", "0"):
            self.fail(f"'{letter}' exponent requires decimal mantissa")
        elif kind == "p" and self.prefix != "x":
            self.fail(f"'{letter}' exponent requires hexadecimal mantissa")
        self.position += 1
        if self.peek() in ("+", "-") and self.peek():
            self.position += 1
        prefix, self.prefix = self.prefix, ""
        if not self.digits(_DIGITS):
            self.fail("exponent has no digits")
        self.prefix = prefix
        return True

    def separators(self) -> None:
        number = self.text[self.start : self.position]
        if "_" in number:
            body = number[2:] if number[:2].lower() in ("0x", "0o", "0b") else number
            lead = r"^(?!_?[0-9a-fA-F])" if body != number else r"^_"
            if re.search(rf"{lead}|__|_$|_[^0-9a-fA-F_]|[.eEpP+-]_", body if body != number else number):
                self.fail("'_' must separate successive digits")


_SIMPLE_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\"}
_HEX_LENGTHS = {"x": 2, "u": 4, "U": 8}


def scan_quoted(text: str, start: int, mark: str) -> tuple[int, int, str]:
    """The end of a quoted literal, how many characters it has, and the first thing wrong with it."""
    position, count, error = start + 1, 0, ""
    while position < len(text) and text[position] != mark:
        character = text[position]
        if character == "\n":
            return position, count, error or "literal not terminated"
        if "\ud800" <= character <= "\udfff":
            error = error or "invalid UTF-8 rune"
        if character == "\\":
            length = _escape_length(text, position, mark)
            if not length:
                error = error or "invalid char escape"
            position += length or 1
            if position > len(text) or (length == 0 and position < len(text) and text[position] != "\n"):
                position = min(position + (length == 0 and text[position : position + 1] != mark), len(text))
        else:
            position += 1
        count += 1
    if position >= len(text):
        return len(text), count, error or "literal not terminated"
    return position + 1, count, error


def _escape_length(text: str, position: int, mark: str) -> int:
    """The length of the escape at ``position``; 0 if it is not an escape."""
    letter = text[position + 1 : position + 2]
    if letter == mark or (letter and letter in _SIMPLE_ESCAPES):
        return 2
    if letter in _HEX_LENGTHS and letter:
        digits = text[position + 2 : position + 2 + _HEX_LENGTHS[letter]]
        fits = len(digits) == _HEX_LENGTHS[letter] and all(
            digit in "0123456789abcdefABCDEF" for digit in digits
        )
        return 2 + len(digits) if fits else 0
    digits = text[position + 1 : position + 4]
    return 4 if len(digits) == 3 and all("0" <= digit <= "7" for digit in digits) else 0


_ESCAPE = lazy_pattern(r"\\(?:x(..)|u(....)|U(........)|([0-7]{3})|(.))", re.DOTALL)


def unescape(body: str) -> str | None:
    """The text of a double-quoted body; None where an escape names no character."""
    if "\\" not in body:
        return body
    parts: list[bytes] = []
    position = 0
    for found in _ESCAPE.finditer(body):
        parts.append(body[position : found.start()].encode("utf-8", "surrogateescape"))
        position = found.end()
        byte, short, long, octal, letter = found.groups()
        if byte or octal:
            code = int(byte, 16) if byte else int(octal, 8)
            if code > 255:
                return None
            parts.append(bytes([code]))
        elif short or long:
            code = int(short or long, 16)
            if code > 0x10FFFF:
                return None
            # A surrogate is not a character: Go writes the replacement character for it.
            parts.append(("\ufffd" if 0xD800 <= code <= 0xDFFF else chr(code)).encode())
        else:
            parts.append(_SIMPLE_ESCAPES.get(letter, letter).encode())
    parts.append(body[position:].encode("utf-8", "surrogateescape"))
    return b"".join(parts).decode("utf-8", "surrogateescape")
