"""Regular expressions as Go and Loki have them.

* `parse_regex` is Go's ``regexp/syntax`` parser: its error words, and the tree it makes (with its factoring of
  alternations, which decides what Loki's simplifier sees).
* `simplify` is Loki's replacement of regular expressions by substring tests; it changes what label filters match.
* `compile_search`, `compile_selector`, `compile_anchored` give RE2 objects that work on bytes.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import field
from typing import TYPE_CHECKING, Any, Protocol

from lokictl.lazy import lazy, lazy_pattern
from lokictl.logql.errors import LogQLError
from lokictl.records import dataclass

if TYPE_CHECKING:
    import re2
else:
    # Many runs match no regular expression.
    re2 = lazy("re2")

MAX_RUNE = 0x10FFFF
MAX_REPEAT = 1000
MAX_HEIGHT = 1000
MAX_MEMORY = 256 << 20

# Node kinds, in Go's order (the order decides which of two classes is "the more complex").
NO_MATCH, EMPTY, LITERAL, CLASS, ANY_NOT_NEWLINE, ANY, BEGIN_LINE, END_LINE = range(8)
(
    BEGIN_TEXT,
    END_TEXT,
    WORD_BOUNDARY,
    NO_WORD_BOUNDARY,
    CAPTURE,
    STAR,
    PLUS,
    QUEST,
    REPEAT,
    CONCAT,
    ALTERNATE,
) = range(8, 19)
LEFT_PAREN, VERTICAL_BAR = 100, 101

FOLD, DOT_NEWLINE, MULTI_LINE, NON_GREEDY = "i", "s", "m", "U"


class RegexError(LogQLError):
    """A regular expression that Go refuses; ``str(error)`` is Go's text."""

    def __init__(self, reason: str, fragment: str) -> None:
        super().__init__(f"error parsing regexp: {reason}: `{fragment}`")


@dataclass
class Regex:
    """A node of the tree; ``text`` of a literal, ``ranges`` of a class, ``subs`` below."""

    kind: int
    subs: list[Regex] = field(default_factory=list)
    text: str = ""
    ranges: tuple[Any, ...] = ()
    fold: bool = False
    greedy: bool = True
    minimum: int = 0
    maximum: int = 0
    capture: int = 0
    name: str = ""
    flags: frozenset[str] = frozenset()

    def key(self) -> tuple[Any, ...]:
        """Equal for equal expressions."""
        shape = (
            self.kind,
            self.text,
            self.ranges,
            self.fold,
            self.greedy,
            self.minimum,
            self.maximum,
            self.name,
        )
        return (*shape, tuple(sub.key() for sub in self.subs))


@dataclass(frozen=True)
class ParsedRegex:
    """``root`` of the tree, and the names of the capture groups ("" for unnamed ones)."""

    root: Regex
    group_names: tuple[str, ...]


def parse_regex(pattern: str, *, short_groups: bool = True) -> ParsedRegex:
    """Parses as Go does (Perl flags); raises `RegexError`.  ``short_groups``: ``(?<name>`` is a named group, too."""
    return _parsed(pattern, short_groups)


@functools.lru_cache(maxsize=4096)
def _parsed(pattern: str, short_groups: bool) -> ParsedRegex:
    parser = _Parser(pattern, short_groups=short_groups)
    root = parser.parse()
    return ParsedRegex(root, tuple(parser.names))


def orbit(character: str) -> set[str]:
    """The characters that Unicode's simple folding makes equal to ``character``."""
    found = {character}
    for variant in (character.lower(), character.upper(), character.title(), character.casefold()):
        if len(variant) == 1:
            found |= {variant, *(v for v in (variant.lower(), variant.upper()) if len(v) == 1)}
    for group in ("kK\u212a", "sS\u017f", "åÅ\u212b", "θΘϑϴ", "ωΩ\u2126", "μΜµ"):
        if found & set(group):
            found |= set(group)
    return found


_PERL = {
    "d": (("0", "9"),),
    "s": (("\t", "\n"), ("\f", "\r"), (" ", " ")),
    "w": (("0", "9"), ("A", "Z"), ("_", "_"), ("a", "z")),
}
_POSIX = {
    "alnum": "09AZaz",
    "alpha": "AZaz",
    "ascii": "\x00\x7f",
    "blank": "\t\t  ",
    "cntrl": "\x00\x1f\x7f\x7f",
    "digit": "09",
    "graph": "!~",
    "lower": "az",
    "print": " ~",
    "punct": "!/:@[`{~",
    "space": "\t\r  ",
    "upper": "AZ",
    "word": "09AZaz__",
    "xdigit": "09AFaf",
}


_SURROGATE = lazy_pattern(r"[\ud800-\udfff]")
_PLAIN = lazy_pattern(r"[A-Za-z0-9 _,:;/\"'<>=!@#%&~-]{2,}")
"""Characters without a meaning of their own."""


class _Parser:
    def __init__(self, pattern: str, *, short_groups: bool = True) -> None:
        self.whole = pattern
        self.openings = ("(?P<", "(?<") if short_groups else ("(?P<",)
        self.position = 0
        self.stack: list[Regex] = []
        self.flags: frozenset[str] = frozenset()
        self.names: list[str] = []
        self.depth = 0

    def rest(self) -> str:
        return self.whole[self.position :]

    def parse(self) -> Regex:
        if _SURROGATE.search(self.whole):
            raise RegexError("invalid UTF-8", self.whole)
        last_repeat = -1
        while self.position < len(self.whole):
            start, before = self.position, last_repeat
            last_repeat = -1
            character = self.whole[start]
            if character in "*+?":
                self.position += 1
                kind = {"*": STAR, "+": PLUS, "?": QUEST}[character]
                self.repeat(kind, 0, 0, start, before)
                last_repeat = start
            elif character == "{" and (found := self.counted()) is not None:
                low, high = found
                if low < 0 or low > MAX_REPEAT or high > MAX_REPEAT or (high >= 0 and low > high):
                    raise RegexError("invalid repeat count", self.whole[start : self.position])
                self.repeat(REPEAT, low, high, start, before)
                last_repeat = start
            else:
                self.atom(character)
        self.concat()
        if self.swap_vertical_bar():
            self.stack.pop()
        self.alternate()
        if len(self.stack) != 1:
            raise RegexError("missing closing )", self.whole)
        return self.stack[0]

    def atom(self, character: str) -> None:
        if character == "(":
            self.open()
        elif character == "|":
            self.position += 1
            self.concat()
            if not self.swap_vertical_bar():
                self.stack.append(Regex(VERTICAL_BAR))
        elif character == ")":
            self.close()
        elif character == "^":
            self.simple(BEGIN_LINE if MULTI_LINE in self.flags else BEGIN_TEXT)
        elif character == "$":
            self.simple(END_LINE if MULTI_LINE in self.flags else END_TEXT)
        elif character == ".":
            self.simple(ANY if DOT_NEWLINE in self.flags else ANY_NOT_NEWLINE)
        elif character == "[":
            self.character_class()
        elif character == "\\":
            self.escape()
        elif FOLD not in self.flags and (found := _PLAIN.match(self.whole, self.position)):
            self.position = found.end()
            self.literals(found[0])
        else:
            self.position += 1
            self.literal(character)

    def simple(self, kind: int) -> None:
        self.position += 1
        self.push(Regex(kind))

    # --- the stack -----------------------------------------------------------------------------------------

    def literal(self, character: str) -> None:
        folded = FOLD in self.flags
        self.push(Regex(LITERAL, text=min(orbit(character)) if folded else character, fold=folded))

    def literals(self, text: str) -> None:
        """As `literal` for each character of ``text``: all but the last are joined with what is on top."""
        self.maybe_concat()
        top = self.stack[-1] if self.stack else None
        if top is not None and top.kind == LITERAL and not top.fold:
            top.text += text[:-1]
        else:
            self.stack.append(Regex(LITERAL, text=text[:-1]))
        self.stack.append(Regex(LITERAL, text=text[-1]))

    def push(self, node: Regex) -> None:
        if node.kind == CLASS:
            single = _single(node.ranges)
            if single is not None:
                character, folded = single
                if self.maybe_concat(character, folded):
                    return
                node = Regex(LITERAL, text=character, fold=folded)
                self.stack.append(node)
                return
        self.maybe_concat()
        self.stack.append(node)

    def maybe_concat(self, character: str | None = None, folded: bool = False) -> bool:
        """Joins the two literals on top; True where ``character`` took the place of the upper one."""
        if len(self.stack) < 2:
            return False
        upper, lower = self.stack[-1], self.stack[-2]
        if upper.kind != LITERAL or lower.kind != LITERAL or upper.fold != lower.fold:
            return False
        lower.text += upper.text
        if character is not None:
            upper.text, upper.fold = character, folded
            return True
        self.stack.pop()
        return False

    def concat(self) -> None:
        self.maybe_concat()
        subs = self.above()
        self.push(self.collapse(subs, CONCAT) if subs else Regex(EMPTY))

    def alternate(self) -> None:
        subs = self.above()
        self.push(self.collapse(subs, ALTERNATE) if subs else Regex(NO_MATCH))

    def above(self) -> list[Regex]:
        index = len(self.stack)
        while index > 0 and self.stack[index - 1].kind < LEFT_PAREN:
            index -= 1
        subs = self.stack[index:]
        del self.stack[index:]
        return subs

    def collapse(self, subs: list[Regex], kind: int) -> Regex:
        if len(subs) == 1:
            return subs[0]
        flat = [part for sub in subs for part in (sub.subs if sub.kind == kind else [sub])]
        if kind == ALTERNATE:
            flat = self.factor(flat)
            if len(flat) == 1:
                return flat[0]
        return Regex(kind, flat)

    def swap_vertical_bar(self) -> bool:
        stack = self.stack
        if (
            len(stack) >= 3
            and stack[-2].kind == VERTICAL_BAR
            and _is_class(stack[-1])
            and _is_class(stack[-3])
        ):
            first, third = stack[-1], stack[-3]
            if first.kind > third.kind:
                first, third = third, first
            stack[-3] = _merge(third, first)
            stack.pop()
            return True
        if len(stack) >= 2 and stack[-2].kind == VERTICAL_BAR:
            stack[-2], stack[-1] = stack[-1], stack[-2]
            return True
        return False

    # --- groups --------------------------------------------------------------------------------------------

    def open(self) -> None:
        self.depth += 1
        if self.depth > MAX_HEIGHT:
            raise RegexError("expression nests too deeply", self.whole)
        if self.whole.startswith("(?", self.position):
            self.perl_group()
            return
        self.position += 1
        self.names.append("")
        self.stack.append(Regex(LEFT_PAREN, capture=len(self.names), flags=self.flags))

    def perl_group(self) -> None:
        rest = self.rest()
        prefix = next((opening for opening in self.openings if rest.startswith(opening)), "")
        if prefix:
            end = rest.find(">")
            if end < 0:
                raise RegexError("invalid named capture", rest)
            name = rest[len(prefix) : end]
            if not re.fullmatch(r"[A-Za-z0-9_]+", name):
                raise RegexError("invalid named capture", rest[: end + 1])
            self.names.append(name)
            self.stack.append(Regex(LEFT_PAREN, capture=len(self.names), name=name, flags=self.flags))
            self.position += end + 1
            return
        self.perl_flags(rest)

    def perl_flags(self, rest: str) -> None:
        flags, negative, seen = set(self.flags), False, False
        for index, character in enumerate(rest[2:], 2):
            if character in "imsU":
                (flags.discard if negative else flags.add)(character)
                seen = True
            elif character == "-" and not negative:
                negative, seen = True, False
            elif character in ":)" and (seen or not negative):
                if character == ":":
                    self.stack.append(Regex(LEFT_PAREN, flags=self.flags))
                else:
                    self.depth -= 1
                self.flags = frozenset(flags)
                self.position += index + 1
                return
            else:
                raise RegexError("invalid or unsupported Perl syntax", rest[: index + 1])
        raise RegexError("missing closing )", self.whole)

    def close(self) -> None:
        self.concat()
        if self.swap_vertical_bar():
            self.stack.pop()
        self.alternate()
        if len(self.stack) < 2 or self.stack[-2].kind != LEFT_PAREN:
            raise RegexError("unexpected )", self.whole)
        inner, paren = self.stack.pop(), self.stack.pop()
        self.flags = paren.flags
        self.depth -= 1
        self.position += 1
        if paren.capture:
            self.push(Regex(CAPTURE, [inner], capture=paren.capture, name=paren.name))
        else:
            self.push(inner)

    # --- repetition ----------------------------------------------------------------------------------------

    def counted(self) -> tuple[int, int] | None:
        found = re.compile(r"\{(0|[1-9][0-9]*)(?:(,)(0|[1-9][0-9]*)?)?\}").match(self.whole, self.position)
        if found is None:
            return None
        self.position = found.end()
        low = _count(found[1])
        return low, low if not found[2] else -1 if found[3] is None else _count(found[3])

    def repeat(self, kind: int, low: int, high: int, start: int, last: int) -> None:
        greedy = NON_GREEDY not in self.flags
        if self.whole.startswith("?", self.position):
            self.position += 1
            greedy = not greedy
        if last >= 0:
            raise RegexError("invalid nested repetition operator", self.whole[last : self.position])
        if not self.stack or self.stack[-1].kind >= LEFT_PAREN:
            raise RegexError("missing argument to repetition operator", self.whole[start : self.position])
        node = Regex(kind, [self.stack[-1]], greedy=greedy, minimum=low, maximum=high)
        self.stack[-1] = node
        if kind == REPEAT and (low >= 2 or high >= 2) and not _repeat_fits(node, MAX_REPEAT):
            raise RegexError("invalid repeat count", self.whole[start : self.position])

    # --- escapes and classes ---------------------------------------------------------------------------------

    def escape(self) -> None:
        rest = self.rest()
        letter = rest[1:2]
        kinds = {"A": BEGIN_TEXT, "b": WORD_BOUNDARY, "B": NO_WORD_BOUNDARY, "z": END_TEXT}
        if letter in kinds and letter:
            self.position += 2
            self.push(Regex(kinds[letter]))
        elif letter == "C":
            raise RegexError("invalid escape sequence", "\\C")
        elif letter == "Q":
            end = rest.find("\\E")
            text = rest[2:] if end < 0 else rest[2:end]
            self.position += len(rest) if end < 0 else end + 2
            for character in text:
                self.literal(character)
        else:
            ranges = self.escaped_class()
            if ranges is not None:
                self.push(Regex(CLASS, ranges=ranges))
            else:
                self.literal(self.escaped_character())

    def escaped_class(self) -> tuple[Any, ...] | None:
        """``\\d``, ``\\pL`` and their like; None where the escape is none of these."""
        rest = self.rest()
        letter = rest[1:2]
        if letter and letter in "dswDSW":
            self.position += 2
            ranges = [(ord(low), ord(high)) for low, high in _PERL[letter.lower()]]
            return _clean(_negate(ranges) if letter.isupper() else ranges)
        if letter and letter in "pP":
            return self.unicode_class(rest)
        return None

    def unicode_class(self, rest: str) -> tuple[Any, ...]:
        if rest[2:3] == "{":
            end = rest.find("}")
            if end < 0:
                raise RegexError("invalid character class range", rest)
            sequence = rest[: end + 1]
        else:
            sequence = rest[:3]
        if len(sequence) < 3 or not _known_class(sequence):
            raise RegexError("invalid character class range", sequence)
        self.position += len(sequence)
        return (sequence,)

    def escaped_character(self) -> str:
        rest = self.rest()
        if len(rest) < 2:
            raise RegexError("trailing backslash at end of expression", "")
        letter = rest[1]
        found = re.match(r"\\(?:([1-7][0-7]{1,2}|0[0-7]{0,2})|x([0-9a-fA-F]{2})|x\{([0-9a-fA-F]+)\})", rest)
        if found:
            code = int(found[1], 8) if found[1] else int(found[2] or found[3], 16)
            if code <= MAX_RUNE:
                self.position += found.end()
                return chr(code)
        elif letter in "afnrtv":
            self.position += 2
            return {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}[letter]
        elif letter < "\x80" and not letter.isalnum():
            self.position += 2
            return letter
        end = re.match(r"\\x\{[0-9a-fA-F]*.?|\\x[0-9a-fA-F]?.?|\\.", rest, re.DOTALL)
        raise RegexError("invalid escape sequence", end[0] if end else rest)

    def character_class(self) -> None:
        whole = self.rest()
        self.position += 1
        negative = self.whole.startswith("^", self.position)
        self.position += negative
        ranges: list[Any] = []
        first = True
        while first or not self.whole.startswith("]", self.position):
            if self.position >= len(self.whole):
                raise RegexError("missing closing ]", whole)
            first = False
            if self.whole.startswith("[:", self.position) and (named := self.posix_class()) is not None:
                ranges += named
                continue
            if self.whole.startswith("\\", self.position) and (escaped := self.escaped_class()) is not None:
                ranges += escaped
                continue
            ranges += self.class_range(whole)
        self.position += 1
        if negative:
            ranges = (
                ["^", *_clean(ranges)]
                if any(isinstance(item, str) for item in ranges)
                else _negate(_clean(ranges))
            )
        self.push(Regex(CLASS, ranges=_clean(ranges)))

    def posix_class(self) -> list[Any] | None:
        end = self.whole.find(":]", self.position + 2)
        if end < 0:
            return None
        text = self.whole[self.position : end + 2]
        name = text[2:-2]
        bare = name.removeprefix("^")
        if bare not in _POSIX:
            raise RegexError("invalid character class range", text)
        self.position = end + 2
        ends = _POSIX[bare]
        ranges = [(ord(ends[index]), ord(ends[index + 1])) for index in range(0, len(ends), 2)]
        return self.folded(_negate(ranges) if name != bare else ranges)

    def class_range(self, whole: str) -> list[Any]:
        start = self.position
        low = high = self.class_character(whole)
        if self.whole.startswith("-", self.position) and self.whole[
            self.position + 1 : self.position + 2
        ] not in ("]", ""):
            self.position += 1
            high = self.class_character(whole)
            if high < low:
                raise RegexError("invalid character class range", self.whole[start : self.position])
        return self.folded([(ord(low), ord(high))])

    def class_character(self, whole: str) -> str:
        if self.position >= len(self.whole):
            raise RegexError("missing closing ]", whole)
        if self.whole[self.position] == "\\":
            return self.escaped_character()
        self.position += 1
        return self.whole[self.position - 1]

    def folded(self, ranges: list[Any]) -> list[Any]:
        if FOLD not in self.flags:
            return ranges
        more = list(ranges)
        for low, high in ranges:
            if high - low < 1024:
                more += [(ord(c), ord(c)) for code in range(low, high + 1) for c in orbit(chr(code))]
        return more

    # --- alternations: common beginnings are taken out ---------------------------------------------------------

    def factor(self, subs: list[Regex]) -> list[Regex]:
        if len(subs) < 2:
            return subs
        subs = self.factor_literals(subs)
        subs = self.factor_leading(subs)
        subs = _merge_characters(subs)
        return [
            sub
            for index, sub in enumerate(subs)
            if not (sub.kind == EMPTY and index + 1 < len(subs) and subs[index + 1].kind == EMPTY)
        ]

    def factor_literals(self, subs: list[Regex]) -> list[Regex]:
        out: list[Regex] = []
        start, text, fold = 0, "", False
        for index in range(len(subs) + 1):
            own_text, own_fold = "", False
            if index < len(subs):
                own_text, own_fold = _leading_string(subs[index])
                if own_fold == fold:
                    same = _common(text, own_text)
                    if same:
                        text = text[:same]
                        continue
            if index == start + 1:
                out.append(subs[start])
            elif index > start:
                prefix = Regex(LITERAL, text=text, fold=fold)
                rests = [_without_string(sub, len(text)) for sub in subs[start:index]]
                out.append(Regex(CONCAT, [prefix, self.collapse(rests, ALTERNATE)]))
            start, text, fold = index, own_text, own_fold
        return out

    def factor_leading(self, subs: list[Regex]) -> list[Regex]:
        out: list[Regex] = []
        start: int = 0
        first: Regex | None = None
        for index in range(len(subs) + 1):
            own: Regex | None = None
            if index < len(subs):
                own = _leading_regex(subs[index])
                if first is not None and own is not None and first.key() == own.key() and _is_factor(first):
                    continue
            if index == start + 1:
                out.append(subs[start])
            elif index > start and first is not None:
                rests = [_without_regex(sub) for sub in subs[start:index]]
                out.append(Regex(CONCAT, [first, self.collapse(rests, ALTERNATE)]))
            start, first = index, own
        return out


def _count(text: str) -> int:
    return int(text) if len(text) < 8 else MAX_REPEAT + 1


def _repeat_fits(node: Regex, left: int) -> bool:
    if node.kind == REPEAT:
        times = node.maximum if node.maximum >= 0 else node.minimum
        if times == 0:
            return True
        if times > left:
            return False
        if times > 0:
            left //= times
    return all(_repeat_fits(sub, left) for sub in node.subs)


def _clean(ranges: Any) -> tuple[Any, ...]:
    """Sorted, merged ranges; named classes (strings) last."""
    names = [item for item in ranges if isinstance(item, str)]
    merged: list[tuple[int, int]] = []
    for low, high in sorted(item for item in ranges if not isinstance(item, str)):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return (*merged, *names)


def _negate(ranges: Any) -> list[Any]:
    out, following = [], 0
    for low, high in _clean(ranges):
        if low > following:
            out.append((following, low - 1))
        following = high + 1
    if following <= MAX_RUNE:
        out.append((following, MAX_RUNE))
    return out


def _single(ranges: tuple[Any, ...]) -> tuple[str, bool] | None:
    """The one character a class stands for, and whether in both cases; None for real classes."""
    if any(isinstance(item, str) for item in ranges):
        return None
    codes = [code for low, high in ranges for code in range(low, min(high, low + 2) + 1)]
    if len(codes) == 1:
        return chr(codes[0]), False
    if len(codes) == 2 and orbit(chr(codes[0])) == {chr(codes[0]), chr(codes[1])}:
        return chr(codes[0]), True
    return None


@functools.lru_cache(maxsize=256)
def _known_class(sequence: str) -> bool:
    try:
        re2.compile(sequence, _options())
    except re2.error:
        return False
    return True


def _is_class(node: Regex) -> bool:
    return (node.kind == LITERAL and len(node.text) == 1) or node.kind in (CLASS, ANY_NOT_NEWLINE, ANY)


def _is_factor(node: Regex) -> bool:
    if _is_class(node):
        return True
    return node.kind == REPEAT and node.minimum == node.maximum and _is_class(node.subs[0])


def _ranges_of(node: Regex) -> list[Any]:
    if node.kind == LITERAL:
        return [(ord(c), ord(c)) for c in (orbit(node.text) if node.fold else node.text)]
    if node.kind == ANY:
        return [(0, MAX_RUNE)]
    if node.kind == ANY_NOT_NEWLINE:
        return [(0, 9), (11, MAX_RUNE)]
    return list(node.ranges)


def _merge(into: Regex, other: Regex) -> Regex:
    if into.kind == ANY:
        return into
    if into.kind == ANY_NOT_NEWLINE:
        newline = any(not isinstance(item, str) and item[0] <= 10 <= item[1] for item in _ranges_of(other))
        return Regex(ANY) if newline else into
    if into.kind == LITERAL and into.text == other.text and into.fold == other.fold:
        return into
    return Regex(CLASS, ranges=_clean([*_ranges_of(into), *_ranges_of(other)]))


def _merge_characters(subs: list[Regex]) -> list[Regex]:
    out: list[Regex] = []
    start = 0
    for index in range(len(subs) + 1):
        if index < len(subs) and _is_class(subs[index]):
            continue
        run = subs[start:index]
        if len(run) == 1:
            out += run
        elif run:
            most = max(range(len(run)), key=lambda place: (run[place].kind, len(run[place].ranges), -place))
            run[0], run[most] = run[most], run[0]
            merged = run[0]
            for other in run[1:]:
                merged = _merge(merged, other)
            if merged.kind == CLASS:
                merged = {((0, MAX_RUNE),): Regex(ANY), ((0, 9), (11, MAX_RUNE)): Regex(ANY_NOT_NEWLINE)}.get(
                    merged.ranges, merged
                )
            out.append(merged)
        if index < len(subs):
            out.append(subs[index])
        start = index + 1
    return out


def _leading_string(node: Regex) -> tuple[str, bool]:
    if node.kind == CONCAT and node.subs:
        node = node.subs[0]
    return (node.text, node.fold) if node.kind == LITERAL else ("", False)


def _common(first: str, second: str) -> int:
    count = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        count += 1
    return count


def _without_string(node: Regex, count: int) -> Regex:
    if node.kind == CONCAT and node.subs:
        head = _without_string(node.subs[0], count)
        if head.kind == EMPTY:
            return node.subs[1] if len(node.subs) == 2 else Regex(CONCAT, node.subs[1:])
        return Regex(CONCAT, [head, *node.subs[1:]])
    if node.kind == LITERAL:
        rest = node.text[count:]
        return Regex(LITERAL, text=rest, fold=node.fold) if rest else Regex(EMPTY)
    return node


def _leading_regex(node: Regex) -> Regex | None:
    if node.kind == EMPTY:
        return None
    if node.kind == CONCAT and node.subs:
        return None if node.subs[0].kind == EMPTY else node.subs[0]
    return node


def _without_regex(node: Regex) -> Regex:
    if node.kind == CONCAT and node.subs:
        rest = node.subs[1:]
        return Regex(EMPTY) if not rest else rest[0] if len(rest) == 1 else Regex(CONCAT, rest)
    return Regex(EMPTY)


# --- Loki's simplifier -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Always:
    """Holds for every string."""


@dataclass(frozen=True)
class NonEmpty:
    """Holds for every string of at least one byte."""


@dataclass(frozen=True)
class Contains:
    """The text holds ``text`` somewhere."""

    text: str
    fold: bool = False


@dataclass(frozen=True)
class Equals:
    """The text is ``text``."""

    text: str
    fold: bool = False


@dataclass(frozen=True)
class AnyOf:
    """One of two tests holds."""

    left: Test
    right: Test


@dataclass(frozen=True)
class Matches:
    """A real regular expression; ``anchored`` for label filters."""

    pattern: str
    anchored: bool = False


Test = Always | NonEmpty | Contains | Equals | AnyOf | Matches


@functools.lru_cache(maxsize=4096)
def simplify(pattern: str, *, for_label: bool) -> Test:
    """What Loki makes of a regular expression in a line filter or (``for_label``) in a label filter.

    Raises `RegexError` for what Go refuses.
    """
    root = _expand(parse_regex(pattern).root)
    reduced = _reduce(root, for_label)
    return reduced if reduced is not None else Matches(pattern, for_label)


def _expand(node: Regex) -> Regex:
    """Counted repetitions written out, as Go's Simplify does (as far as the simplifier can see them)."""
    subs = [_expand(sub) for sub in node.subs]
    if node.kind == REPEAT:
        inner = subs[0]
        if node.minimum == 0 and node.maximum == 0:
            return Regex(EMPTY)
        if node.maximum == -1 and node.minimum <= 1:
            return Regex(PLUS if node.minimum else STAR, [inner], greedy=node.greedy)
        if node.minimum == 1 and node.maximum == 1:
            return inner
        if node.minimum == node.maximum or node.maximum == -1:
            copies = [inner] * (node.minimum - (node.maximum == -1))
            tail = [Regex(PLUS, [inner], greedy=node.greedy)] if node.maximum == -1 else []
            return Regex(CONCAT, [*copies, *tail])
        return Regex(QUEST, [inner])
    if node.kind in (STAR, PLUS, QUEST) and subs[0].kind == EMPTY:
        return subs[0]
    if node.kind in (STAR, PLUS, QUEST) and subs[0].kind == node.kind and subs[0].greedy == node.greedy:
        return subs[0]
    return Regex(
        node.kind,
        subs,
        node.text,
        node.ranges,
        node.fold,
        node.greedy,
        node.minimum,
        node.maximum,
        node.capture,
        node.name,
    )


def _reduce(node: Regex, label: bool) -> Test | None:
    if node.kind == CAPTURE:
        return _reduce(node.subs[0], label)
    if node.kind == LITERAL:
        return Equals(node.text, node.fold) if label else Contains(node.text, node.fold)
    if node.kind == STAR and node.subs[0].kind == ANY_NOT_NEWLINE:
        return Always()
    if node.kind == PLUS and node.subs[0].kind == ANY_NOT_NEWLINE:
        return NonEmpty()
    if node.kind == EMPTY:
        return Always()
    if node.kind == ALTERNATE:
        return _reduce_alternation(node, label)
    if node.kind == CONCAT:
        return _reduce_concatenation(node.subs, None)
    return None


def _reduce_alternation(node: Regex, label: bool) -> Test | None:
    result: Test | None = None
    for sub in node.subs:
        reduced = _reduce(sub, label)
        if reduced is None:
            return None
        result = reduced if result is None else either(result, reduced)
    return result


def either(left: Test, right: Test) -> Test:
    """Loki's "or" of two tests: one that always holds is dropped, it does not win."""
    if isinstance(left, Always):
        return right
    if isinstance(right, Always):
        return left
    return AnyOf(left, right)


def _reduce_concatenation(subs: list[Regex], base: Regex | None) -> Test | None:
    items = [sub for sub in subs if sub.kind != EMPTY]
    if len(items) > 3:
        return None
    result: Test | None = None
    own_literals = 0
    for item in items:
        if item.kind == CAPTURE:
            item = _uncaptured(item)
        if item.kind == LITERAL:
            own_literals += 1
            if own_literals > 1:
                return None
            base = Regex(LITERAL, text=(base.text if base else "") + item.text, fold=item.fold)
        elif item.kind == ALTERNATE and base is not None:
            alternatives = _reduce_with_base(item.subs, base)
            if alternatives is None:
                return None
            result = alternatives if result is None else either(result, alternatives)
        elif not (item.kind == STAR and item.subs[0].kind == ANY_NOT_NEWLINE):
            return None
    if result is not None:
        return result
    return Contains(base.text, base.fold) if base is not None else None


def _uncaptured(node: Regex) -> Regex:
    while node.kind == CAPTURE:
        node = node.subs[0]
    return node


def _reduce_with_base(alternatives: list[Regex], base: Regex) -> Test | None:
    result: Test | None = None
    for alternative in alternatives:
        item = _uncaptured(alternative)
        if not base.fold and item.fold and item.kind == LITERAL:
            return None
        reduced: Test | None
        if item.kind == EMPTY or (item.kind == STAR and item.subs[0].kind == ANY_NOT_NEWLINE):
            reduced = Contains(base.text, base.fold)
        elif item.kind == LITERAL:
            reduced = Contains(base.text + item.text, base.fold)
        elif item.kind == CONCAT:
            reduced = _reduce_concatenation(item.subs, base)
        else:
            return None
        if reduced is None:
            return None
        result = reduced if result is None else either(result, reduced)
    return result


def compile_test(test: Test, *, any_letter: bool = False) -> Callable[[bytes], bool]:
    """A test as a function of bytes."""
    if isinstance(test, Always):
        return lambda text: True
    if isinstance(test, NonEmpty):
        return lambda text: len(text) > 0
    if isinstance(test, AnyOf):
        left, right = (
            compile_test(test.left, any_letter=any_letter),
            compile_test(test.right, any_letter=any_letter),
        )
        return lambda text: left(text) or right(text)
    if isinstance(test, Matches):
        return (compile_anchored if test.anchored else compile_search)(test.pattern).matches
    needle = test.text.encode("utf-8", "surrogateescape")
    if isinstance(test, Contains):
        return _contains_folded(test.text, any_letter) if test.fold else lambda text: needle in text
    return _equals_folded(test.text, any_letter) if test.fold else lambda text: text == needle


def _contains_folded(text: str, any_letter: bool = False) -> Callable[[bytes], bool]:
    """Loki's case-insensitive search: a start is a byte that equals the pattern's first (ASCII letters folded).

    ``any_letter``: as before Loki 3.4, which compared all letters (`_contains_loosely`).
    """
    lowered = text.lower()
    if any_letter:
        return _contains_loosely(lowered)
    needle = lowered.encode("utf-8", "surrogateescape")
    if not needle:
        return lambda line: True
    if needle.isascii():
        return lambda line: needle in line.lower()
    first = needle[:1]

    def contains(line: bytes) -> bool:
        position = line.lower().find(first)
        while position >= 0:
            candidate = line[position : position + 2 * len(needle)].decode("utf-8", "surrogateescape").lower()
            if candidate.startswith(lowered):
                return True
            position = line.lower().find(first, position + 1)
        return False

    return contains


def _contains_loosely(lowered: str) -> Callable[[bytes], bool]:
    """The search of old Lokis: ASCII characters are alike where 32 lies between their codes, letters or not.

    After a character that differs it goes on behind that character, so that ``(?i)xy`` is not found in ``xxy``.
    """
    parts = [f"[{''.join(re.escape(other) for other in _alike(character))}]" for character in lowered]
    may_stand_in = re.compile("".join(parts))

    def contains(line: bytes) -> bool:
        text = line.decode("utf-8", "surrogateescape")
        if may_stand_in.search(text) is None:
            return False
        matched = 0
        for character in text:
            matched = matched + 1 if character in _alike(lowered[matched]) else 0
            if matched == len(lowered):
                return True
        return not lowered

    return contains


@functools.lru_cache(maxsize=512)
def _alike(character: str) -> str:
    code = ord(character)
    if code >= 128:
        return character + character.upper() if len(character.upper()) == 1 else character
    # Two letters beyond ASCII have an ASCII letter as their small one.
    beyond = {"i": "\u0130", "k": "\u212a"}.get(character, "")
    return character + beyond + "".join(chr(other) for other in (code - 32, code + 32) if 0 <= other < 128)


def _equals_folded(text: str, any_letter: bool = False) -> Callable[[bytes], bool]:
    contains, length = (
        _contains_folded(text, any_letter),
        len(text.lower().encode("utf-8", "surrogateescape")),
    )
    return lambda value: len(value) == length and contains(value)


# --- RE2 ---------------------------------------------------------------------------------------------------------


class Match(Protocol):
    """What a search found; offsets count the bytes of the text that was searched."""

    def start(self) -> int: ...

    def end(self) -> int: ...

    def group(self, index: int, /) -> bytes | None: ...


_BROKEN = lazy_pattern("[\udc80-\udcff]")


class _BrokenText:
    """A string with bytes that are not UTF-8.  To Go each of them is one U+FFFD; RE2 matches them with nothing."""

    def __init__(self, text: bytes, decoded: str) -> None:
        self.text = text
        self.repaired = _BROKEN.sub("\ufffd", decoded).encode()
        self._original: dict[int, int] = {}
        """Offsets in `repaired` to those in `text`."""
        self._repaired: dict[int, int] = {}
        position = offset = 0
        for character in decoded:
            self._original[offset], self._repaired[position] = position, offset
            width = len(character.encode("utf-8", "surrogateescape"))
            position += width
            offset += 3 if _BROKEN.match(character) else width
        self._original[offset], self._repaired[position] = position, offset

    def search(self, regex: Any, position: int) -> Match | None:
        """The first match at or after byte ``position``."""
        found = regex.search(self.repaired, self._repaired[position])
        return None if found is None else _BrokenMatch(self, found)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Offsets in the text of a span of its repaired form."""
        return self._original[start], self._original[end]


class _BrokenMatch:
    """A match in a string with broken bytes."""

    def __init__(self, text: _BrokenText, found: Any) -> None:
        self._text, self._found = text, found

    def start(self) -> int:
        return self._text.span(*self._found.span())[0]

    def end(self) -> int:
        return self._text.span(*self._found.span())[1]

    def group(self, index: int, /) -> bytes | None:
        start, end = self._found.span(index)
        if start < 0:
            return None
        start, end = self._text.span(start, end)
        return self._text.text[start:end]


@functools.lru_cache(maxsize=8)
def _broken_text(text: bytes) -> _BrokenText | None:
    """None for UTF-8.  Remembered, because finding all matches searches one string again and again."""
    decoded = text.decode("utf-8", "surrogateescape")
    return _BrokenText(text, decoded) if _BROKEN.search(decoded) else None


class CompiledRegex:
    """An RE2 expression over bytes, which takes a broken byte for one character as Go does."""

    def __init__(self, pattern: str, shown: str) -> None:
        parse_regex(shown)
        pattern = _without_repeated_names(pattern)
        try:
            self.regex = re2.compile(pattern.encode("utf-8", "surrogateescape"), _options())
        except re2.error as error:
            reason = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
            raise RegexError(f"refused by RE2 ({reason})", shown) from None
        self.group_names: dict[str, int] = {
            name.decode() if isinstance(name, bytes) else name: index
            for name, index in self.regex.groupindex.items()
        }

    def search(self, text: bytes, position: int = 0) -> Match | None:
        """The first match at or after byte ``position``."""
        if not text.isascii() and (broken := _broken_text(text)) is not None:
            return broken.search(self.regex, position)
        found: Match | None = self.regex.search(text, position)
        return found

    def matches(self, text: bytes) -> bool:
        """Whether the expression is found."""
        if self.regex.search(text) is not None:
            return True
        # What RE2 finds, Go finds, too; broken bytes can only add to it.
        return not text.isascii() and self.search(text) is not None


def _without_repeated_names(pattern: str) -> str:
    """RE2 refuses two groups of one name, Go does not: only the first keeps it."""
    seen: set[str] = set()

    def once(matched: re.Match[str]) -> str:
        if matched[1] in seen:
            return "("
        seen.add(matched[1])
        return matched[0]

    return re.sub(r"\(\?P?<(\w+)>", once, pattern) if pattern.count("(?") > 1 else pattern


def _options() -> Any:
    options = re2.Options()
    options.max_mem = MAX_MEMORY
    options.log_errors = False
    return options


@functools.lru_cache(maxsize=4096)
def compile_search(pattern: str) -> CompiledRegex:
    """An unanchored search; dot does not match a newline.  Raises `RegexError`."""
    return CompiledRegex(pattern, pattern)


@functools.lru_cache(maxsize=4096)
def compile_selector(pattern: str) -> CompiledRegex:
    """As stream selectors, ``drop`` and ``keep`` compile it: anchored, dot matches newline."""
    return CompiledRegex(rf"\A(?s:{pattern})\z", pattern)


@functools.lru_cache(maxsize=4096)
def compile_anchored(pattern: str) -> CompiledRegex:
    """As label filters and ``label_replace`` compile it: anchored, dot does not match a newline."""
    return CompiledRegex(rf"\A(?:{pattern})\z", pattern)
