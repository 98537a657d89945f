"""Hypothesis strategies: LogQL texts that Loki accepts, built from the grammar's own pieces."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from lokictl.logql.units import quote

names = st.sampled_from(
    ["app", "env", "level", "status", "duration_ms", "_x", "a1", "service_name", "rate", "by"]
)
plain_names = st.sampled_from(["app", "env", "level", "status", "duration_ms", "_x", "a1", "service_name"])
texts = st.one_of(
    st.sampled_from(
        ["", "a", "error", "a b", 'quo"te', "back\\slash", "tab\t", "new\nline", "ünï", "🙂", "`"]
    ),
    # A NUL between backticks is refused ("invalid character NUL").
    st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=12),
)
patterns = st.sampled_from(
    [
        "a",
        "a|b",
        ".*",
        ".+",
        "a.*",
        ".*a.*",
        "^a$",
        "(?i)err",
        "err(or)?s",
        "[a-z]+",
        r"\d{3}",
        "5..",
        "a|.*",
        "x+?",
    ]
)
durations = st.sampled_from(["1s", "5m", "1h30m", "90s", "1d", "250ms", "1w", "2h45m10s"])
numbers = st.one_of(
    st.integers(0, 10**6).map(str),
    st.floats(0.001, 1e6, allow_nan=False).map(lambda value: f"{value:.3f}"),
    st.sampled_from(["1e3", "5.5", "0", ".5"]),
)
sizes = st.sampled_from(["1B", "5kB", "20MB", "1.5GB", "2KiB", "10MiB"])
comparisons = st.sampled_from(["==", "!=", ">", ">=", "<", "<="])


@st.composite
def text_literals(draw: st.DrawFn, values: SearchStrategy[str] = texts) -> str:
    value = draw(values)
    if "`" not in value and "\r" not in value and draw(st.booleans()):
        return f"`{value}`"
    return quote(value)


@st.composite
def matchers(draw: st.DrawFn) -> str:
    operator = draw(st.sampled_from(["=", "!=", "=~", "!~"]))
    value = draw(text_literals(patterns if "~" in operator else texts))
    return f"{draw(plain_names)}{operator}{value}"


@st.composite
def selectors(draw: st.DrawFn) -> str:
    rest = draw(st.lists(matchers(), max_size=2))
    return "{" + ", ".join([draw(st.sampled_from(['app="api"', 'env=~"prod|dev"', 'a1=~".+"'])), *rest]) + "}"


@st.composite
def predicates(draw: st.DrawFn, depth: int = 2) -> str:
    if depth and draw(st.integers(0, 3)) == 0:
        left, right = draw(predicates(depth - 1)), draw(predicates(depth - 1))
        joined = f"{left}{draw(st.sampled_from([' and ', ' or ', ', ', ' ']))}{right}"
        return f"({joined})" if draw(st.booleans()) else joined
    kind = draw(st.integers(0, 4))
    name = draw(plain_names)
    if kind == 0:
        return name + draw(comparisons) + draw(numbers)
    if kind == 1:
        return name + draw(comparisons) + draw(durations.filter(lambda text: text[-1] not in "dw"))
    if kind == 2:
        return name + draw(comparisons) + draw(sizes)
    if kind == 3:
        return name + draw(st.sampled_from(["=", "!="])) + 'ip("10.0.0.0/8")'
    return draw(matchers())


@st.composite
def line_filters(draw: st.DrawFn) -> str:
    operator = draw(st.sampled_from(["|=", "!=", "|~", "!~"]))
    legs = draw(st.lists(text_literals(patterns if "~" in operator else texts), min_size=1, max_size=3))
    return f"{operator} {' or '.join(legs)}"


@st.composite
def stages(draw: st.DrawFn) -> str:
    kind = draw(st.integers(0, 12))
    if kind < 3:
        return draw(line_filters())
    if kind < 6:
        return "| " + draw(predicates())
    fixed = {
        6: "| json",
        7: "| logfmt --strict",
        8: '| json x="a.b[0]", level',
        9: '| regexp "(?P<who>\\\\w+) (?P<what>.*)"',
        10: '| pattern "<ip> - <_> <rest>"',
        11: "| unpack",
        12: "| decolorize",
    }
    if kind in fixed and draw(st.booleans()):
        return fixed[kind]
    return draw(
        st.sampled_from(
            [
                '| line_format "{{.app}} {{.level | upper}}"',
                '| label_format a1=level, _x="{{.app}}"',
                '| drop level, app="x"',
                '| keep level, app=~"x.*"',
                "| logfmt --keep-empty status, level",
            ]
        )
    )


@st.composite
def log_queries(draw: st.DrawFn) -> str:
    blank = draw(st.sampled_from([" ", "\n  ", "  "]))
    return blank.join([draw(selectors()), *draw(st.lists(stages(), max_size=4))])


@st.composite
def groupings(draw: st.DrawFn) -> str:
    labels = ", ".join(draw(st.lists(plain_names, max_size=3, unique=True)))
    return f"{draw(st.sampled_from(['by', 'without']))} ({labels})"


@st.composite
def range_aggregations(draw: st.DrawFn) -> str:
    offset = draw(st.sampled_from(["", "", " offset 5m", " offset 1h30m"]))
    window = f" [{draw(durations)}]{offset}"
    log = draw(log_queries())
    if draw(st.booleans()):
        name = draw(
            st.sampled_from(["rate", "count_over_time", "bytes_rate", "bytes_over_time", "absent_over_time"])
        )
        return f"{name}({log}{window})"
    conversion = draw(st.sampled_from(["{}", "duration({})", "bytes({})", "duration_seconds({})"]))
    unwrap = f" | unwrap {conversion.format(draw(plain_names))}"
    if draw(st.booleans()):
        unwrap += ' | __error__=""'
    name, grouped = draw(
        st.sampled_from(
            [
                ("sum_over_time", False),
                ("avg_over_time", True),
                ("max_over_time", True),
                ("stddev_over_time", True),
                ("rate", False),
                ("rate_counter", False),
                ("quantile_over_time", True),
            ]
        )
    )
    parameter = "0.99, " if name == "quantile_over_time" else ""
    grouping = " " + draw(groupings()) if grouped and draw(st.booleans()) else ""
    return f"{name}({parameter}{log}{unwrap}{window}){grouping}"


@st.composite
def metric_queries(draw: st.DrawFn, depth: int = 3) -> str:
    kind = draw(st.integers(0, 5)) if depth else 0
    if kind <= 1:
        return draw(range_aggregations())
    inner = draw(metric_queries(depth - 1))
    if kind == 2:
        name = draw(st.sampled_from(["sum", "avg", "min", "max", "count", "stddev", "stdvar"]))
        return f"{name} {draw(groupings())} ({inner})" if draw(st.booleans()) else f"{name}({inner})"
    if kind == 3:
        return draw(
            st.sampled_from(
                [
                    f"topk(5, {inner})",
                    f"bottomk(1, {inner}) by (app)",
                    f"sort_desc({inner})",
                    f'label_replace({inner}, "a", "$1", "b", "(.*)")',
                ]
            )
        )
    if kind == 4:
        return f"{inner} {draw(comparisons)} {draw(st.sampled_from(['', 'bool ']))}{draw(numbers)}"
    operator = draw(st.sampled_from(["+", "-", "*", "/", "%", "^", ">", "and", "or", "unless"]))
    matching = draw(st.sampled_from(["", "", "on (app) ", "ignoring (level) "]))
    if matching and operator not in ("and", "or", "unless") and draw(st.booleans()):
        matching += draw(st.sampled_from(["group_left (status) ", "group_right (env) ", "group_left () "]))
    return f"({inner} {operator} {matching}{draw(metric_queries(depth - 1))})"


queries = st.one_of(log_queries(), metric_queries())
"""Anything that Loki accepts."""
