"""Grafana's variables in LogQL: ``$__auto``, ``$__interval``, ``$name``, ``${name:regex}``, ``[[name]]``.

Grafana replaces them as text before Loki sees the query.  `interpolate` does the same: values that are known are
written as Grafana's Loki data source writes them, and whatever is not known is replaced by something that parses
in its place (a duration between brackets, a number after a comparison, a name elsewhere), so that a dashboard's
query can be parsed, and every character of the result traced back to the text that people wrote.

Example::

    filled = interpolate('rate({app=~"$app"} |= "${text}" [$__auto])', {"app": ["a", "b"], "text": "x"})
    filled.text             # rate({app=~"a|b"} |= "x" [1m])
    filled.original(span)   # where a node of parse(filled.text) is in the query as written
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from urllib.parse import quote as percent_encode

from lokictl.lazy import lazy_pattern
from lokictl.logql.ast import Span
from lokictl.logql.units import HOUR, MILLISECOND, MINUTE, SECOND
from lokictl.records import dataclass

Value = str | int | float | Sequence[str]

STAND_IN = "grafana_"
"""How every name begins that is put in the place of a variable without a value."""

_VARIABLE = lazy_pattern(
    r"\$(?P<plain>[A-Za-z_]\w*)"
    r"|\$\{(?P<braced>[A-Za-z_]\w*)(?:[.\[](?P<path>[^:}]*))?(?::(?P<format>[^}]*))?\}"
    r"|\[\[(?P<squared>[A-Za-z_]\w*)(?::(?P<squared_format>\w+))?\]\]"
)
_TEXTS = lazy_pattern(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`|#[^\n]*|//[^\n]*|/\*.*?\*/', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable where it stands: ``format`` is what follows the colon of ``${name:format}``."""

    name: str
    format: str
    span: Span
    text: str
    in_text: bool
    """Whether it is inside quotes or a comment."""

    in_range: bool = False
    """Whether it is between the brackets of a range."""

    @property
    def is_macro(self) -> bool:
        """Whether it is one of Grafana's own (``$__interval``)."""
        return self.name.startswith("__")

    @property
    def is_syntax(self) -> bool:
        """Whether it can stand for any piece of LogQL: a variable of the dashboard, bare in the query."""
        return not (self.in_text or self.in_range or self.is_macro)


@dataclass(frozen=True, slots=True)
class Interpolated:
    """A query without variables.

    ``values`` has, for each of ``variables``, where in ``text`` its value is.
    """

    text: str
    variables: tuple[Variable, ...] = ()
    values: tuple[Span, ...] = ()

    def original(self, span: Span) -> Span:
        """A span of `text` as a span of the query as written."""
        return Span(self._offset(span.start), self._offset(span.end))

    def _offset(self, offset: int) -> int:
        """Where a character of `text`, or its end, is in the query as written."""
        offset = min(offset, len(self.text))
        shift = 0
        for variable, (start, end) in zip(self.variables, self.values, strict=True):
            if offset < start:
                break
            if offset < end:
                return variable.span.start + min(offset - start, len(variable.text) - 1)
            shift = variable.span.end - end
        return offset + shift


def variables(query: str) -> tuple[Variable, ...]:
    """Every variable and macro of a query, in order, those inside quotes too."""
    if "$" not in query and "[[" not in query:
        return ()
    texts = _TEXTS.finditer(query)
    text = next(texts, None)
    found = []
    for match in _VARIABLE.finditer(query):
        start, end = match.span()
        while text is not None and text.end() <= start:
            text = next(texts, None)
        inside = text is not None and text.start() <= start
        plain, braced, _, form, squared, squared_form = match.groups()
        in_range = not inside and _in_brackets(query, start)
        name, form = plain or braced or squared, form or squared_form or ""
        found.append(Variable(name, form, Span(start, end), match[0], inside, in_range))
    return tuple(found)


def names(text: str) -> Iterator[tuple[str, int, int]]:
    """(name, start, end) of every variable of any string, Grafana's own too; cheaper than `variables`."""
    if "$" not in text and "[[" not in text:
        return
    for found in _VARIABLE.finditer(text):
        plain, braced, _, _, squared, _ = found.groups()
        yield plain or braced or squared, found.start(), found.end()


def holds_variable(text: str) -> bool:
    """Whether a string holds a variable, or what `interpolate` put in the place of one: its value is not known."""
    if text.startswith(STAND_IN):
        return True
    return ("$" in text or "[[" in text) and _VARIABLE.search(text) is not None


def interpolate(
    query: str,
    values: Mapping[str, Value] | None = None,
    *,
    interval: int = MINUTE,
    time_range: int = HOUR,
    scrape_interval: int = 15 * SECOND,
    keep_strings: bool = False,
) -> Interpolated:
    """``query`` with every variable filled.

    ``values`` are the dashboard's variables (a list is a selection of several); ``interval``, ``time_range`` and
    ``scrape_interval`` (nanoseconds) fill ``$__interval``, ``$__range``, ``$__rate_interval`` and their like.
    ``keep_strings`` leaves unknown variables inside quotes as they are: they are text like any other to the parser.
    """
    found = variables(query)
    if not found:
        return Interpolated(query)
    macros = _macros(interval, time_range, scrape_interval)
    known = values or {}
    pieces: list[str] = []
    places: list[Span] = []
    cursor = length = 0
    for variable in found:
        start, end = variable.span
        pieces.append(query[cursor:start])
        length += start - cursor
        if variable.name in known:
            new = formatted(known[variable.name], variable.format)
        elif variable.name in macros:
            new = macros[variable.name]
        elif variable.in_text and keep_strings:
            new = variable.text
        else:
            new = stand_in(variable, query)
        pieces.append(new)
        places.append(Span(length, length + len(new)))
        length += len(new)
        cursor = end
    pieces.append(query[cursor:])
    return Interpolated("".join(pieces), found, tuple(places))


@lru_cache(maxsize=64)
def _macros(interval: int, time_range: int, scrape_interval: int) -> dict[str, str]:
    rate_interval = max(interval + scrape_interval, 4 * scrape_interval)
    durations = {"interval": interval, "range": time_range, "rate_interval": rate_interval, "auto": interval}
    found = {f"__{name}": _duration(value) for name, value in durations.items()}
    found |= {f"__{name}_ms": str(value // MILLISECOND) for name, value in durations.items()}
    found |= {"__range_s": str(time_range // SECOND), "__auto_interval": _duration(interval)}
    found |= {"__from": "1700000000000", "__to": str(1_700_000_000_000 + time_range // MILLISECOND)}
    return found


def _duration(nanoseconds: int) -> str:
    """As Grafana writes an interval: one unit."""
    for unit, size in (("h", HOUR), ("m", MINUTE), ("s", SECOND)):
        if nanoseconds and nanoseconds % size == 0:
            return f"{nanoseconds // size}{unit}"
    return f"{max(nanoseconds // MILLISECOND, 1)}ms"


# --- values ------------------------------------------------------------------------------------------------

_REGEX_SPECIAL = lazy_pattern(r"[\\^$.*+?()\[\]{}|/]")
_LOKI_SPECIAL = lazy_pattern(r"[$^*{}\[\]+?.()|]")


def formatted(value: Value, form: str = "") -> str:
    """A value as Grafana writes it into a query: ``${name:form}``, without a form as its Loki data source does."""
    many = not isinstance(value, str) and isinstance(value, Sequence)
    items = [str(item) for item in value] if not isinstance(value, str | int | float) else [str(value)]
    writer = _FORMATS.get(form.partition(":")[0].lower())
    if writer is not None:
        return writer(items)
    if not many:
        return items[0].replace("\\", "\\\\").replace('"', '\\"')
    return "|".join(_loki_regex(item) for item in items)


def _loki_regex(text: str) -> str:
    return _LOKI_SPECIAL.sub(r"\\\\\g<0>", text.replace("\\", "\\\\\\\\"))


def _regex(items: list[str]) -> str:
    escaped = [_REGEX_SPECIAL.sub(r"\\\g<0>", item) for item in items]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def _each(quote: str, escape: str) -> Callable[[list[str]], str]:
    return lambda items: ",".join(f"{quote}{item.replace(quote, escape)}{quote}" for item in items)


_FORMATS: dict[str, Callable[[list[str]], str]] = {
    "regex": _regex,
    "pipe": "|".join,
    "csv": ",".join,
    "raw": ",".join,
    "text": " + ".join,
    "glob": lambda items: items[0] if len(items) == 1 else "{" + ",".join(items) + "}",
    "distributed": ",".join,
    "json": lambda items: json.dumps(items if len(items) > 1 else items[0], ensure_ascii=False),
    "doublequote": _each('"', '\\"'),
    "singlequote": _each("'", "\\'"),
    "sqlstring": _each("'", "''"),
    "percentencode": lambda items: percent_encode(
        items[0] if len(items) == 1 else "{" + ",".join(items) + "}", safe=""
    ),
    "queryparam": lambda items: "&".join(percent_encode(item, safe="") for item in items),
}


# --- stand-ins ---------------------------------------------------------------------------------------------

CONTEXT = 300
"""Characters before a variable that decide what stands in for it."""

_UNIT = lazy_pattern(r"(?:ns|us|µs|ms|[smhdwy])\b")
_STRING = r"""(?:"(?:[^"\\\n]|\\.)*"|`[^`]*`)"""
_BEFORE: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("duration", lazy_pattern(r"\boffset\s+-?$", re.IGNORECASE)),
    ("fraction", lazy_pattern(r"quantile_over_time\s*\(\s*$", re.IGNORECASE)),
    ("number", lazy_pattern(r"\d\.?$")),
    (
        "number",
        lazy_pattern(
            r"(?:[<>]=?|==|[+*/%^-]|(?:top|bottom)k\s*(?:(?:by|without)\s*\([^)]*\)\s*)?\(|vector\s*\(|\bbool)\s*$",
            re.IGNORECASE,
        ),
    ),
    ("number", lazy_pattern(r"[)\d]\s*!=\s*$")),
    ("string", lazy_pattern(r"(?:\|=|\|~|\|>|!>|!~|=~|!=|(?<![=<>!])=)\s*$")),
    ("string", lazy_pattern(r"\b(?:line_format|ip\s*\()\s*$", re.IGNORECASE)),
    ("pattern", lazy_pattern(r"\|\s*pattern\s*$", re.IGNORECASE)),
    ("regexp", lazy_pattern(r"\|\s*regexp\s*$", re.IGNORECASE)),
    ("string", lazy_pattern(rf"(?:\|[=~>]|!>)\s*{_STRING}(?:\s*or\s*{_STRING})*\s*or\s*$", re.IGNORECASE)),
    ("string", lazy_pattern(rf"\blabel_replace\s*\(.*[)\]]\s*(?:,\s*{_STRING}\s*)*,\s*$", re.IGNORECASE)),
    ("conversion", lazy_pattern(r"\bunwrap\s*$", re.IGNORECASE)),
    ("filter", lazy_pattern(rf"{_STRING}\s*(?:or|and|,)\s*$", re.IGNORECASE)),
)
"""What stands in for a variable behind some text; the first that fits."""

_OPERATOR_AFTER = lazy_pattern(r"\s*(?:[=!<>]=|=~|!~|[=<>])")


def stand_in(variable: Variable, query: str) -> str:
    """Something that parses in the place of a variable whose value is not known."""
    name = STAND_IN + variable.name.strip("_")
    if variable.in_text:
        return name
    start, end = variable.span
    before, after = query[max(0, start - CONTEXT) : start], query[end : end + CONTEXT]
    if variable.format in ("doublequote", "json"):
        return f'"{name}"'
    if variable.in_range:
        return "5" if _UNIT.match(after) or before[-1:].isdigit() else "5m"
    for kind, pattern in _BEFORE:
        if pattern.search(before):
            found = _of_kind(kind, name, after)
            if found:
                return found
    return _syntax(name, query[:start].rstrip(), after)


def _of_kind(kind: str, name: str, after: str) -> str:
    if kind == "duration":
        return "5" if _UNIT.match(after) else "5m"
    if kind == "filter":
        return "" if _OPERATOR_AFTER.match(after) else f'{name}="value"'
    if kind == "conversion":
        return "duration" if after.lstrip().startswith("(") else ""
    texts = {"string": name, "pattern": f"<{name}>", "regexp": f"(?P<{name}>.*)"}
    return f'"{texts[kind]}"' if kind in texts else {"fraction": "0.5", "number": "5"}[kind]


def _syntax(name: str, before: str, after: str) -> str:
    """A stand-in where any piece of syntax could stand."""
    ahead = after.lstrip()
    last = before[-1:]
    if (not before or last == "(") and (not ahead or ahead[0] in "|["):
        return f'{{{name}="value"}}'
    if before.rfind("{") > before.rfind("}"):
        return _in_selector(name, last, ahead)
    if last == "|" and not _OPERATOR_AFTER.match(after):
        return "json"
    if last in ("}", '"', "`"):
        return "|=" if ahead[:1] in ('"', "`") else "| json"
    if last == ")" and not re.match(r"(?:by|without)\b", ahead, re.IGNORECASE):
        return "+" if ahead[:1] not in ("", ")") else "+ 5"
    if after.startswith("_over_time"):
        return "sum" if "unwrap" in after else "count"
    if ahead.startswith("("):
        return "rate" if re.match(r"\(\s*[{$]", ahead) else "sum"
    if re.match(r"(?:by|without)\s*\(", ahead, re.IGNORECASE):
        return "sum"
    return name


def _in_selector(name: str, last: str, ahead: str) -> str:
    if last in ("{", ",") and (not ahead or ahead[0] in "},"):
        return f'{name}="value"'
    return "=" if ahead[:1] in ('"', "`") and last not in ("{", ",") else name


def _in_brackets(query: str, end: int) -> bool:
    opening = query.rfind("[", 0, end)
    if opening < 0 or opening < query.rfind("]", 0, end) or opening < query.rfind("{", 0, end):
        return False
    return '"' not in query[opening:end]
