"""Likely repairs of text that is not LogQL: each is a guess that is only offered when the result parses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from lokictl.diagnostics import did_you_mean, nearest
from lokictl.lazy import lazy_pattern
from lokictl.lint.promql import is_promql, metrics_of
from lokictl.logql.cache import parse_cached
from lokictl.logql.errors import LogQLError, ParseError
from lokictl.logql.grammar import RANGE_OPERATIONS, RESERVED, VECTOR_OPERATIONS
from lokictl.logql.semantics import STAGES
from lokictl.records import dataclass

MAX_PARSES = 60
LONGEST = 4_000
"""Characters; in a longer text a guess takes too long."""
RANGE_WORDS = "|".join(RANGE_OPERATIONS)
VECTOR_WORDS = "|".join(VECTOR_OPERATIONS)
STAGE_WORDS = (*(traits.keyword for traits in STAGES.values() if traits.keyword), "unwrap")


@dataclass(frozen=True, slots=True)
class Repair:
    """What is probably wrong, and the text without it ("" where only the advice is known)."""

    advice: str
    text: str = ""


Guess = Callable[[str, str, LogQLError], Iterator[Repair]]


def repair(text: str, error: LogQLError) -> Repair | None:
    """The first guess whose result parses, after one change or two; else advice without a string, or None."""
    if len(text) > LONGEST:
        return None
    budget = [MAX_PARSES]
    guesses = FOR_PROMQL if metrics_of(text) and is_promql(text) else GUESSES
    candidates = _guesses(text, error, guesses)
    complete = next((found for found in candidates if found.text and _parses(found.text, budget)), None)
    if complete is not None:
        return complete
    for found in candidates:
        if found.text and budget[0] > 0:
            second = _second(found, budget, guesses)
            if second is not None:
                return second
    return next((Repair(found.advice) for found in candidates if not found.text), None)


def _second(first: Repair, budget: list[int], guesses: tuple[Guess, ...]) -> Repair | None:
    error = parse_cached(first.text)
    if not isinstance(error, LogQLError):
        return first
    for found in _guesses(first.text, error, guesses):
        if found.text and budget[0] > 0 and _parses(found.text, budget):
            advice = first.advice if found.advice == first.advice else f"{first.advice}; {found.advice}"
            return Repair(advice, found.text)
    return None


def _parses(text: str, budget: list[int]) -> bool:
    budget[0] -= 1
    return budget[0] >= 0 and not isinstance(parse_cached(text), LogQLError)


def _guesses(text: str, error: LogQLError, guesses: tuple[Guess, ...]) -> list[Repair]:
    masked = mask(text)
    seen: dict[tuple[str, str], Repair] = {}
    for guess in guesses:
        for found in guess(text, masked, error):
            if found.text != text:
                seen.setdefault((found.advice, found.text), found)
    return list(seen.values())


def mask(text: str) -> str:
    """``text`` of the same length, with the insides of strings and comments made harmless."""
    return re.sub(
        r'"(?:[^"\\\n]|\\.)*"|`[^`]*`|#[^\n]*',
        lambda found: found[0][0] + "_" * (len(found[0]) - 2) + found[0][-1] if found[0][0] != "#"
        else " " * len(found[0]),
        text,
    )  # fmt: skip


def matching(masked: str, opening: int) -> int:
    """The offset of the bracket that closes the one at ``opening``; -1 if there is none."""
    depth = 0
    for offset in range(opening, len(masked)):
        if masked[offset] in "([{":
            depth += 1
        elif masked[offset] in ")]}":
            depth -= 1
            if depth == 0:
                return offset
    return -1


# --- functions and ranges ----------------------------------------------------------------------------------


def function_as_stage(text: str, masked: str, error: LogQLError) -> Iterator[Repair]:
    """``{…} | json | rate(x[5m])``: a function goes around the query."""
    for found in re.finditer(rf"\|\s*({RANGE_WORDS})\s*\(", masked):
        close = matching(masked, found.end() - 1)
        start = _log_start(masked, found.start())
        if close < 0 or start < 0:
            continue
        name, inside = found[1], text[found.end() : close].strip()
        parts = re.fullmatch(r"(?:unwrap\s+)?([A-Za-z_]\w*)?\s*(\[[^\]]*\])?", inside)
        if parts is None:
            continue
        unwrapped = parts[1] and name not in ("count_over_time", "bytes_rate", "bytes_over_time")
        label = f" | unwrap {parts[1]}" if unwrapped else ""
        body = f"{text[start : found.start()].rstrip()}{label} {parts[2] or '[5m]'}"
        advice = f"`{name}` is a function around the query, not a stage of its pipeline"
        yield Repair(advice, f"{text[:start]}{name}({body}){text[close + 1 :]}")
    for found in re.finditer(rf"\|\s*({VECTOR_WORDS})\b\s*(?:(?:by|without)\s*\([^)]*\)\s*)?\(", masked):
        advice = f"`{found[1]}` is a function around the query, not a stage of its pipeline"
        yield Repair(f"{advice}: {found[1]}(count_over_time({{…}} [5m]))")


def _log_start(masked: str, end: int) -> int:
    """Where the log query that ends at ``end`` begins: its selector's brace, outside of brackets."""
    depth, start = 0, -1
    for offset in range(end - 1, -1, -1):
        if masked[offset] in ")]}":
            depth += 1
        elif masked[offset] in "([{":
            depth -= 1
            if depth < 0:
                break
            if masked[offset] == "{" and depth == 0:
                start = offset
    return start


def missing_range(text: str, masked: str, error: LogQLError) -> Iterator[Repair]:
    """``rate({…})``: no range; ``rate({…})[5m]``: the range outside."""
    for found in re.finditer(rf"\b({RANGE_WORDS})\s*\(", masked, re.IGNORECASE):
        close = matching(masked, found.end() - 1)
        if close < 0:
            continue
        inside = masked[found.end() : close]
        outside = re.match(r"\s*(\[[^\]]*\])", masked[close + 1 :])
        if outside:
            end = close + 1 + outside.end()
            moved = f"{text[:close].rstrip()} {outside[1]}){text[end:]}"
            yield Repair(f"the range belongs inside `{found[1]}(…)`", moved)
        elif "[" not in inside and "{" in inside:
            advice = f"`{found[1]}` needs a range: how far back it looks"
            yield Repair(advice, f"{text[:close].rstrip()} [5m]{text[close:]}")
        elif "[" not in inside and not inside.strip():
            yield Repair(f'`{found[1]}` needs a query and a range: {found[1]}({{app="…"}} [5m])')


def range_text(text: str, masked: str, error: LogQLError) -> Iterator[Repair]:
    """``[5]``, ``[5min]``, ``[1.5h]``, ``[5 m]``, ``[5m:1m]``, ``[$__auto]``"""
    units = {"sec": "s", "secs": "s", "second": "s", "seconds": "s", "min": "m", "mins": "m", "minute": "m"}
    units |= {"minutes": "m", "hr": "h", "hrs": "h", "hour": "h", "hours": "h", "day": "d", "days": "d"}
    for found in re.finditer(r"\[([^\]]*)\]", masked):
        inside = text[found.start(1) : found.end(1)].strip()
        new = ""
        advice = f"`[{inside}]` is not a duration; they look like 30s, 5m, 1h30m"
        plain = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", inside)
        if "$" in inside:
            new, advice = "5m", f"`{inside}` is filled in by Grafana only: write a duration"
        elif ":" in inside:
            new, advice = inside.partition(":")[0], "LogQL has no subqueries"
        elif plain and not plain[2]:
            new = f"{plain[1]}s" if float(plain[1]) >= 60 else f"{plain[1]}m"
        elif plain and plain[2].lower() in (*units, "s", "m", "h", "d", "w", "y", "ms"):
            new = _duration(float(plain[1]), units.get(plain[2].lower(), plain[2].lower()))
        if new:
            yield Repair(advice, f"{text[: found.start(1)]}{new}{text[found.end(1) :]}")


def _duration(number: float, unit: str) -> str:
    if number == int(number):
        return f"{int(number)}{unit}"
    smaller = {"h": ("m", 60), "m": ("s", 60), "d": ("h", 24), "w": ("d", 7), "s": ("ms", 1000)}
    if unit not in smaller:
        return ""
    name, factor = smaller[unit]
    return f"{int(number * factor)}{name}"


def after_range(text: str, masked: str, error: LogQLError) -> Iterator[Repair]:
    """``… [5m] | x`` after a pipeline, ``rate(…[5m]) offset 1h``: what belongs before, or inside."""
    for found in re.finditer(r"(\[[^\]]*\])\s*(\|[^()]*?)\s*(?=\))", masked):
        stages = text[found.start(2) : found.end(2)]
        moved = f"{text[: found.start()].rstrip()} {stages} {found[1]}{text[found.end() :]}"
        yield Repair("the range goes at the end, after the whole pipeline", moved)
    for found in re.finditer(r"(\[[^\]]*\])\s*\)\s*(offset\s+-?\w+)", masked):
        moved = f"{text[: found.end(1)]} {found[2]}){text[found.end() :]}"
        yield Repair("`offset` belongs to the range, inside the parentheses", moved)


def swapped_arguments(text: str, masked: str, error: LogQLError) -> Iterator[Repair]:
    """``quantile_over_time({…}[5m], 0.99)``, ``topk(sum(…), 5)``"""
    for found in re.finditer(
        r"\b(quantile_over_time|topk|bottomk|approx_topk)\s*(?:by\s*\([^)]*\)\s*)?\(", masked
    ):
        close = matching(masked, found.end() - 1)
        if close < 0:
            continue
        last = re.search(r",\s*([\d.]+)\s*$", masked[found.end() : close])
        if last:
            inner = text[found.end() : found.end() + last.start()].strip()
            advice = f"the number comes first in `{found[1]}`"
            yield Repair(advice, f"{text[: found.end()]}{last[1]}, {inner}{text[close:]}")


PROMQL_FUNCTIONS = {
    "increase": ("count_over_time", "LogQL counts lines with `count_over_time`"),
    "irate": ("rate", "LogQL has no `irate`"),
    "absent": ("absent_over_time", "LogQL has `absent_over_time`, with a range"),
    "group": ("count", "LogQL has no `group`; `count` has the same series"),
    "count_overtime": ("count_over_time", "the function is `count_over_time`"),
}
UNKNOWN_FUNCTIONS = (
    *(
        "quantile",
        "histogram_quantile",
        "delta",
        "idelta",
        "deriv",
        "changes",
        "resets",
        "predict_linear",
        "clamp_max",
    ),
    *("clamp_min", "clamp", "abs", "ceil", "floor", "round", "time", "label_join", "count_values"),
    *("avg_over_time_of", "holt_winters", "scalar", "ln", "log2", "log10", "exp", "sqrt", "timestamp"),
)


def promql(text: str, masked: str, error: LogQLError) -> Iterator[Repair]:
    """An expression on metrics, which Loki does not have."""
    metrics = metrics_of(text)
    if not metrics or not is_promql(text):
        return
    if any(":" in name for name in metrics):
        yield Repair("recording rules are written to Prometheus; a Loki rule cannot query what they record")
    else:
        named = " and ".join(f"`{name}`" for name in metrics[:2])
        what = f"{named} {'are metrics' if len(metrics) > 1 else 'is a metric'}"
        yield Repair(f"this is PromQL: {what} in Prometheus; move the rule there, or count log lines")


def promql_functions(text: str, masked: str, error: LogQLError) -> Iterator[Repair]:
    """Functions that PromQL has and LogQL has not, and misspelt ones."""
    known = (*RANGE_OPERATIONS, *VECTOR_OPERATIONS, "vector", "label_replace")
    for found in re.finditer(r"\b([A-Za-z_]\w*)\s*\(", masked):
        word = found[1]
        lower = word.lower()
        if lower in known or lower in RESERVED or lower in ("bytes", "duration", "duration_seconds", "ip"):
            continue
        close = matching(masked, found.end() - 1)
        if lower == "increase" and "unwrap" in masked[found.end() : close]:
            advice = "LogQL has no `increase`; `rate_counter` is the rate of a counter, per second"
            yield Repair(advice, text[: found.start(1)] + "rate_counter" + text[found.end(1) :])
        elif lower in PROMQL_FUNCTIONS:
            new, advice = PROMQL_FUNCTIONS[lower]
            yield Repair(advice, text[: found.start(1)] + new + text[found.end(1) :])
        elif lower in UNKNOWN_FUNCTIONS:
            yield Repair(f"`{word}` is a PromQL function without a LogQL equivalent")
        elif guess := nearest(lower, known):
            yield Repair(
                f"unknown function `{word}`; {did_you_mean(guess, '`{}`')}",
                text[: found.start(1)] + guess + text[found.end(1) :],
            )
    for found in re.finditer(r"\bgroup\b(?=\s+(?:by|without)\b)", masked):
        advice = PROMQL_FUNCTIONS["group"][1]
        yield Repair(advice, text[: found.start()] + "count" + text[found.end() :])


def metric_name(text: str, masked: str, error: LogQLError) -> Iterator[Repair]:
    """``http_requests{app="x"}``: a log stream has no metric name."""
    for found in re.finditer(r"(?<![\w.:])([A-Za-z_:][\w:]*)(\s*)\{", masked):
        if found[1].lower() not in RESERVED:
            named = f"`{found[1]}`"
            what = "this is PromQL: l" if is_promql(text) else "l"
            advice = f"{what}og streams have no metric name; to count log lines, remove {named}"
            yield Repair(advice, text[: found.start(1)] + text[found.end(2) :])
    if re.search(r"\b\w+:\w+", masked) and "{" not in masked:
        yield Repair("recording rules are written to Prometheus; a Loki rule cannot query what they record")


# --- operators and words -----------------------------------------------------------------------------------

OPERATORS = (
    ("=!", "!=", "the operator is `!=`"),
    ("~=", "=~", "the operator is `=~`"),
    ("=>", ">=", "the operator is `>=`"),
    ("=<", "<=", "the operator is `<=`"),
    ("<>", "!=", "the operator is `!=`"),
    ("&&", "and", "LogQL writes `and`"),
    ("||", "or", "LogQL writes `or`"),
    ("|!=", "!=", "the line filter is `!=`, without `|`"),
    ("|!~", "!~", "the line filter is `!~`, without `|`"),
    ("| =", "|=", "the line filter is `|=`, without a space"),
    ("| ~", "|~", "the line filter is `|~`, without a space"),
    ("| !=", "!=", "the line filter is `!=`, without `|`"),
    ("| !~", "!~", "the line filter is `!~`, without `|`"),
    ("|==", "|=", "the line filter is `|=`"),
    ("|=~", "|~", "the line filter is `|~`"),
    ("|contains", "|=", "the line filter is `|=`"),
    ("| contains", "|=", "the line filter is `|=`"),
    ("===", "=", "the operator is `=`"),
)


def operators(text: str, masked: str, error: LogQLError) -> Iterator[Repair]:
    """Operators of other languages."""
    for wrong, right, advice in OPERATORS:
        offset = masked.find(wrong)
        if offset >= 0:
            yield Repair(advice, text[:offset] + right + text[offset + len(wrong) :])
    for found in re.finditer(r"(?<![=!<>|~])==(?!=)(?=\s*[\"`])", masked):
        advice = "strings are compared with `=`; `==` is for numbers"
        yield Repair(advice, text[: found.start()] + "=" + text[found.end() :])
    for found in re.finditer(r"(?<=[)\d])\s*(?<![=!<>|~])=(?![=~])(?=\s*[-\d.(a-z])", masked):
        offset = found.end() - 1
        yield Repair("numbers of a result are compared with `==`", text[:offset] + "==" + text[offset + 1 :])


INVERTED = {
    "=": "!=",
    "!=": "=",
    "=~": "!~",
    "!~": "=~",
    ">": "<=",
    "<": ">=",
    ">=": "<",
    "<=": ">",
    "==": "!=",
}
_QUANTITY = r"\d+(?:\.\d+)?"
_UNITS = r"(?:ns|us|µs|ms|[smh]|[kKMGTPE]i?[bB]|[bB])"


_NAMES = r"[A-Za-z_]\w*(?:\s*,\s*[A-Za-z_]\w*)*"
_BARE_GROUPING = lazy_pattern(rf"\b(by|without)\s+({_NAMES})(?=\s*(?:\(|$|[)<>=!+*/-]))")
_ODD_LABEL = lazy_pattern(
    r"(?<![\w.\"$\[])[A-Za-z_]\w*(?:[.-][A-Za-z_]\w*)+(?=\s*(?:=~|!~|!=|[<>]=?|==?|[,)}]|$))"
)


def other_languages(text: str, masked: str, error: LogQLError) -> Iterator[Repair]:
    """``by job``, ``not x="a"``, ``x in ("a", "b")``, ``x > "10s"``, ``5 kB``, ``a.b="c"``, ``| distinct x``"""
    for found in re.finditer(
        r"\b(by|without)\s+([A-Za-z_]\w*(?:\s*,\s*[A-Za-z_]\w*)*)(?=\s*(?:\(|$|[)<>=!+*/-]))", masked
    ):
        advice = f"the labels after `{found[1]}` need parentheses"
        yield Repair(advice, f"{text[: found.start(2)]}({found[2]}){text[found.end(2) :]}")
    for found in re.finditer(r"\b(not|NOT)\s+([A-Za-z_]\w*)\s*(=~|!~|!=|>=|<=|==|=|>|<)", masked):
        advice = f"LogQL has no `not`: turn the operator around, `{INVERTED[found[3]]}`"
        yield Repair(advice, f"{text[: found.start()]}{found[2]}{INVERTED[found[3]]}{text[found.end() :]}")
    for found in re.finditer(r"\b([A-Za-z_]\w*)\s+(not\s+)?in\s*\(([^()]*)\)", masked, re.IGNORECASE):
        values = re.findall(r"[^\s,\"'`]+", text[found.start(3) : found.end(3)])
        operator = "!~" if found[2] else "=~"
        new = f'{found[1]}{operator}"{"|".join(values)}"'
        yield Repair("LogQL has no `in`; match the values", text[: found.start()] + new + text[found.end() :])
    for found in re.finditer(r"([<>]=?|==)\s*([\"`])", masked):
        quoted = re.match(rf"({_QUANTITY}{_UNITS}?)[\"`]", text[found.end() :])
        if quoted:
            end = found.end() + quoted.end()
            advice = f"numbers, durations and sizes have no quotes: {quoted[1]}"
            yield Repair(advice, f"{text[: found.end(1)]} {quoted[1]}{text[end:]}")
    for found in re.finditer(rf"(?<=[<>=\s])({_QUANTITY})\s+({_UNITS})(?!\w)", masked):
        advice = f"no space between the number and its unit: {found[1]}{found[2]}"
        yield Repair(advice, f"{text[: found.end(1)]}{text[found.start(2) :]}")
    yield from _label_names(text, masked)
    for found in re.finditer(r"\|\s*distinct\s+([A-Za-z_]\w*)", masked):
        advice = "LogQL has no `distinct`; to count the values: count(sum by (…) (count_over_time(…)))"
        name, start = found[1], _log_start(masked, found.start())
        width = re.search(r"\[\w+\]", masked[found.end() :])
        log = f"{text[max(start, 0) : found.start()].rstrip()} {width[0] if width else '[5m]'}"
        yield Repair(advice, f"count(sum by ({name}) (count_over_time({log})))" if start >= 0 else "")
    for found in re.finditer(r"(?<=[\"`])\s*(?:&&|\band\b)\s*(?=[\"`])", masked):
        yield Repair("write a line filter for each text", f"{text[: found.start()]} |= {text[found.end() :]}")
    if re.search(r"\b(?:not|NOT)\s*\(|!\s*\(", masked):
        yield Repair("LogQL has no `not`: turn the operators around, and `and` into `or`")


def _label_names(text: str, masked: str) -> Iterator[Repair]:
    """Dots and dashes in label names, which the parsers turn into ``_``."""
    found = list(
        re.finditer(
            r"(?<![\w.\"$\[])[A-Za-z_]\w*(?:[.-][A-Za-z_]\w*)+(?=\s*(?:=~|!~|!=|[<>]=?|==?|[,)}]|$))", masked
        )
    )
    if found:
        name = found[0][0]
        plain = re.sub(r"[.-]", "_", name)
        advice = f"label names have letters, digits and `_` only: `{name}` becomes the label `{plain}`"
        changed = text
        for item in reversed(found):
            changed = changed[: item.start()] + re.sub(r"[.-]", "_", item[0]) + changed[item.end() :]
        yield Repair(advice, changed)


def lines_as_numbers(text: str, masked: str, error: LogQLError) -> Iterator[Repair]:
    """``{…} | unwrap x`` without a function around, ``sum({…})``"""
    if "[" in masked:
        return
    if re.search(r"\|\s*unwrap\b", masked) and masked.lstrip().startswith("{"):
        advice = "`unwrap` goes inside a range aggregation"
        yield Repair(advice, f"sum_over_time({text.strip()} [5m])")
    grouping = r"(?:(?:by|without)\s*\([^)]*\)\s*)?"
    for found in re.finditer(rf"\b({VECTOR_WORDS})\b\s*{grouping}\((?:\s*\d+\s*,\s*)?(?=\s*\{{)", masked):
        close = matching(masked, masked.rindex("(", 0, found.end()))
        if close > 0:
            inside = text[found.end() : close].strip()
            advice = f"`{found[1]}` aggregates numbers, not lines: count the lines of a range"
            yield Repair(advice, f"{text[: found.end()]}count_over_time({inside} [5m]){text[close:]}")


def missing_pipe(text: str, masked: str, error: LogQLError) -> Iterator[Repair]:
    """``{…} json``, ``{…} | "text"``, ``{…} level="error"``"""
    words = "|".join(STAGE_WORDS)
    for found in re.finditer(rf"(?<=[}}\"`\w)])\s+(?<!\|\s)({words})\b", masked):
        advice = f"a stage begins with `|`: | {found[1]}"
        yield Repair(advice, text[: found.start(1)] + "| " + text[found.start(1) :])
    for found in re.finditer(r"\|\s*(?=[\"`])", masked):
        advice = "a line filter has an operator: `|=` contains, `|~` matches"
        yield Repair(advice, text[: found.start()] + "|= " + text[found.end() :])
    for found in re.finditer(r"(?<=\})\s+([A-Za-z][\w.-]*)\s*$", masked):
        if found[1].lower() not in STAGE_WORDS:
            advice = f'to find lines with a string: |= "{found[1]}"'
            yield Repair(advice, f'{text[: found.start()]} |= "{found[1]}"')
    for found in re.finditer(r"(?<=\})\s*([A-Za-z_]\w*\s*(?:=~|!~|!=|[<>]=?|==?)|=?\s*[\"`])", masked):
        is_filter = found[1][0] not in '="`'
        advice = "a label filter begins with `|`" if is_filter else "the line filter is `|=`"
        rest = text[found.start(1) :].lstrip("= ") if not is_filter else text[found.start(1) :]
        yield Repair(advice, f"{text[: found.start()]} {'| ' if is_filter else '|= '}{rest}")


def misspelt_stage(text: str, masked: str, error: LogQLError) -> Iterator[Repair]:
    """``| jsn``, ``| where level="error"``"""
    for found in re.finditer(r"\|\s*([A-Za-z_]\w*)(?!\w)(?!\s*(?:[=!<>]|\())", masked):
        word = found[1].lower()
        if word in STAGE_WORDS:
            continue
        if word in ("where", "filter", "search"):
            yield Repair(f"LogQL has no `{word}`", text[: found.start(1)] + text[found.end(1) :].lstrip())
        elif guess := nearest(word, STAGE_WORDS):
            advice = f"unknown stage `{found[1]}`; {did_you_mean(guess, '`{}`')}"
            yield Repair(advice, text[: found.start(1)] + guess + text[found.end(1) :])


# --- quotes, commas, brackets ------------------------------------------------------------------------------


def quotes(text: str, masked: str, error: LogQLError) -> Iterator[Repair]:
    """Single, typographic and escaped quotes; values without quotes; escapes that Go does not know."""
    if any(mark in masked for mark in "“”„‟«»‘’"):
        yield Repair('use the plain quote `"`', re.sub("[“”„‟«»]", '"', re.sub("[‘’]", "'", text)))
    if re.search(r"'[^']*'", masked):
        changed = re.sub(
            r"'([^'\"]*)'", lambda found: f'"{found[1]}"' if masked[found.start()] == "'" else found[0], text
        )
        yield Repair("strings need double quotes or backticks", changed)
    if '\\"' in text and '\\"' in masked:
        yield Repair(r'quotes need no backslash here: `"`, not `\"`', text.replace('\\"', '"'))
    for found in re.finditer(
        r"([=!]~|[=!]=|=)\s*([A-Za-z_][\w./-]*)(?=\s*(?:[,}|)\[]|$|and\b|or\b))", masked
    ):
        word = text[found.start(2) : found.end(2)]
        if word.lower() not in ("ip", "bool"):
            quoted = f'{text[: found.start(2)]}"{word}"{text[found.end(2) :]}'
            yield Repair(f'string values must be quoted: "{word}"', quoted)
    if isinstance(error, ParseError) and error.message == "invalid char escape":
        yield from _escapes(text, error)


def _escapes(text: str, error: ParseError) -> Iterator[Repair]:
    found = re.compile(r'"((?:[^"\\\n]|\\.)*)"').match(text, error.offset)
    if found:
        inside = found[1]
        advice = "in double quotes a backslash must be doubled; backticks need no escapes"
        if "`" not in inside:
            plain = inside.replace("\\\\", "\\").replace('\\"', '"')
            yield Repair(advice, f"{text[: found.start()]}`{plain}`{text[found.end() :]}")
        doubled = re.sub(r'\\(?![\\"abfnrtvxuU0-7])', r"\\\\", inside)
        yield Repair(advice, f'{text[: found.start()]}"{doubled}"{text[found.end() :]}')


def commas(text: str, masked: str, error: LogQLError) -> Iterator[Repair]:
    """A comma too many, or too few."""
    for found in re.finditer(r",\s*(?=[})])", masked):
        yield Repair("no comma before the closing bracket", text[: found.start()] + text[found.end() :])
    for found in re.finditer(r'(?<=["`])(\s+)(?=[A-Za-z_]\w*\s*(?:=~|!~|!=|=))', masked):
        if masked.rfind("{", 0, found.start()) > masked.rfind("}", 0, found.start()):
            yield Repair(
                "matchers are separated by commas", text[: found.start()] + ", " + text[found.end() :]
            )
    for found in re.finditer(r"\{\s*,\s*|,\s*,", masked):
        yield Repair("one comma too many", text[: found.start()] + found[0][0] + text[found.end() :])


def brackets(text: str, masked: str, error: LogQLError) -> Iterator[Repair]:
    """Brackets and quotes that are not closed, or closed twice."""
    stack: list[int] = []
    for offset, character in enumerate(masked):
        if character in CLOSING:
            stack.append(offset)
        elif character in ")]}":
            if stack and CLOSING[masked[stack[-1]]] == character:
                stack.pop()
            else:
                yield from _closed_too_often(text, offset, stack, masked)
                break
    for mark in '"`':
        if masked.count(mark) % 2:
            yield from _unclosed_quote(text, masked, mark)
    if stack:
        yield from _unclosed_brackets(text, masked, stack, error)


CLOSING = {"(": ")", "[": "]", "{": "}"}
_OPERATOR = lazy_pattern(
    r"\s*(?:(?<![=!<>|~])(?:[<>]=?|[=!]=)(?!~)|[+*/%^]|\b(?:and|or|unless|by|without)\b|(?<=\s)-(?=\s))"
)


def _closed_too_often(text: str, offset: int, stack: list[int], masked: str) -> Iterator[Repair]:
    advice = f"there is one `{text[offset]}` too many"
    yield Repair(advice, text[:offset] + text[offset + 1 :])
    if stack:
        missing = CLOSING[masked[stack[-1]]]
        yield Repair(f"a `{missing}` is missing", text[:offset] + missing + text[offset:])


def _unclosed_brackets(text: str, masked: str, stack: list[int], error: LogQLError) -> Iterator[Repair]:
    """Closes what is open: a function's parenthesis before the operator behind its argument, all others late."""
    missing = " ".join(f"`{CLOSING[masked[offset]]}`" for offset in reversed(stack))
    if all(masked[offset] == "(" for offset in stack):
        places = [_end_of_argument(masked, offset) for offset in stack]
        closed = text
        for place in sorted(places, reverse=True):
            closed = f"{closed[:place].rstrip()}){closed[place:]}"
        where = "at the end" if min(places) >= len(text.rstrip()) else "before the operator"
        yield Repair(f"{missing} is missing {where}", closed)
    closing = "".join(CLOSING[masked[offset]] for offset in reversed(stack))
    if isinstance(error, ParseError) and 0 < error.offset < len(text):
        before, after = text[: error.offset].rstrip(), text[error.offset :]
        yield Repair(f"a `{closing[0]}` is missing", f"{before}{closing[0]} {after}")
    yield Repair(f"{missing} is missing at the end", text.rstrip() + closing)


def _end_of_argument(masked: str, opening: int) -> int:
    """Where an unclosed parenthesis was probably meant to close: behind the first operand in it."""
    depth = 0
    # Parentheses that only group hold whole expressions; those of functions rarely do.
    is_call = bool(re.search(r"[\w)]\s*$", masked[:opening]))
    last = len(masked.rstrip())
    for offset in range(opening + 1, len(masked)):
        if masked[offset] in CLOSING:
            depth += 1
        elif masked[offset] in ")]}":
            depth -= 1
        elif depth == 0 and (found := _OPERATOR.match(masked, offset)):
            if is_call and masked[opening + 1 : offset].strip():
                return offset
            if found[0].strip()[0] in "<>=!":
                last = len(masked[:offset].rstrip())
    return last


def _unclosed_quote(text: str, masked: str, mark: str) -> Iterator[Repair]:
    starts = [found.start() for found in re.finditer(re.escape(mark), text)]
    for start in reversed(starts):
        for found in re.finditer(r"(?=\s*(?:[,})\[|]|$))", text[start + 1 :]):
            offset = start + 1 + found.start()
            if offset > start + 1:
                yield Repair(f"the quote {mark} is not closed", text[:offset] + mark + text[offset:])
                break


def refused(text: str, masked: str, error: LogQLError) -> Iterator[Repair]:
    """What is LogQL by its grammar, but refused for its meaning."""
    message = error.message if isinstance(error, ParseError) else str(error)
    if "grouping not allowed for" in message:
        for found in re.finditer(rf"\b({RANGE_WORDS})\s*\(", masked):
            close = matching(masked, found.end() - 1)
            grouping = re.match(r"\s*((?:by|without)\s*\([^)]*\))", masked[close + 1 :])
            if close > 0 and grouping:
                call, end = text[found.start() : close + 1], close + 1 + grouping.end()
                advice = f"`{found[1]}` cannot be grouped; aggregate its result"
                yield Repair(advice, f"{text[: found.start()]}sum {grouping[1]} ({call}){text[end:]}")
    if without := re.search(r"invalid aggregation (\w+) without unwrap", message):
        yield Repair(f"`{without[1]}` needs numbers: add `| unwrap label` before the range")
    if counted := re.search(r"invalid aggregation (\w+) with unwrap", message):
        yield Repair(f"`{counted[1]}` counts lines: remove `| unwrap`, or use sum_over_time")
    if "at least one regexp or equality matcher" in message:
        yield Repair('name at least one label value in the selector; `=~".+"` means "any"')
    if lacking := re.search(r"parameter required for operation (\w+)", message):
        example = "0.99" if lacking[1] == "quantile_over_time" else "5"
        yield Repair(f"`{lacking[1]}` needs a number first: {lacking[1]}({example}, …)")
    if re.search(r"`\(\?(?:<[=!]|[=!])", message):
        yield Repair('Loki\'s regular expressions (RE2) have no look-around; use two filters: |~ "…" !~ "…"')
    if "unexpected type for" in message and "leg of binary operation" in message:
        yield Repair("only numbers can be combined: wrap each log query, as in count_over_time({…} [5m])")
    if len(re.findall(r"\}\s*(?:&&|\|\||and|or)\s*\{", masked)):
        yield Repair('log queries cannot be combined; match several values: {app=~"a|b"}')


GUESSES: tuple[Guess, ...] = (
    *(promql, function_as_stage, swapped_arguments, after_range, lines_as_numbers, missing_range, range_text),
    *(promql_functions, metric_name, operators, other_languages, quotes, commas, missing_pipe),
    *(misspelt_stage, brackets, refused),
)
FOR_PROMQL: tuple[Guess, ...] = (promql, promql_functions, metric_name)
"""What to try for an expression on metrics: any more, and the result means something else."""
