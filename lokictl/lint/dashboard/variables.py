"""Template variables: undefined, unused, and those whose values break a query."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from lokictl.diagnostics import Severity, did_you_mean, nearest
from lokictl.lazy import lazy_pattern
from lokictl.lint.dashboard_json import (
    Json,
    as_dict,
    as_list,
    datasource_type,
    is_text,
    may_refer,
    references,
)
from lokictl.lint.findings import Path
from lokictl.lint.interface import DashboardCheck, DashboardItem, Finding, Place, Query
from lokictl.logql.ast import (
    LineFilter,
    LineFilterOperator,
    Matcher,
    MatchOperator,
    Node,
    StreamSelector,
    StringLabelFilter,
)
from lokictl.logql.errors import LogQLError
from lokictl.logql.regex import compile_selector
from lokictl.logql.validation import matches_empty

ALWAYS_KNOWN = ("interval", "timeFilter", "timeFrom", "timeTo")
FILLED = ("prometheusds", "lokids", "tempods")
"""What the Grafana charm of Canonical's observability stack fills."""

SELF_USED = ("adhoc", "groupby")
_TEMPLATE = lazy_pattern(r"\{\{.*?\}\}", re.DOTALL)


def _known(dashboard: DashboardItem) -> set[str]:
    names = {str(entry.get("name")) for _, entry in dashboard.variables}
    names |= {str(as_dict(entry).get("name")) for entry in as_list(dashboard.data.get("__inputs"))}
    return names


class UndefinedVariable(DashboardCheck):
    name = "dashboard/undefined-variable"
    severity = Severity.WARNING
    summary = "a query that uses a variable which the dashboard does not have"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        known = _known(dashboard) | set(ALWAYS_KNOWN)
        told: set[str] = set()
        for use in uses(dashboard):
            if use.name not in known and use.name not in told:
                told.add(use.name)
                yield self._finding(dashboard, use, known)

    def _finding(self, dashboard: DashboardItem, use: Use, known: set[str]) -> Finding:
        name, path, text, start, end = use
        place = dashboard.text_place(path, start, end)
        if name.startswith("DS_") or name in FILLED or text[:start].endswith("$"):
            return self.finding(
                place,
                f"{name} must be filled in before Grafana reads the dashboard: at import, or by what deploys it",
                hint="the import dialog, the operator (spec.datasources) or the Grafana chart do that",
                severity=Severity.INFO,
            )
        guess = nearest(name, known - set(ALWAYS_KNOWN))
        # $SYS/brokers, $JAVA_HOME: text that begins with a dollar sign.
        is_text = name.isupper() and text[start : start + 2] != "${" and not guess
        return self.finding(
            place,
            f'the dashboard has no variable "{name}": Grafana sends {text[start:end]} as it is',
            hint=did_you_mean(guess, '"${}"') if guess else "add the variable, or remove it from the query",
            severity=Severity.INFO if is_text else None,
        )


class Use(NamedTuple):
    """A variable that the string at ``path`` names at its characters ``start`` to ``end``."""

    name: str
    path: Path
    text: str
    start: int
    end: int


@lru_cache(maxsize=1)
def uses(dashboard: DashboardItem) -> tuple[Use, ...]:
    """Where the queries of a dashboard name variables; what else they may stand in is left out."""
    return tuple(
        Use(name, path, text, start, end)
        for path, text in _texts_with_variables(dashboard)
        for name, start, end in _used_in(text)
    )


def _texts_with_variables(dashboard: DashboardItem) -> Iterator[tuple[Path, str]]:
    for target in dashboard.targets:
        if target.type in ("loki", "prometheus"):
            for key in ("expr", "legendFormat", "step", "interval"):
                text = target.data.get(key)
                if may_refer(text):
                    yield (*target.path, key), text
        if "datasource" in target.data:
            yield from _datasource_texts(target.data, target.path)
    for path, panel in dashboard.panels:
        yield from _datasource_texts(panel, path)
        if is_text(panel.get("repeat")):
            yield (*path, "repeat"), f"${{{panel['repeat']}}}"
    for path, entry in (*dashboard.variables, *dashboard.annotation_queries):
        yield from _datasource_texts(entry, path)
        for key in ("query", "expr"):
            text = entry.get(key)
            if may_refer(text) and entry.get("type", "query") in ("query", "tags"):
                yield (*path, key), text


def _datasource_texts(owner: Json, path: Path) -> Iterator[tuple[Path, str]]:
    chosen = owner.get("datasource")
    if may_refer(chosen):
        yield (*path, "datasource"), chosen
    elif isinstance(chosen, dict) and may_refer(chosen.get("uid")):
        yield (*path, "datasource", "uid"), chosen["uid"]


@lru_cache(maxsize=256)
def _used_in(text: str) -> tuple[tuple[str, int, int], ...]:
    """References of a string (most name the data source, all in the same words); Go templates have variables, too."""
    templates = [found.span() for found in _TEMPLATE.finditer(text)] if "{{" in text else []
    return tuple(
        found for found in references(text) if not any(first <= found[1] < last for first, last in templates)
    )


class UnusedVariable(DashboardCheck):
    name = "dashboard/unused-variable"
    severity = Severity.WARNING
    summary = "a variable that nothing in the dashboard uses"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        listed = dashboard.variables
        queried = {use.name for use in uses(dashboard) if use.path[0] != "templating"}
        if all(_needs_no_use(entry) or str(entry.get("name")) in queried for _, entry in listed):
            return
        rest = as_text({key: value for key, value in dashboard.data.items() if key != "templating"})
        if _is_handed_on(rest):
            return
        used = {name for name, _, _ in references(rest)}
        for _, entry in listed:
            used |= {name for name, _, _ in references(as_text(entry)) if name != entry.get("name")}
        used |= {str(panel.get("repeat")) for _, panel in dashboard.panels}
        for path, entry in listed:
            name = str(entry.get("name"))
            if name not in used and not _needs_no_use(entry):
                # A hidden variable may only pass its value from dashboard to dashboard.
                hidden = entry.get("hide") in (2, "hideVariable")
                yield self.finding(
                    dashboard.place(*path, "name"),
                    f'nothing in the dashboard uses the variable "{name}"',
                    hint="use it in a query, or remove it: Grafana fills it on every load",
                    severity=Severity.INFO if hidden else None,
                )


def _needs_no_use(variable: Json) -> bool:
    return variable.get("type") in SELF_USED or bool(variable.get("skipUrlSync"))


_SETS_VARIABLES = lazy_pattern(r'"url":"[^"]*var-')


def _is_handed_on(text: str) -> bool:
    """Whether links carry variables to other dashboards."""
    if '"includeVars":true' in text or "__all_variables" in text:
        return True
    return "var-" in text and _SETS_VARIABLES.search(text) is not None


def as_text(value: Any) -> str:
    """All of a value's strings in one: faster to search than each by itself."""
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode("utf-8", "replace")


class MultiValueInEquality(DashboardCheck):
    name = "dashboard/multi-value-in-equality"
    severity = Severity.WARNING
    summary = "a variable of several values under = or !=, which then matches nothing"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        several = {
            str(entry.get("name")): "several values" if entry.get("multi") else "All"
            for _, entry in dashboard.variables
            if entry.get("multi") or (entry.get("includeAll") and not entry.get("allValue"))
        }
        for query in dashboard.queries if several else ():
            if not query.is_fixed:
                yield from self._compared(query, several)

    def _compared(self, query: Query, several: dict[str, str]) -> Iterator[Finding]:
        for node, operator, text in _plain_comparisons(query):
            for name, _, _ in references(text):
                if name in several and not re.search(rf"\$\{{{name}:", text):
                    yield self.finding(
                        query.place(node),
                        f'"${name}" can be {several[name]}, which Grafana writes as a|b: {operator} looks for that '
                        "text as it is",
                        hint=f"write {_as_regex(query, node, operator, text)}",
                        item=query.item,
                    )


_REGEX_OPERATOR = {"=": "=~", "!=": "!~", "|=": "|~"}


def _plain_comparisons(query: Query) -> Iterator[tuple[Node, str, str]]:
    """(node, operator, text) of everything that is compared with a string, not with a regular expression."""
    named: list[Matcher | StringLabelFilter] = [*query.nodes(Matcher), *query.nodes(StringLabelFilter)]
    for node in named:
        if node.operator in (MatchOperator.EQUAL, MatchOperator.NOT_EQUAL):
            yield node, node.operator.value, node.value
    for stage in query.nodes(LineFilter):
        if stage.operator in (LineFilterOperator.CONTAINS, LineFilterOperator.NOT_CONTAINS):
            for leg in stage.legs:
                if not leg.is_ip:
                    yield stage, stage.operator.value, leg.value


def _as_regex(query: Query, node: Node, operator: str, text: str) -> str:
    fixed = _REGEX_OPERATOR[operator]
    if isinstance(node, LineFilter):
        return f'{fixed} "{text}"'
    name = query.written(node).partition(operator)[0].strip()
    return f'{name}{fixed}"{text}"'


class VariableAllValue(DashboardCheck):
    name = "dashboard/all-value-matches-empty"
    severity = Severity.ERROR
    summary = "a variable whose All makes every matcher of a query match nothing at all, which Loki refuses"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        empty = {
            str(entry.get("name")): str(entry["allValue"])
            for _, entry in dashboard.variables
            if entry.get("includeAll")
            and is_text(entry.get("allValue"))
            and _matches_empty(str(entry["allValue"]))
        }
        for query in dashboard.queries if empty else ():
            yield from self._refused(query, empty)

    def _refused(self, query: Query, empty: dict[str, str]) -> Iterator[Finding]:
        for selector in query.nodes(StreamSelector):
            verdicts = [self._culprit(matcher, empty) for matcher in selector.matchers]
            culprits = [name for name in verdicts if name]
            if culprits and all(verdict is not None for verdict in verdicts):
                name = culprits[0]
                yield self.finding(
                    query.place(selector),
                    f'when "All" is chosen for "{name}" ({empty[name]}), every matcher also matches streams without '
                    "the label, and Loki refuses the query",
                    hint=f'set "allValue" of {name} to ".+", or add a matcher such as job=~".+"',
                    item=query.item,
                )

    def _culprit(self, matcher: Matcher, empty: dict[str, str]) -> str | None:
        """The variable that makes a matcher match nothing; "" when it does so by itself, None when it does not."""
        found = re.fullmatch(r"\$\{?(\w+)(?::\w+)?\}?|\[\[(\w+)\]\]", matcher.value)
        if found:
            name = found[1] or found[2]
            return name if name in empty and matcher.operator == MatchOperator.REGEX else None
        if "$" in matcher.value or "[[" in matcher.value:
            return None
        return "" if matches_empty(matcher) else None


def _matches_empty(pattern: str) -> bool:
    try:
        return compile_selector(pattern).matches(b"")
    except LogQLError:
        return False


class VariableRefresh(DashboardCheck):
    name = "dashboard/variable-refresh"
    severity = Severity.INFO
    summary = "a variable of Loki's labels that is not read again when the time range changes"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        for path, entry in dashboard.variables:
            if entry.get("type") != "query" or datasource_type(dashboard, entry) != "loki":
                continue
            if entry.get("refresh") != 2:
                yield self.finding(
                    self._place(dashboard, path, entry),
                    f'the variable "{entry.get("name")}" keeps its values when the time range changes, '
                    "but Loki has other streams then",
                    hint='set "refresh": 2 (on time range change)',
                )

    def _place(self, dashboard: DashboardItem, path: Path, entry: dict[str, Any] | Json) -> Place:
        return dashboard.place(*path, "refresh" if "refresh" in entry else "name")
