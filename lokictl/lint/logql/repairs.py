"""Likely repairs of text that is not LogQL: each is a guess that is only offered when the result parses."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lokictl.diagnostics import nearest
from lokictl.logql.cache import parse_cached
from lokictl.logql.errors import LogQLError, ParseError
from lokictl.logql.lexer import RANGE_OPERATIONS, RESERVED, VECTOR_OPERATIONS
from lokictl.logql.semantics import STAGES

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
    """The first guess whose result parses, after one change or two; else advice without a text, or None."""
    if len(text) > LONGEST:
        return None
    budget = [MAX_PARSES]
    candidates = _guesses(text, error, budget)
    complete = next((found for found in candidates if found.text and _parses(found.text, budget)), None)
    if complete is not None:
        return complete
    for found in candidates:
        if found.text and budget[0] > 0:
            second = _second(found, budget)
            if second is not None:
                return second
    return next((Repair(found.advice) for found in candidates if not found.text), None)


def _second(first: Repair, budget: list[int]) -> Repair | None:
    error = parse_cached(first.text)
    if not isinstance(error, LogQLError):
        return first
    for found in _guesses(first.text, error, budget):
        if found.text and budget[0] > 0 and _parses(found.text, budget):
            advice = first.advice if found.advice == first.advice else f"{first.advice}; {found.advice}"
            return Repair(advice, found.text)
    return None


def _parses(text: str, budget: list[int]) -> bool:
    budget[0] -= 1
    return budget[0] >= 0 and not isinstance(parse_cached(text), LogQLError)


def _guesses(text: str, error: LogQLError, budget: list[int]) -> list[Repair]:
    masked = mask(text)
    seen: dict[tuple[str, str], Repair] = {}
    for guess in GUESSES:
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
    """The offset of the bracket that closes the one at ``opening``; -1 when there is none."""
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
        yield Repair("the range stands at the end, after the whole pipeline", moved)
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
    "count_overtime": ("count_over_time", "the function is `count_over_time`"),
    "quantile": ("quantile_over_time", "LogQL has quantiles over time only"),
}
UNKNOWN_FUNCTIONS = (
    *("histogram_quantile", "delta", "idelta", "deriv", "changes", "resets", "predict_linear", "clamp_max"),
    *("clamp_min", "clamp", "abs", "ceil", "floor", "round", "time", "label_join", "count_values", "group"),
    *("avg_over_time_of", "holt_winters", "scalar", "ln", "log2", "log10", "exp", "sqrt", "timestamp"),
)


def promql_functions(text: str, masked: str, error: LogQLError) -> Iterator[Repair]:
    """Functions that PromQL has and LogQL has not, and misspelt ones."""
    known = (*RANGE_OPERATIONS, *VECTOR_OPERATIONS, "vector", "label_replace")
    for found in re.finditer(r"\b([A-Za-z_]\w*)\s*\(", masked):
        word = found[1]
        lower = word.lower()
        if lower in known or lower in RESERVED or lower in ("bytes", "duration", "duration_seconds", "ip"):
            continue
        if lower in PROMQL_FUNCTIONS:
            new, advice = PROMQL_FUNCTIONS[lower]
            yield Repair(advice, text[: found.start(1)] + new + text[found.end(1) :])
        elif lower in UNKNOWN_FUNCTIONS:
            yield Repair(f"`{word}` is a function of PromQL; LogQL has nothing like it")
        elif guess := nearest(lower, known):
            yield Repair(
                f"there is no function `{word}`; `{guess}`?",
                text[: found.start(1)] + guess + text[found.end(1) :],
            )


def metric_name(text: str, masked: str, error: LogQLError) -> Iterator[Repair]:
    """``http_requests{app="x"}``: a log stream has no metric name."""
    for found in re.finditer(r"(?<![\w.:])([A-Za-z_:][\w:]*)(\s*)\{", masked):
        if found[1].lower() not in RESERVED:
            advice = f"log streams have no metric name: leave out `{found[1]}`"
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
    ("| =", "|=", "the line filter is `|=`, without a blank"),
    ("| ~", "|~", "the line filter is `|~`, without a blank"),
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
        advice = "texts are compared with `=`; `==` is for numbers"
        yield Repair(advice, text[: found.start()] + "=" + text[found.end() :])
    for found in re.finditer(r"(?<=[)\d])\s*(?<![=!<>|~])=(?![=~])(?=\s*[-\d.(a-z])", masked):
        offset = found.end() - 1
        yield Repair("numbers of a result are compared with `==`", text[:offset] + "==" + text[offset + 1 :])


def missing_pipe(text: str, masked: str, error: LogQLError) -> Iterator[Repair]:
    """``{…} json``, ``{…} | "text"``, ``{…} level="error"``"""
    words = "|".join(STAGE_WORDS)
    for found in re.finditer(rf"(?<=[}}\"`\w)])\s+(?<!\|\s)({words})\b", masked):
        advice = f"a stage begins with `|`: | {found[1]}"
        yield Repair(advice, text[: found.start(1)] + "| " + text[found.start(1) :])
    for found in re.finditer(r"\|\s*(?=[\"`])", masked):
        advice = "a line filter has an operator: `|=` contains, `|~` matches"
        yield Repair(advice, text[: found.start()] + "|= " + text[found.end() :])
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
            advice = f"there is no stage `{found[1]}`; `{guess}`?"
            yield Repair(advice, text[: found.start(1)] + guess + text[found.end(1) :])


# --- quotes, commas, brackets ------------------------------------------------------------------------------


def quotes(text: str, masked: str, error: LogQLError) -> Iterator[Repair]:
    """Single, typographic and escaped quotes; values without quotes; escapes that Go does not know."""
    if any(mark in masked for mark in "“”„‟«»‘’"):
        yield Repair(
            'LogQL knows the plain quote `"` only', re.sub("[“”„‟«»]", '"', re.sub("[‘’]", "'", text))
        )
    if re.search(r"'[^']*'", masked):
        changed = re.sub(
            r"'([^'\"]*)'", lambda found: f'"{found[1]}"' if masked[found.start()] == "'" else found[0], text
        )
        yield Repair("strings stand in double quotes or in backticks", changed)
    if '\\"' in text and '\\"' in masked:
        yield Repair(r'quotes need no backslash here: `"`, not `\"`', text.replace('\\"', '"'))
    for found in re.finditer(
        r"([=!]~|[=!]=|=)\s*([A-Za-z_][\w./-]*)(?=\s*(?:[,}|)\[]|$|and\b|or\b))", masked
    ):
        word = text[found.start(2) : found.end(2)]
        if word.lower() not in ("ip", "bool"):
            quoted = f'{text[: found.start(2)]}"{word}"{text[found.end(2) :]}'
            yield Repair(f'a text stands in quotes: "{word}"', quoted)
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
        yield Repair("no comma before the bracket", text[: found.start()] + text[found.end() :])
    for found in re.finditer(r'(?<=["`])(\s+)(?=[A-Za-z_]\w*\s*(?:=~|!~|!=|=))', masked):
        if masked.rfind("{", 0, found.start()) > masked.rfind("}", 0, found.start()):
            yield Repair(
                "matchers are separated by commas", text[: found.start()] + ", " + text[found.end() :]
            )
    for found in re.finditer(r"\{\s*,\s*|,\s*,", masked):
        yield Repair("one comma too many", text[: found.start()] + found[0][0] + text[found.end() :])


def brackets(text: str, masked: str, error: LogQLError) -> Iterator[Repair]:
    """Brackets and quotes that are not closed, or closed twice."""
    stack: list[str] = []
    pairs = {"(": ")", "[": "]", "{": "}"}
    for offset, character in enumerate(masked):
        if character in pairs:
            stack.append(pairs[character])
        elif character in ")]}":
            if stack and stack[-1] == character:
                stack.pop()
            else:
                advice = f"there is a `{character}` too many"
                yield Repair(advice, text[:offset] + text[offset + 1 :])
                if stack:
                    missing = stack[-1]
                    yield Repair(f"a `{missing}` is missing", text[:offset] + missing + text[offset:])
                break
    for mark in '"`':
        if masked.count(mark) % 2:
            yield from _unclosed_quote(text, masked, mark)
    if stack:
        if isinstance(error, ParseError) and 0 < error.offset < len(text):
            before, after = text[: error.offset].rstrip(), text[error.offset :]
            yield Repair(f"a `{stack[-1]}` is missing", f"{before}{stack[-1]} {after}")
        closing = "".join(reversed(stack))
        what = " ".join(f"`{item}`" for item in reversed(stack))
        yield Repair(f"{what} is missing at the end", text.rstrip() + closing)


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
        yield Repair(f"`{counted[1]}` counts lines: leave out `| unwrap`, or use sum_over_time")
    if "at least one regexp or equality matcher" in message:
        yield Repair('name at least one label value in the selector; `=~".+"` means "any"')
    if lacking := re.search(r"parameter required for operation (\w+)", message):
        example = "0.99" if lacking[1] == "quantile_over_time" else "5"
        yield Repair(f"`{lacking[1]}` needs a number first: {lacking[1]}({example}, …)")
    if "unexpected type for" in message and "leg of binary operation" in message:
        yield Repair("only numbers can be combined: wrap each log query, as in count_over_time({…} [5m])")
    if len(re.findall(r"\}\s*(?:&&|\|\||and|or)\s*\{", masked)):
        yield Repair('log queries cannot be combined; match several values: {app=~"a|b"}')


GUESSES: tuple[Guess, ...] = (
    *(function_as_stage, swapped_arguments, after_range, missing_range, range_text),
    *(
        promql_functions,
        metric_name,
        operators,
        quotes,
        commas,
        missing_pipe,
        misspelt_stage,
        brackets,
        refused,
    ),
)
