"""Queries as people write them in rules and dashboards, over logs as services write them; and (``nasty``) odd ones.

`stream` gives logs, `query` a query with its times, as a recording has them without the answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

SECOND = 1_000_000_000
BASE = 1_767_225_600 * SECOND
SPAN = 600
"""Seconds that the logs of a suite cover."""

LEVELS = ("debug", "info", "info", "info", "warn", "error", "ERROR", "fatal")
SERVICES = ("pay", "cart", "auth", "web")
PATHS = ("/api/v1/orders", "/login", "/healthz", "/static/app.js", "/api/v1/orders/17")
METHODS = ("GET", "GET", "POST", "PUT", "DELETE")
MESSAGES = (
    *(
        "request done",
        "cache miss",
        "timeout after 5s",
        "connection refused",
        "user not found",
        "panic: nil map",
    ),
    *("retrying in 200ms", "slow query", "disk full", "deadline exceeded: dial tcp 10.0.0.7:5432"),
)
STATUSES = ("200", "200", "200", "201", "301", "404", "429", "500", "502", "503")
ZONES = ("eu", "us", "")


# --- logs --------------------------------------------------------------------------------------------------------

FORMATS = ("json", "json", "logfmt", "logfmt", "access", "text", "nested")


def stream(random: Random, number: int, odd: Callable[[Random], str] | None = None) -> dict[str, Any]:
    """A stream of one service; with ``odd``, that gives three lines in ten."""
    form = random.choice(FORMATS)
    labels = {
        "job": random.choice(("shop", "shop", "edge")),
        "app": random.choice(SERVICES),
        "n": str(number),
    }
    if random.random() < 0.4:
        labels["env"] = random.choice(("prod", "dev"))
    if random.random() < 0.2:
        labels["level"] = random.choice(("info", "error"))
    time = BASE + random.randint(0, 60) * SECOND
    entries: list[list[Any]] = []
    for _ in range(random.randint(5, 40)):
        time += random.choice((0, 1, 1, 2, 5, 10, 30)) * SECOND + random.choice((0, 0, 0, 1, 500_000_000))
        if odd is not None and random.random() < 0.3:
            line = odd(random)
        else:
            line = log_line(random, form if random.random() < 0.9 else random.choice(FORMATS))
        entry: list[Any] = [time, line]
        if random.random() < 0.15:
            entry.append(_metadata(random))
        entries.append(entry)
    return {"labels": labels, "entries": entries}


def _metadata(random: Random) -> dict[str, str]:
    names = ("trace_id", "level", "pod", "status", "zone", "detected_level")
    return {
        name: random.choice(("abc", "error", "500", "eu", "p-1"))
        for name in random.sample(names, random.randint(1, 3))
    }


def log_record(random: Random) -> dict[str, Any]:
    record: dict[str, Any] = {
        "level": random.choice(LEVELS),
        "msg": random.choice(MESSAGES),
        "status": int(random.choice(STATUSES)) if random.random() < 0.7 else random.choice(STATUSES),
        "duration": random.choice(("12ms", "1.5s", "250us", "2m", "980ms", "1235ms")),
        "took": random.choice((0.012, 1.5, 3, 250, 0.1)),
        "bytes": random.choice((512, 1500, 20480)),
        "size": random.choice(("1.5KB", "20MB", "100B", "3MiB")),
        "method": random.choice(METHODS),
        "path": random.choice(PATHS),
        "svc": random.choice(SERVICES),
        "zone": random.choice(ZONES),
        "user": random.choice(("ann", "bob", None)),
    }
    for key in random.sample(sorted(record), random.randint(0, 6)):
        del record[key]
    if random.random() < 0.1:
        record["app"] = "inner"
    items = list(record.items())
    random.shuffle(items)
    return dict(items)


def log_line(random: Random, form: str) -> str:
    record = log_record(random)
    if form == "json":
        blanks = (", ", ": ") if random.random() < 0.3 else (",", ":")
        return json.dumps(record, separators=blanks)
    if form == "nested":
        inner = {"code": random.choice(STATUSES), "user": {"id": random.randint(1, 9)}, "tags": ["a", "b"]}
        return json.dumps({**record, "http": inner, "ok": random.random() < 0.5})
    if form == "logfmt":
        return " ".join(f"{key}={_logfmt(value)}" for key, value in record.items() if value is not None)
    if form == "access":
        status, size = random.choice(STATUSES), random.randint(0, 99999)
        request = f"{random.choice(METHODS)} {random.choice(PATHS)} HTTP/1.1"
        address = f"10.0.{random.randint(0, 9)}.{random.randint(1, 99)}"
        return f'{address} - - [01/Jan/2026:00:00:00 +0000] "{request}" {status} {size}'
    level, message = random.choice(LEVELS).upper(), random.choice(MESSAGES)
    return f"{level} [{random.choice(SERVICES)}] {message} code={random.choice(STATUSES)}"


def _logfmt(value: Any) -> str:
    text = str(value)
    return json.dumps(text) if " " in text or not text else text


def odd_line(random: Random) -> str:
    line = log_line(random, random.choice(FORMATS))
    kind = random.randint(0, 7)
    if kind == 0:
        return line[: random.randint(0, len(line))]
    if kind == 1:
        return line.replace('"', "", 1)
    if kind == 2:
        return line.replace("level", "le\\u0076el").replace("a", "ä", 1)
    if kind == 3:
        return '{"level":"error","level":"info","a":{"b":1},"a_b":2,"status":"x","took":"NaN"}'
    if kind == 4:
        return 'level=error level=info status= took=1e3 msg="a \\"b\\" c" =x k="un'
    if kind == 5:
        return ""
    if kind == 6:
        return '{"_entry":"level=warn took=5","svc":"pay","pod":"p"}'
    return f"\x1b[31m{line}\x1b[0m"


# --- queries -----------------------------------------------------------------------------------------------------

FIELDS = ("level", "status", "method", "path", "svc", "zone", "user", "app", "env", "pod", "http_code")
RANGES = ("1m", "2m", "5m", "5m", "10m", "10m", "90s")


def query(random: Random, nasty: bool) -> dict[str, Any]:
    if random.random() < 0.12:
        text = selector(random) + pipeline(random, nasty)
        first, last = BASE, BASE + SPAN * 3 * SECOND
        return {
            "expr": text,
            "start": first,
            "end": last,
            **({"direction": "backward"} if random.random() < 0.3 else {}),
        }
    text = rule(random, nasty)
    time = BASE + random.choice((120, 200, 300, 301, 400)) * SECOND
    if random.random() < 0.25 and "approx_topk" not in text:
        step = random.choice((15, 30, 60, 77)) * SECOND
        return {"expr": text, "start": BASE, "end": time, "step": step}
    return {"expr": text, "time": time}


def selector(random: Random) -> str:
    choices = (
        '{job="shop"}',
        '{job=~"shop|edge"}',
        '{job="shop", env="prod"}',
        '{app=~"pay|cart"}',
        '{job="edge", app!="web"}',
        '{app=~".+"}',
        '{job=~"sh.*", env!=""}',
    )
    return random.choice(choices)


def line_filter(random: Random) -> str:
    return random.choice(
        (
            ' |= "error"', ' != "healthz"', ' |~ "(?i)error"', ' |~ "timeout|refused"', ' !~ "GET|POST"',
            ' |= "error" or "warn"', ' |~ "5\\\\d\\\\d"', ' |= `status`', ' |> "<_>level<_>"', ' != "debug" != "info"',
        )
    )  # fmt: skip


def parser(random: Random, nasty: bool) -> str:
    names = ", ".join(
        random.sample(("svc", "status", "level", "zone", "took", "method"), random.randint(1, 3))
    )
    choices = [
        *(" | json", " | json", " | logfmt", " | logfmt", f" | json {names}", f" | logfmt {names}"),
        ' | pattern `<ip> - - [<_>] "<method> <path> <_>" <status> <bytes>`',
        " | regexp `(?P<method>GET|POST|PUT) (?P<path>\\S+)`",
        ' | json code="http.code", id="http.user.id"',
        " | logfmt --strict",
        " | logfmt --keep-empty",
        ' | logfmt s="svc", status',
        " | regexp `code=(?P<status>\\d+)`",
    ]
    if nasty:
        choices += [
            " | unpack",
            " | json | logfmt",
            " | logfmt | json",
            ' | json x="http.tags[0]"',
            " | decolorize | logfmt",
        ]
    return random.choice(choices)


def label_filter(random: Random) -> str:
    return random.choice(
        (
            'level="error"', 'level=~"error|fatal"', 'level!="info"', 'status="500"', "status >= 500", 'status=~"5.."',
            "status != 404", "duration > 100ms", "size > 1KB", "took > 1", 'svc="pay"', 'svc!=""', 'zone=""',
            'user=~"a.+"', 'path!~"/static.*"', 'level=~"(?i)error"', "status >= 500 or status = 429", "bytes > 1000",
            'status >= 400 and status < 500', 'trace_id!=""', '__error__=""', 'level="error" or status="500"',
        )
    )  # fmt: skip


def pipeline(random: Random, nasty: bool) -> str:
    parts: list[str] = []
    if random.random() < 0.3:
        parts.append(line_filter(random))
    if random.random() < 0.8:
        parts.append(parser(random, nasty))
        for _ in range(random.choice((0, 0, 1, 1, 1, 2))):
            parts.append(f" | {label_filter(random)}")
        if random.random() < 0.3:
            parts.append(' | __error__=""')
    if random.random() < (0.4 if nasty else 0.1):
        parts.append(
            random.choice(
                (
                    ' | line_format "{{.msg}}"', ' | label_format lvl=level', ' | drop path, user',
                    " | keep level, svc",
                    ' | label_format kind="{{.svc}}-{{.status}}"', ' | label_format status="{{.status}}0"',
                    ' | line_format "{{.level}} {{.status}}" |= "error"', ' | drop __error__', ' | drop level="info"',
                )
            )
        )  # fmt: skip
        if random.random() < 0.5:
            parts.append(f" | {label_filter(random)}")
    return "".join(parts)


def grouping(random: Random) -> str:
    names = ", ".join(random.sample(FIELDS, random.choice((1, 1, 1, 2, 3))))
    return f"{random.choice(('by', 'by', 'by', 'by', 'without'))} ({names})"


def samples(random: Random, nasty: bool) -> str:
    """A range aggregation."""
    log, width = selector(random) + pipeline(random, nasty), random.choice(RANGES)
    offset = f" offset {random.choice(('1m', '30s', '5m'))}" if random.random() < 0.08 else ""
    if random.random() < 0.3:
        label = random.choice(("took", "status", "bytes", "duration(duration)", "bytes(size)", "took"))
        unwrap = f" | unwrap {label}" + (' | __error__=""' if random.random() < 0.8 else "")
        operation = random.choice(("sum", "avg", "max", "min", "first", "last", "stddev"))
        by = f" {grouping(random)}" if random.random() < 0.5 and operation != "sum" else ""
        if operation != "sum" and random.random() < 0.3:
            return (
                f"quantile_over_time(0.{random.choice((5, 9, 95, 99))}, {log}{unwrap} [{width}]{offset}){by}"
            )
        if random.random() < 0.1:
            return f"rate({log}{unwrap} [{width}]{offset})"
        return f"{operation}_over_time({log}{unwrap} [{width}]{offset}){by}"
    operation = random.choice(
        ("count_over_time", "count_over_time", "rate", "rate", "bytes_over_time", "bytes_rate")
    )
    return f"{operation}({log} [{width}]{offset})"


def vector(random: Random, nasty: bool) -> str:
    """An aggregation as stands on one side of a rule."""
    kind = random.random()
    if kind < 0.65:
        by = f" {grouping(random)}" if random.random() < 0.75 else ""
        operation = random.choice(("sum", "sum", "sum", "sum", "max", "avg", "count", "min"))
        return f"{operation}{by} ({samples(random, nasty)})"
    if kind < 0.85:
        return samples(random, nasty)
    if kind < 0.9:
        return f"absent_over_time({selector(random)}{pipeline(random, nasty)} [{random.choice(RANGES)}])"
    if kind < 0.94:
        return f"sort_desc({vector(random, nasty)})"
    if kind < 0.97:
        return f'label_replace({vector(random, nasty)}, "team", "$1", "{random.choice(FIELDS)}", "(.*)")'
    return f"sum({vector(random, nasty)})"


def rule(random: Random, nasty: bool) -> str:
    """The expression of an alert or a panel."""
    kind, one = random.random(), vector(random, nasty)
    if kind < 0.4:
        operator = random.choice((">", ">", ">=", "<", "==", "!="))
        return f"{one} {operator} {random.choice(('0', '0', '1', '2', '5', '0.05', '100'))}"
    if kind < 0.65:
        return one
    names = ", ".join(random.sample(FIELDS, random.choice((1, 1, 2))))
    matching = random.choice(
        ("", "", f"on ({names}) ", f"ignoring ({names}) ", f"on ({names}) group_left () ")
    )
    if kind < 0.8:
        # The share of the lines that a filter lets through.
        other = vector(random, nasty)
        return f"{one} / {matching}{other}" + random.choice(("", " > 0.1", " * 100 > 5"))
    if kind < 0.86:
        return f"{one} or {random.choice(('vector(0)', vector(random, nasty)))}"
    if kind < 0.93:
        plain = matching.replace("group_left () ", "")
        return f"{one} {random.choice(('and', 'unless', 'or'))} {plain}{vector(random, nasty)}"
    if kind < 0.97:
        return f"{one} {random.choice(('+', '-', '*', '>', '> bool'))} {matching}{vector(random, nasty)}"
    return f"{random.choice(('100', '1', '0.5'))} {random.choice(('-', '*', '<', '/'))} {one}"
