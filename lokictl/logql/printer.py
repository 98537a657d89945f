"""Prints expressions: Loki's canonical text on one line, and the pretty form on several."""

from __future__ import annotations

from lokictl.logql import ast
from lokictl.logql.ast import canonical
from lokictl.logql.errors import LogQLError
from lokictl.logql.lossless import SpelledMatching, Written, is_plain_name, lossless
from lokictl.logql.regex import Matches, simplify
from lokictl.logql.units import (
    format_bytes,
    format_float,
    format_go_duration,
    format_prometheus_duration,
    format_value,
    quote,
)

WIDTH = 100
"""Expressions longer than this are split by `pretty`."""

INDENT = "  "


def _log(node: ast.LogExpr) -> str:
    return " ".join([_selector(node.selector), *(canonical(stage) for stage in node.stages)])


def _selector(node: ast.StreamSelector) -> str:
    return "{" + ", ".join(canonical(matcher) for matcher in node.matchers) + "}"


def _matcher(node: ast.Matcher) -> str:
    return f"{_name(node.name)}{node.operator}{quote(node.value)}"


def _name(name: str) -> str:
    return name if is_plain_name(name) else quote(name)


def _line_filter(node: ast.LineFilter) -> str:
    if node.operator.is_negative:
        return " ".join(f"{node.operator} {_leg(leg)}" for leg in node.legs)
    return f"{node.operator} " + " or ".join(_leg(leg) for leg in node.legs)


def _leg(leg: ast.LineFilterLeg) -> str:
    return f"ip({quote(leg.value)})" if leg.is_ip else quote(leg.value)


def _extractions(extractions: tuple[ast.Extraction, ...]) -> str:
    return ",".join(canonical(item) for item in extractions)


def _json(node: ast.JsonParser) -> str:
    return f"| json {_extractions(node.extractions)}" if node.extractions else "| json"


def _logfmt(node: ast.LogfmtParser) -> str:
    parts = ["| logfmt"]
    if node.strict:
        parts.append("--strict")
    if node.keep_empty:
        parts.append("--keep-empty")
    if node.extractions:
        parts.append(_extractions(node.extractions))
    return " ".join(parts)


def _label_format(node: ast.LabelFormat) -> str:
    items = (f"{item.name}={quote(item.value) if item.is_template else item.value}" for item in node.items)
    return "| label_format " + ",".join(items)


def _names(word: str, items: tuple[ast.LabelName | ast.Matcher, ...]) -> str:
    return f"| {word} " + ",".join(canonical(item) for item in items)


def _string_filter(node: ast.StringLabelFilter) -> str:
    if node.operator == ast.MatchOperator.REGEX and _is_real_regex(node.value):
        text = quote(node.value) if "`" in node.value else f"`{node.value}`"
        return f"{node.name}{node.operator}{text}"
    return f"{_name(node.name)}{node.operator}{quote(node.value)}"


def _is_real_regex(pattern: str) -> bool:
    try:
        return isinstance(simplify(pattern, for_label=True), Matches)
    except LogQLError:
        return True


def _number_filter(node: ast.NumberLabelFilter) -> str:
    return f"{node.name}{node.operator}{format_value(node.value)}"


def _unwrap(node: ast.Unwrap) -> str:
    label = f"{node.conversion}({node.label})" if node.conversion else node.label
    return " ".join([f"| unwrap {label}", *(f"| {canonical(item)}" for item in node.filters)])


def _range(node: ast.LogRange) -> str:
    unwrap = f" {_unwrap(node.unwrap)}" if node.unwrap else ""
    offset = f" offset {format_go_duration(node.offset)}" if node.offset else ""
    return f"{_log(node.log)}{unwrap}[{format_prometheus_duration(node.range)}]{offset}"


def _grouping(node: ast.Grouping) -> str:
    return f"{'without' if node.without else 'by'} ({','.join(node.labels)})"


def _range_aggregation(node: ast.RangeAggregation) -> str:
    parameter = f"{format_value(node.parameter)}," if node.parameter is not None else ""
    grouping = f" {_grouping(node.grouping)}" if node.grouping is not None else ""
    return f"{node.operation}({parameter}{_range(node.log_range)}){grouping}"


def _vector_head(node: ast.VectorAggregation) -> str:
    if node.grouping.labels or node.grouping.without:
        return f"{node.operation} {_grouping(node.grouping)}"
    return node.operation


def _vector_aggregation(node: ast.VectorAggregation) -> str:
    parameter = f"{node.parameter}," if node.parameter is not None else ""
    return f"{_vector_head(node)}({parameter}{canonical(node.inner)})"


def _operator(node: ast.BinaryOperation) -> str:
    """The operator with its modifiers and the spaces around them."""
    text = f" {node.operator} "
    if node.return_bool:
        text += "bool "
    matching = node.matching
    spelled = isinstance(matching, SpelledMatching)
    if matching is None or (not matching.on and not matching.labels and not spelled):
        return text
    text += f"{'on' if matching.on else 'ignoring'} ({','.join(matching.labels)}) "
    if matching.group:
        text += f"group_{matching.group}"
        if matching.include or spelled:
            text += f" ({','.join(matching.include)})"
    return text + " "


def _binary(node: ast.BinaryOperation) -> str:
    return f"({canonical(node.left)}{_operator(node)}{canonical(node.right)})"


def _label_replace(node: ast.LabelReplace) -> str:
    texts = (node.destination, node.replacement, node.source, node.regex)
    return f"label_replace({canonical(node.inner)},{','.join(quote(text) for text in texts)})"


def _variants(node: ast.Variants) -> str:
    return f"variants({', '.join(canonical(item) for item in node.variants)}) of ({_range(node.of)})"


ast.PRINTERS.update(
    {
        Written: lambda node: node.text,
        ast.Matcher: _matcher,
        ast.StreamSelector: _selector,
        ast.LineFilterLeg: _leg,
        ast.LineFilter: _line_filter,
        ast.Extraction: lambda node: f"{node.name}={quote(node.path)}",
        ast.JsonParser: _json,
        ast.LogfmtParser: _logfmt,
        ast.RegexpParser: lambda node: f"| regexp {quote(node.pattern)}",
        ast.PatternParser: lambda node: f"| pattern {quote(node.pattern)}",
        ast.UnpackParser: lambda node: "| unpack",
        ast.LineFormat: lambda node: f"| line_format {quote(node.template)}",
        ast.LabelFormatItem: lambda node: (
            f"{node.name}={quote(node.value) if node.is_template else node.value}"
        ),
        ast.LabelFormat: _label_format,
        ast.Decolorize: lambda node: "| decolorize",
        ast.LabelName: lambda node: node.name,
        ast.DropLabels: lambda node: _names("drop", node.items),
        ast.KeepLabels: lambda node: _names("keep", node.items),
        ast.StringLabelFilter: _string_filter,
        ast.NumberLabelFilter: _number_filter,
        ast.DurationLabelFilter: lambda node: f"{node.name}{node.operator}{format_go_duration(node.value)}",
        ast.BytesLabelFilter: lambda node: f"{node.name}{node.operator}{format_bytes(node.value)}",
        ast.IpLabelFilter: lambda node: f"{node.name}{node.operator}ip({quote(node.pattern)})",
        ast.AndLabelFilter: lambda node: f"( {canonical(node.left)} , {canonical(node.right)} )",
        ast.OrLabelFilter: lambda node: f"( {canonical(node.left)} or {canonical(node.right)} )",
        ast.LabelFilterStage: lambda node: f"| {canonical(node.filter)}",
        ast.LogExpr: _log,
        ast.Unwrap: _unwrap,
        ast.LogRange: _range,
        ast.Grouping: _grouping,
        ast.RangeAggregation: _range_aggregation,
        ast.VectorAggregation: _vector_aggregation,
        ast.BinaryOperation: _binary,
        ast.Literal: lambda node: format_float(node.value, exponent_from=6),
        ast.VectorFunction: lambda node: f"vector({node.value:f})",
        ast.LabelReplace: _label_replace,
        ast.Variants: _variants,
    }
)


# --- the pretty form -------------------------------------------------------------------------------------------


def pretty(node: ast.Expr) -> str:
    """The canonical text, on several lines where it is longer than `WIDTH`; parses to an equal expression."""
    return _pretty(lossless(node), 0)


def _pretty(node: ast.Node, level: int) -> str:
    pad = INDENT * level
    text = canonical(node)
    if len(text) <= WIDTH:
        return pad + text
    if isinstance(node, ast.LogExpr):
        return _pretty_log(node, level)
    if isinstance(node, ast.LogRange):
        return _pretty_range(node, level)
    if isinstance(node, ast.RangeAggregation):
        parameter = (
            f"{INDENT * (level + 1)}{format_value(node.parameter)},\n" if node.parameter is not None else ""
        )
        grouping = f" {_grouping(node.grouping)}" if node.grouping is not None else ""
        return f"{pad}{node.operation}(\n{parameter}{_pretty(node.log_range, level + 1)}\n{pad}){grouping}"
    if isinstance(node, ast.VectorAggregation):
        parameter = f"{INDENT * (level + 1)}{node.parameter},\n" if node.parameter is not None else ""
        return f"{pad}{_vector_head(node)}(\n{parameter}{_pretty(node.inner, level + 1)}\n{pad})"
    if isinstance(node, ast.BinaryOperation):
        inner = level + 1
        operator = _operator(node).strip()
        return f"{pad}(\n{_pretty(node.left, inner)}\n{pad}{operator}\n{_pretty(node.right, inner)}\n{pad})"
    if isinstance(node, ast.LabelReplace):
        texts = (node.destination, node.replacement, node.source, node.regex)
        rest = ",\n".join(INDENT * (level + 1) + quote(text) for text in texts)
        return f"{pad}label_replace(\n{_pretty(node.inner, level + 1)},\n{rest}\n{pad})"
    return pad + text


def _pretty_log(node: ast.LogExpr, level: int) -> str:
    pad = INDENT * level
    stages = (f"{pad}{INDENT}{canonical(stage)}" for stage in node.stages)
    return "\n".join([pad + _selector(node.selector), *stages])


def _pretty_range(node: ast.LogRange, level: int) -> str:
    pad = INDENT * level
    text = _pretty_log(node.log, level)
    if node.unwrap:
        text += f"\n{pad}{INDENT}{_unwrap(node.unwrap)}"
    offset = f" offset {format_go_duration(node.offset)}" if node.offset else ""
    return f"{text} [{format_prometheus_duration(node.range)}]{offset}"
