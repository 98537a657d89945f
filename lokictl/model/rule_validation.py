"""What Loki's ruler refuses in a rule file, in Loki's words, and what it accepts and drops.

`check_rule_file` is Loki's loader: the text of a file in, its messages out.  `validate_group` does the same for
groups that are already objects, `group_problems` with their places in the file, and `dropped_settings` names what
has no effect in Loki although it is accepted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from lokictl.diagnostics import Position, Problem, Severity
from lokictl.lazy import lazy_pattern
from lokictl.logql import parse
from lokictl.logql.errors import LogQLError, ParseError
from lokictl.logql.versions import ANY_NAMES_IN_RULES, LABELS_OF_GROUPS, QUERY_OFFSET_OF_GROUPS, target
from lokictl.model.rule_decoding import DecodingError, RawGroup, RawRule, decode_rule_file
from lokictl.model.rules import AlertingRule, RecordingRule, Rule, RuleGroup
from lokictl.model.yaml_source import Path
from lokictl.records import dataclass
from lokictl.templates.alert import load_error

LABEL_NAME = lazy_pattern(r"[a-zA-Z_][a-zA-Z0-9_]*")
METRIC_NAME = lazy_pattern(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
EXTERNAL_URL_HINT = (
    "Loki's check does not know $externalURL: write {{ externalURL }} or {{ .ExternalURL }} instead"
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """One of Loki's messages; ``path`` leads to the part of the rule (or group) that it mentions."""

    message: str
    group: int
    rule: int | None = None
    path: Path = ()
    key: bool = False
    hint: str = ""
    span: tuple[int, int] | None = None


def check_rule_file(text: str) -> list[str]:
    """The messages of Loki's loader for a rule file, in order; none where it accepts the file.

    Text that is not YAML, unknown keys and wrong types stop Loki before it looks at the rules.
    """
    try:
        groups = decode_rule_file(text)
    except DecodingError as error:
        return [str(error)]
    return [refusal.message for refusal in refusals(groups)]


def validate_groups(groups: Iterable[RuleGroup]) -> list[str]:
    """Loki's messages for the groups of one file, in order."""
    return [refusal.message for refusal in refusals([_raw_group(group) for group in groups])]


def validate_group(group: RuleGroup) -> list[str]:
    """Loki's messages for one group, as the ruler's API would give them (joined there with ", ")."""
    return validate_groups([group])


def group_problems(groups: Iterable[RuleGroup]) -> list[Problem]:
    """Loki's messages for the groups of one file, with their places."""
    found = list(groups)
    return [_placed(refusal, found) for refusal in refusals([_raw_group(group) for group in found])]


def refusals(groups: Iterable[RawGroup]) -> list[Refusal]:
    """Everything that Loki refuses in the groups of one file: of each rule only the first problem."""
    found: list[Refusal] = []
    seen: set[str] = set()
    for index, group in enumerate(groups):
        if not group.name:
            found.append(Refusal(f"group {index}: Groupname must not be empty", index, path=("name",)))
        if group.name in seen:
            message = f'groupname: "{group.name}" is repeated in the same file'
            found.append(Refusal(message, index, path=("name",)))
        seen.add(group.name)
        found.extend(_unknown_settings(group, index))
        for number, rule in enumerate(group.rules):
            found.extend(_first_refusal(rule, group.name, index, number))
    return found


def _unknown_settings(group: RawGroup, index: int) -> Iterator[Refusal]:
    """Settings of a group that an old Loki does not know: it reads nothing of such a file."""
    for key, is_set, known in (
        ("query_offset", group.query_offset, QUERY_OFFSET_OF_GROUPS),
        ("labels", group.labels, LABELS_OF_GROUPS),
    ):
        if is_set and not known.holds(target()):
            message = f"field {key} not found in type rulefmt.RuleGroup"
            hint = f"Loki {known.since.minor_text} is the first that accepts it"
            yield Refusal(message, index, path=(key,), key=True, hint=hint)


def _first_refusal(rule: RawRule, group_name: str, index: int, number: int) -> list[Refusal]:
    for message, path, key, hint, span in _rule_refusals(rule, group_name):
        return [Refusal(message, index, number, path, key, hint, span)]
    return []


_Found = tuple[str, Path, bool, str, tuple[int, int] | None]


def _rule_refusals(rule: RawRule, group_name: str) -> Iterator[_Found]:
    if rule.record and rule.alert:
        yield "only one of 'record' and 'alert' must be set", (), False, "make two rules of it", None
    if not rule.record and not rule.alert:
        yield "one of 'record' or 'alert' must be set", (), False, "add `alert: NAME` or `record: NAME`", None
    if not rule.expr:
        yield "field 'expr' must be set in rule", (), False, "add `expr: …`", None
    else:
        yield from _expression_refusals(rule, group_name)
    if rule.record:
        yield from _recording_refusals(rule)
    yield from _name_refusals(rule)
    if rule.alert:
        yield from _template_refusals(rule)


def _expression_refusals(rule: RawRule, group_name: str) -> Iterator[_Found]:
    try:
        if rule.parsed is None:
            parse(rule.expr)
        else:
            _ = rule.parsed.expression
    except LogQLError as error:
        kind, name = ("record", rule.record) if rule.record else ("alert", rule.alert)
        span = None
        if isinstance(error, ParseError) and error.line:
            span = (error.offset, max(error.end_offset, error.offset + 1))
        message = f"could not parse expression for {kind} '{name}' in group '{group_name}': {error}"
        yield message, ("expr",), False, "", span


def _recording_refusals(rule: RawRule) -> Iterator[_Found]:
    hint = "only alerts have it"
    if rule.annotations:
        yield "invalid field 'annotations' in recording rule", ("annotations",), True, hint, None
    if rule.for_:
        yield "invalid field 'for' in recording rule", ("for",), True, hint, None
    if not _is_name(rule.record, METRIC_NAME):
        hint = "a metric name has ASCII letters, digits, `_` and `:`, and does not start with a digit"
        yield f"invalid recording rule name: {rule.record}", ("record",), False, hint, None


def _name_refusals(rule: RawRule) -> Iterator[_Found]:
    hint = "a name has ASCII letters, digits and `_`, and does not start with a digit"
    for name, value in rule.labels.items():
        if name == "__name__" or not _is_name(name, LABEL_NAME):
            yield f"invalid label name: {name}", ("labels", name), True, hint, None
        if not _is_utf8(value):
            yield f"invalid label value: {value}", ("labels", name), False, "labels are UTF-8 text", None
    for name in rule.annotations:
        if not _is_name(name, LABEL_NAME):
            yield f"invalid annotation name: {name}", ("annotations", name), True, hint, None


def _template_refusals(rule: RawRule) -> Iterator[_Found]:
    if not any("{{" in text for text in (*rule.labels.values(), *rule.annotations.values())):
        return
    for kind, key, texts in (
        ("label", "labels", rule.labels),
        ("annotation", "annotations", rule.annotations),
    ):
        for name in sorted(texts):
            error = load_error(texts[name], name=rule.alert)
            if error is not None:
                hint = EXTERNAL_URL_HINT if '"$externalURL"' in str(error) else ""
                span = (error.offset, error.offset + 1) if error.offset >= 0 else None
                yield f'{kind} "{name}": {error}', (key, name), False, hint, span


def _is_name(name: str, usual: re.Pattern[str]) -> bool:
    if ANY_NAMES_IN_RULES.holds(target()):
        return bool(name) and _is_utf8(name)
    return usual.fullmatch(name) is not None


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# --- what has no effect --------------------------------------------------------------------------------------


def dropped_settings(group: RuleGroup) -> list[Problem]:
    """Settings of a group and its rules that Loki accepts and drops before it evaluates anything."""
    found: list[Problem] = []
    if group.query_offset and QUERY_OFFSET_OF_GROUPS.holds(target()):
        hint = "write the offset into the expressions: `[5m] offset 1m`"
        found.append(_dropped(group, ("query_offset",), "`query_offset` of the group", hint))
    if group.labels and LABELS_OF_GROUPS.holds(target()):
        hint = "write the labels into each rule"
        found.append(_dropped(group, ("labels",), "`labels` of the group", hint))
    for rule in group.rules:
        if isinstance(rule, AlertingRule) and rule.keep_firing_for:
            hint = "widen the range of the expression to keep an alert firing for longer"
            found.append(_dropped(rule, ("keep_firing_for",), "`keep_firing_for`", hint, rule.alert))
    return found


def _dropped(owner: RuleGroup | Rule, path: Path, what: str, hint: str, alert: str = "") -> Problem:
    position = owner.origin.position(*path, key=True)
    where = f" of the alert {alert}" if alert else f" {owner.name}" if owner.name else ""
    message = f"{what}{where} has no effect: Loki accepts it and drops it"
    line = owner.origin.source_line(position)
    return Problem("rule/dropped-by-loki", message, Severity.WARNING, position, hint, line)


# --- objects ---------------------------------------------------------------------------------------------------


def _raw_group(group: RuleGroup) -> RawGroup:
    return RawGroup(
        group.name,
        group.interval,
        group.query_offset,
        group.limit,
        _texts(group.labels),
        [_raw_rule(rule) for rule in group.rules],
    )


def _raw_rule(rule: Rule) -> RawRule:
    if isinstance(rule, RecordingRule):
        return RawRule(record=rule.record, expr=rule.expr, labels=_texts(rule.labels), parsed=rule)
    return RawRule(
        alert=rule.alert,
        expr=rule.expr,
        for_=rule.for_,
        keep_firing_for=rule.keep_firing_for,
        labels=_texts(rule.labels),
        annotations=_texts(rule.annotations),
        parsed=rule,
    )


def _texts(mapping: Mapping[str, str]) -> dict[str, str]:
    return {str(name): str(value) for name, value in mapping.items()}


def _placed(refusal: Refusal, groups: list[RuleGroup]) -> Problem:
    group = groups[refusal.group]
    origin = group.origin if refusal.rule is None else group.rules[refusal.rule].origin
    position: Position
    if refusal.span is not None:
        position = origin.text_position(refusal.path, *refusal.span)
    else:
        position = origin.position(*refusal.path, key=refusal.key)
    return Problem(
        "rule/refused-by-loki",
        refusal.message,
        position=position,
        hint=refusal.hint,
        source_line=origin.source_line(position),
    )
