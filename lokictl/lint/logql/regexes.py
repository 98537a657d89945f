"""Regular expressions that are plain strings, are not anchored as expected, or can never match."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lokictl.diagnostics import Severity
from lokictl.lazy import lazy_pattern
from lokictl.lint.interface import Finding, Query, QueryCheck
from lokictl.logql import ast, regex
from lokictl.logql.ast import LineFilterOperator as Line
from lokictl.logql.ast import MatchOperator as Match
from lokictl.logql.errors import LogQLError
from lokictl.logql.regex import Regex
from lokictl.logql.units import quote

Named = ast.Matcher | ast.StringLabelFilter
OPERATORS = ("=~", "!~", "|~")
PLAIN = {Match.REGEX: "=", Match.NOT_REGEX: "!=", Line.REGEX: "|=", Line.NOT_REGEX: "!="}


def expressions_in(query: Query) -> Iterator[tuple[ast.Node, ast.Node, str, str]]:
    """(node, operand, operator, pattern) of every regular expression in a filter, without variables."""
    named: list[Named] = [*query.nodes(ast.Matcher), *query.nodes(ast.StringLabelFilter)]
    for node in named:
        if node.operator in (Match.REGEX, Match.NOT_REGEX) and not query.has_variable(node.value):
            yield node, node, node.operator, node.value
    for stage in query.nodes(ast.LineFilter):
        if stage.operator in (Line.REGEX, Line.NOT_REGEX):
            for leg in stage.legs:
                if not query.has_variable(leg.value):
                    yield stage, leg, stage.operator, leg.value


def tree_of(pattern: str) -> Regex | None:
    """The parsed expression; None if it is invalid."""
    try:
        return regex.parse_regex(pattern).root
    except LogQLError:
        return None


class RegexIsPlain(QueryCheck):
    """A regular expression without anything regular."""

    name = "logql/regex-is-plain"
    severity = Severity.INFO
    summary = "a regular expression without metacharacters"
    wants = OPERATORS
    fixable = True

    def check(self, query: Query) -> Iterator[Finding]:
        for node, leg, operator, pattern in expressions_in(query):
            root = tree_of(pattern)
            if root is None or root.kind != regex.LITERAL or root.fold or not root.text:
                continue
            if isinstance(node, ast.LineFilter) and len(node.legs) != 1:
                continue
            new = self._written(query, node, leg, operator, pattern, root.text)
            if not new or (isinstance(leg, ast.LineFilterLeg) and leg.is_ip):
                continue
            message = f"`{query.written(node)}` has no regex metacharacters"
            edit = query.edit(node, new) if query.is_fixed else None
            yield self.finding(query.place(node), message, hint=f"write: {new}", edit=edit)

    def _written(
        self, query: Query, node: ast.Node, leg: ast.Node, operator: str, pattern: str, text: str
    ) -> str:
        written = query.written(node)
        name, found, value = written.partition(operator)
        value = value.strip()
        if not found or (value[:1], value[-1:]) not in (('"', '"'), ("`", "`")):
            return ""
        quoted = value if text == pattern else quote(text)
        plain = PLAIN[operator]  # type: ignore[index]
        blank = " " if isinstance(node, ast.LineFilter) else ""
        return f"{name}{plain}{blank}{quoted}"


class RegexAsText(QueryCheck):
    """``=`` and ``|=`` compare plain text: ``.*`` in it is a dot and a star."""

    name = "logql/regex-as-text"
    severity = Severity.WARNING
    summary = "a regular expression in an operator that compares plain text"

    def check(self, query: Query) -> Iterator[Finding]:
        for node, operator, text in _plain_texts(query):
            in_line = isinstance(node, ast.LineFilter)
            sign = regex_sign(text, in_line=in_line) if _MARKS.search(text) else ""
            if not sign or query.has_variable(text):
                continue
            wanted = {"=": "=~", "!=": "!~", "|=": "|~"}[operator]
            wanted = "!~" if in_line and operator == "!=" else wanted
            message = f"`{operator}` compares plain text: `{sign}` is not a regular expression here"
            # A line can hold any string; of a label's value nobody expects this.
            certain = not in_line or sign != "|" or _names_levels(text)
            severity = None if certain else Severity.INFO
            yield self.finding(
                query.place(node), message, hint=f"for a regular expression write {wanted}", severity=severity
            )


def _plain_texts(query: Query) -> Iterator[tuple[ast.Node, str, str]]:
    """(node, operator, text) of every comparison with plain text."""
    named: list[Named] = [*query.nodes(ast.Matcher), *query.nodes(ast.StringLabelFilter)]
    for node in named:
        if node.operator in (Match.EQUAL, Match.NOT_EQUAL):
            yield node, node.operator.value, node.value
    for stage in query.nodes(ast.LineFilter):
        if stage.operator in (Line.CONTAINS, Line.NOT_CONTAINS):
            for leg in stage.legs:
                if not leg.is_ip:
                    yield stage, stage.operator.value, leg.value


_MARKS = lazy_pattern(r"[.|(\[\\]")
"""Without one of these no string looks like a regular expression."""
_SIGNS = lazy_pattern(
    r"^\(\?[imsU]+\)"
    # Not the globs of files, and not the columns of SQL.
    r"|(?<!\*)\.[*+](?!\s*(?:,|from\b))"
    r"|\\[dws][*+{]"
    r"|\[[^\]\s]*\w-\w[^\]\s]*\][*+{]",
    re.IGNORECASE,
)
_ALTERNATIVES = lazy_pattern(r"[\w.:/-]+(?:\|[\w.:/-]+)+|\([\w.:/-]+(?:\|[\w.:/-]+)+\)")
_WORDS = lazy_pattern(r"[A-Za-z][\w -]{2,}(?:\|[A-Za-z][\w -]{2,})+")
_STATUS = lazy_pattern(r"[1-5](?:\.\.|\d\.)")
_LEVELS = lazy_pattern(
    r"\b(?:err(?:or)?s?|warn(?:ing)?|fatal|panic|crit(?:ical)?|exception|fail(?:ed|ure)?|timeout|denied|refused|severe)\b",
    re.IGNORECASE,
)


def regex_sign(text: str, *, in_line: bool) -> str:
    """What in a string shows that a regular expression was meant; "" for nothing."""
    found = _SIGNS.search(text)
    if found:
        return found[0]
    if (_WORDS if in_line else _ALTERNATIVES).fullmatch(text):
        return "|"
    return text if not in_line and _STATUS.fullmatch(text) else ""


def _names_levels(text: str) -> bool:
    return _LEVELS.search(text.replace("|", " ")) is not None


class RegexUnanchored(QueryCheck):
    """Loki turns some expressions of label filters into "contains"."""

    name = "logql/regex-unanchored"
    severity = Severity.WARNING
    summary = "a label filter's regular expression that matches in the middle of a value"
    wants = ("=~", "!~")
    needs = (ast.StringLabelFilter,)

    def check(self, query: Query) -> Iterator[Finding]:
        for node in query.nodes(ast.StringLabelFilter):
            if node.operator not in (Match.REGEX, Match.NOT_REGEX) or query.has_variable(node.value):
                continue
            root = tree_of(node.value)
            if root is None:
                continue
            texts = list(_contained(regex.simplify(node.value, for_label=True)))
            if not texts or _open_on_both_sides(root):
                continue
            listed = root.kind == regex.ALTERNATE or ".*" not in node.value
            what = " or ".join(f'"{text}"' for text in texts[:3])
            message = f"Loki does not anchor this expression: it matches every value that contains {what}"
            anchored = f"^({node.value})$" if root.kind == regex.ALTERNATE else f"^{node.value}$"
            hint = f"to match the whole value, write: {node.name}{node.operator}{quote(anchored)}"
            severity = Severity.INFO if listed else None
            yield self.finding(query.place(node), message, hint=hint, severity=severity)


def _contained(test: regex.Test) -> Iterator[str]:
    if isinstance(test, regex.Contains):
        yield test.text
    elif isinstance(test, regex.AnyOf):
        yield from _contained(test.left)
        yield from _contained(test.right)


def _open_on_both_sides(root: Regex) -> bool:
    """Whether the expression says ``.*`` on both sides itself."""
    if root.kind == regex.CAPTURE:
        return _open_on_both_sides(root.subs[0])
    if root.kind == regex.ALTERNATE:
        return all(_open_on_both_sides(sub) for sub in root.subs)
    return root.kind == regex.CONCAT and _is_any(root.subs[0]) and _is_any(root.subs[-1])


def _is_any(node: Regex) -> bool:
    return node.kind == regex.STAR and node.subs[0].kind in (regex.ANY, regex.ANY_NOT_NEWLINE)


class RegexNeverMatches(QueryCheck):
    """An anchor in the middle."""

    name = "logql/regex-never-matches"
    severity = Severity.WARNING
    summary = "a regular expression that an anchor in its middle keeps from ever matching"
    wants = OPERATORS

    def check(self, query: Query) -> Iterator[Finding]:
        for node, leg, _, pattern in expressions_in(query):
            root = tree_of(pattern) if "^" in pattern or "$" in pattern else None
            mark = _misplaced(root) if root is not None else ""
            if mark:
                side = "something must come before" if mark == "^" else "something must come after"
                message = f"this can never match: `{mark}` has something {side} it"
                hint = f"to match the character itself, write \\{mark}"
                yield self.finding(query.place(leg if leg.span.end else node), message, hint=hint)


def _misplaced(node: Regex) -> str:
    """The anchor that keeps an expression from matching; "" without one."""
    if node.kind == regex.ALTERNATE:
        found = [_misplaced(sub) for sub in node.subs]
        return found[0] if all(found) else ""
    if node.kind in (regex.CAPTURE, regex.PLUS):
        return _misplaced(node.subs[0])
    if node.kind != regex.CONCAT:
        return ""
    for index, sub in enumerate(node.subs):
        if sub.kind == regex.BEGIN_TEXT and any(_least(item) for item in node.subs[:index]):
            return "^"
        if sub.kind == regex.END_TEXT and any(_least(item) for item in node.subs[index + 1 :]):
            return "$"
    return next((mark for sub in node.subs if (mark := _misplaced(sub))), "")


def _least(node: Regex) -> int:
    """The fewest characters that an expression takes."""
    if node.kind == regex.LITERAL:
        return len(node.text)
    if node.kind in (regex.CLASS, regex.ANY, regex.ANY_NOT_NEWLINE):
        return 1
    if node.kind in (regex.CAPTURE, regex.PLUS):
        return _least(node.subs[0])
    if node.kind == regex.REPEAT:
        return node.minimum * _least(node.subs[0])
    if node.kind == regex.CONCAT:
        return sum(_least(sub) for sub in node.subs)
    if node.kind == regex.ALTERNATE:
        return min(_least(sub) for sub in node.subs)
    return 0


CHECKS = (RegexIsPlain, RegexAsText, RegexUnanchored, RegexNeverMatches)
