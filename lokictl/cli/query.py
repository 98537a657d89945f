"""``lokictl query``"""

from __future__ import annotations

import gc
import os
import time as clock
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import click

from lokictl.cli.common import debug_option, loki_version_option, print_problems, quiet_option, write_json
from lokictl.diagnostics import LokictlError, Position, Problem
from lokictl.engine import Engine, LogStore
from lokictl.log_search import search
from lokictl.logql import LogQLError, ParseError, ast, parse
from lokictl.logql.ast import LogExpr
from lokictl.logql.grafana_variables import variables
from lokictl.logql.matching import compile_matcher
from lokictl.logql.units import parse_prometheus_duration, quote
from lokictl.model.log_files import LogReader
from lokictl.model.times import format_time, parse_time

if TYPE_CHECKING:
    from lokictl.engine import Result
    from lokictl.logql.ast import Expr

MAX_LINES = 5000
"""More lines than Loki gives at once are refused by the engine."""


@click.command(
    "query",
    epilog="""\b
Examples:
  lokictl query '{app="api"} | json | level="error"' --labels app=api api.ndjson
  kubectl logs deploy/api | lokictl query 'sum by (level) (count_over_time({app="api"} | json [5m]))' -l app=api -
  lokictl query 'rate({app="api"} |= "timeout" [1m])' -l app=api api.log --since 1h --step 1m
""",
)
@click.argument("expression")
@click.argument("files", nargs=-1, required=True, type=click.Path(allow_dash=True))
@click.option(
    "-l", "--labels", multiple=True, metavar="NAME=VALUE", help="Stream label of the lines; repeatable."
)
@click.option(
    "--time",
    "time_text",
    metavar="TIME",
    help="Run an instant query at TIME; default: the time of the last line.",
)
@click.option(
    "--start", metavar="TIME", help="Run a range query from TIME; default: the time of the first line."
)
@click.option(
    "--end", metavar="TIME", help="Run a range query up to TIME; default: just after the last line."
)
@click.option("--since", metavar="DURATION", help="Run a range query over the last DURATION before --end.")
@click.option("--step", metavar="DURATION", help="Run a range query with this step.")
@click.option("--limit", default=100, show_default=True, help="Maximum number of lines of a log query.")
@click.option(
    "--direction",
    type=click.Choice(["forward", "backward"]),
    default="forward",
    show_default=True,
    help="Order of lines.",
)
@click.option("--time-field", default="", metavar="NAME", help="JSON or logfmt field with the timestamp.")
@click.option(
    "--format",
    "output_format",
    type=click.Choice(["table", "json", "lines"]),
    default="table",
    show_default=True,
    help="Output format: a table, Loki's JSON, or only the lines.",
)
@loki_version_option
@quiet_option
@debug_option
def command(
    expression: str,
    files: tuple[str, ...],
    labels: tuple[str, ...],
    time_text: str | None,
    start: str | None,
    end: str | None,
    since: str | None,
    step: str | None,
    limit: int,
    direction: str,
    time_field: str,
    output_format: str,
    quiet: bool,
) -> None:
    """Run a LogQL EXPRESSION over log FILES (text, NDJSON, container logs; "-" is standard input).

    A metric query runs as an instant query at the last line, or as a range query with --start, --end, --since or
    --step.
    """
    # The run is short and makes many small objects that all live to its end.
    gc.disable()
    expr = _parse(expression)
    own = _labels(labels)
    if not (time_text or start or end or since or step or time_field):
        found = _search(expr, files, own, limit, direction)
        if found is not None:
            _print(found, output_format, quiet)
            return
    store, first, last = _load(files, own, time_field, quiet)
    if first is None or last is None:
        if not quiet:
            click.echo("no lines", err=True)
        return
    result = _run(expr, store, (first, last), (time_text, start, end, since, step), limit, direction)
    _print(result, output_format, quiet)
    if not quiet:
        _explain_nothing(expr, store, result)


def _search(
    expr: Expr, files: tuple[str, ...], labels: dict[str, str], limit: int, direction: str
) -> Result | None:
    """The answer of a log query over all lines, without a store; None where that needs one."""
    if not isinstance(expr, LogExpr) or not 0 < limit <= MAX_LINES or files.count("-") > 1:
        return None
    jobs = os.cpu_count() or 1
    return search(str(expr), files, labels, limit=limit, backward=direction == "backward", jobs=jobs)


def _parse(expression: str) -> Expr:
    try:
        return parse(expression)
    except LogQLError as error:
        raise syntax_problem(expression, error) from None


def syntax_problem(expression: str, error: LogQLError) -> LokictlError:
    """The error with its place, and what was probably meant, as `lokictl lint` says it."""
    found = variables(expression)
    bare = next((variable for variable in found if not variable.in_text), None)
    lines = expression.split("\n")
    position, line = Position("<query>"), lines[0]
    if bare is not None:
        before = expression[: bare.span.start]
        number, column = before.count("\n") + 1, bare.span.start - (before.rfind("\n") + 1) + 1
        width = bare.span.end - bare.span.start
        position = Position("<query>", number, column, number, column + width)
        written = expression[bare.span.start : bare.span.end]
        instead = "a duration such as 5m" if bare.is_macro else "its value"
        message = f"{written} is a Grafana variable, which Grafana replaces before Loki sees the query"
        problem = Problem(
            "logql/syntax", message, position=position, source_line=lines[number - 1], hint=f"write {instead}"
        )
        return LokictlError(problem)
    if isinstance(error, ParseError) and 0 < error.line <= len(lines):
        width = max(error.end_offset - error.offset, 1)
        position = Position("<query>", error.line, error.col, error.line, error.col + width)
        line = lines[error.line - 1]
    from lokictl.lint.logql.repairs import repair  # noqa: PLC0415 - needed for a wrong query only

    better = repair(expression.strip(), error)
    hint = (
        "" if better is None else f"{better.advice}; write: {better.text}" if better.text else better.advice
    )
    return LokictlError(Problem("logql/syntax", str(error), position=position, source_line=line, hint=hint))


def _explain_nothing(expr: Expr, store: LogStore, result: Result) -> None:
    """Names the labels of the lines where a selector selects none of them."""
    if result.kind == "scalar" or result.to_loki()["result"]:
        return
    known = [stream.label_map for stream in store]
    for selector in expr.find_all(ast.StreamSelector):
        tests = [(matcher.name, compile_matcher(matcher)) for matcher in selector.matchers]
        if any(all(test(labels.get(name, "")) for name, test in tests) for labels in known):
            continue
        shown = ", ".join(_label_text(dict(labels)) for labels in known[:3])
        more = f" and {len(known) - 3} more streams" if len(known) > 3 else ""
        click.echo(f"{selector} matches no stream; the streams are {shown}{more}", err=True)


def _labels(pairs: tuple[str, ...]) -> dict[str, str]:
    labels = {}
    for pair in pairs:
        for part in pair.split(","):
            name, equals, value = part.partition("=")
            if not equals or not name.strip():
                raise click.BadParameter(f'"{part}" is not NAME=VALUE', param_hint="--labels")
            labels[name.strip()] = value.strip().strip('"')
    return labels


def _load(
    files: tuple[str, ...], labels: dict[str, str], time_field: str, quiet: bool
) -> tuple[LogStore, int | None, int | None]:
    store = LogStore()
    times: list[int] = []
    streams: dict[tuple[tuple[str, str], ...], list[Any]] = {}
    for file in files:
        own = labels or {"filename": file}
        plain = tuple(sorted(own.items()))
        reader = LogReader(file, default_time=clock.time_ns(), time_field=time_field)
        for line in reader:
            key = plain
            if line.labels:
                key = tuple(
                    sorted({**line.labels, **own}.items() if labels else {**own, **line.labels}.items())
                )
            streams.setdefault(key, []).append((line.timestamp, line.line, line.metadata))
        warning = reader.warning(hint="use --time-field to name the JSON or logfmt field with the timestamp")
        if warning is not None and not quiet:
            print_problems([warning], err=True)
    for key, entries in streams.items():
        entries.sort(key=itemgetter(0))
        times += (entries[0][0], entries[-1][0])
        store.push(dict(key), entries)
    return store, min(times, default=None), max(times, default=None)


def _run(
    expr: Expr,
    store: LogStore,
    span: tuple[int, int],
    asked: tuple[str | None, str | None, str | None, str | None, str | None],
    limit: int,
    direction: str,
) -> Result:
    time_text, start, end, since, step = asked
    if time_text and (start or end or since or step):
        raise click.UsageError(
            "--time runs an instant query; --start, --end, --since and --step run a range query"
        )
    engine = Engine(store)
    if isinstance(expr, LogExpr) or start or end or since or step:
        return _range(engine, expr, span, (start, end, since, step), limit, direction)
    return engine.query(expr, time=_time("--time", time_text, span[1]))


def _range(
    engine: Engine,
    expr: Expr,
    span: tuple[int, int],
    asked: tuple[str | None, str | None, str | None, str | None],
    limit: int,
    direction: str,
) -> Result:
    start, end, since, step = asked
    until = _time("--end", end, span[1] + 1)
    # The store keeps the interval of a stream's lines in ms, as Loki does: ask from just before the first one.
    first = span[0] - 1_000_000 if isinstance(expr, LogExpr) else span[0]
    begin = until - _duration("--since", since) if since else _time("--start", start, first)
    width = _duration("--step", step) if step else max((until - begin) // 250 // 10**9, 1) * 10**9
    return engine.query_range(expr, start=begin, end=until, step=width, limit=limit, direction=direction)


def _time(option: str, text: str | None, default: int) -> int:
    if text is None:
        return default
    try:
        return parse_time(text, now=clock.time_ns())
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from None


def _duration(option: str, text: str) -> int:
    try:
        return parse_prometheus_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from None


def _print(result: Result, output_format: str, quiet: bool) -> None:
    data = result.to_loki()
    if output_format == "json":
        write_json({"status": "success", "data": data})
    elif data["resultType"] == "streams":
        _print_lines(data["result"], bare=output_format == "lines", quiet=quiet)
    else:
        _print_samples(data, bare=output_format == "lines", quiet=quiet)


def _print_lines(streams: list[dict[str, Any]], *, bare: bool, quiet: bool) -> None:
    entries = [
        (int(entry[0]), entry[1], stream["stream"]) for stream in streams for entry in stream["values"]
    ]
    entries.sort(key=lambda entry: entry[0])
    shown = [
        line if bare else f"{format_time(at)} {_label_text(labels)} {line}" for at, line, labels in entries
    ]
    if shown:
        click.echo("\n".join(shown))
    if not quiet and not bare:
        click.echo(f"{len(entries)} line{'s' * (len(entries) != 1)}", err=True)


def _print_samples(data: dict[str, Any], *, bare: bool, quiet: bool) -> None:
    rows = _rows(data)
    if bare:
        for row in rows:
            click.echo("\t".join(row))
        return
    if not rows:
        if not quiet:
            click.echo("no samples", err=True)
        return
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for time, labels, value in rows:
        click.echo(f"{time:<{widths[0]}}  {labels:<{widths[1]}}  {value}")


def _rows(data: dict[str, Any]) -> list[tuple[str, str, str]]:
    if data["resultType"] == "scalar":
        return [("", "", data["result"][1])]
    rows = []
    for series in data["result"]:
        for time, value in series.get("values") or [series["value"]]:
            rows.append((_sample_time(time), _label_text(series["metric"]), value))
    return rows


def _sample_time(seconds: float) -> str:
    return format_time(round(seconds * 1000) * 1_000_000)


def _label_text(labels: dict[str, str]) -> str:
    return "{" + ", ".join(f"{name}={quote(value)}" for name, value in sorted(labels.items())) + "}"
