"""Queries of every shape that LogQL has: all parsers, filters, template functions, aggregations, and ways to join them.

`rule_like` writes what people write; this module writes what the language allows, over lines with addresses, colors,
packed entries and nested JSON.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

from tests.fuzz import rule_like
from tests.fuzz.rule_like import BASE, MESSAGES, SECOND

NAMES = (
    "level",
    "status",
    "svc",
    "took",
    "size",
    "duration",
    "msg",
    "path",
    "user",
    "app",
    "n",
    "ip",
    "zone",
    "missing",
    "http_code",
)
EXTRACTED = (*NAMES, "level_extracted", "app_extracted", "http_user_id", "_entry", "trace_id", "pod")
ADDRESSES = (
    "10.0.0.7",
    "10.0.9.200",
    "192.168.1.1",
    "8.8.8.8",
    "::1",
    "2001:db8::2",
    "10.0.0.300",
    "fe80::1",
)


# --- logs --------------------------------------------------------------------------------------------------------


def odd_line(random: Random) -> str:
    """A line of a service, or one with something that only some stage reads."""
    record = rule_like.log_record(random)
    kind = random.randint(0, 9)
    if kind == 0:
        inner = rule_like.log_line(random, random.choice(("logfmt", "text", "json")))
        return json.dumps({"_entry": inner, "pod": random.choice(("p-1", "p-2")), "app": "packed"})
    if kind == 1:
        text = rule_like.log_line(random, random.choice(("logfmt", "text")))
        return f"\x1b[3{random.randint(0, 7)}m{text}\x1b[0m"
    if kind == 2:
        number = random.choice(("3", "1e3", "-2", "0x1F", "1_000", "NaN", "+Inf"))
        return f"client={random.choice(ADDRESSES)} ip={random.choice(ADDRESSES)} took={number}"
    if kind == 3:
        nested = {
            "http": {"code": 500, "tags": ["a", {"b": [1, 2]}], "user": {"id": 7}},
            "list": [1, "two", None, True],
            "text": 'a "quoted" \\ word',
            "a.b": "dotted",
            "ünï": "wide",
        }
        return json.dumps({**record, **nested}, ensure_ascii=random.random() < 0.5)
    if kind == 4:
        return json.dumps({"msg": json.dumps(record), "level": record.get("level", "info")})
    if kind == 5:
        numbers = f"100% {random.randint(0, 99)}/{random.randint(0, 9)}"
        return f'{random.choice(ADDRESSES)} - "{random.choice(MESSAGES)}" <{random.choice(("a", "b c"))}> {numbers}'
    if kind == 6:
        return 'level="a \\"b\\"" msg=\'x y\' took= empty="" ünï=wide a.b=c =v bare "x"=y took=5'
    if kind == 7:
        return rule_like.odd_line(random)
    return rule_like.log_line(random, random.choice(rule_like.FORMATS))


# --- stages ------------------------------------------------------------------------------------------------------


def literal(random: Random, text: str) -> str:
    """A string as LogQL writes one: in quotes or backticks."""
    return (
        f"`{text}`"
        if "`" not in text and random.random() < 0.4
        else json.dumps(text, ensure_ascii=random.random() < 0.3)
    )


REGEXES = (
    "error",
    "(?i)ERR",
    "5\\d\\d",
    "^level",
    "a|e",
    "took=[0-9.]+",
    ".*",
    ".+",
    "",
    "(?i)warn|FATAL",
    "\\bGET\\b",
    "[^a-z]{3}",
    "x*",
    "done$",
    "\\.",
)
WORDS = (
    "error",
    "info",
    "status",
    "10.0.",
    '"',
    "\\",
    "=",
    "ünï",
    "",
    " ",
    "level=error",
    "GET /",
    "\x1b[",
    "100%",
    "Error",
)
PATTERNS = (
    "<_>level<_>",
    "<_>error<_>",
    "<_>: <_>",
    "level=<_>",
    "<_> <_> <_>",
    "<_>status<_>5<_>",
    "{<_>}",
    "error",
    "<_>done",
    "10.0.<_>",
)
NETWORKS = (
    "10.0.0.0/16",
    "10.0.0.7",
    "10.0.0.1-10.0.9.255",
    "192.168.0.0/16",
    "::1",
    "2001:db8::/32",
    "0.0.0.0/0",
    "10.0.0.0-8.8.8.8",
    "10.0.0.0/33",
)


def line_filter(random: Random) -> str:
    operator = random.choice(("|=", "|=", "!=", "|~", "|~", "!~", "|>", "!>"))
    choices = {"~": REGEXES, ">": PATTERNS}.get(operator[1], WORDS)
    if operator in ("|=", "!=") and random.random() < 0.2:
        return f" {operator} ip({literal(random, random.choice(NETWORKS))})"
    legs = [literal(random, random.choice(choices)) for _ in range(random.choice((1, 1, 1, 2, 3)))]
    return f" {operator} {' or '.join(legs)}"


PATHS = (
    "http.code",
    "http.tags[0]",
    "http.tags[1].b[0]",
    '["http"]["code"]',
    "list[1]",
    "list",
    "http",
    "msg",
    '["a.b"]',
    "level",
    "http.user.id",
    "missing.x",
    "[0]",
    "ünï",
)
REGEXP = r"""
(?P<method>GET|POST|PUT|DELETE) (?P<path>\S+)
level=(?P<level>\w+)
(?P<first>\w+)
code=(?P<status>\d+)?
(?P<a>.)(?P<b>.*)
(?i)(?P<level>error|warn)
(?P<ip>\d+\.\d+\.\d+\.\d+)
(?P<took>[0-9.]+)(?P<unit>ms|s)?
\[(?P<svc>[a-z]+)\] (?P<msg>.+?) code
(?P<all>^.*$)
(?P<a>x*)
""".splitlines()[1:]
EXTRACTING = r"""
<ip> - - [<_>] "<method> <path> <_>" <status> <bytes>
<ip> <_>
<level> [<svc>] <msg> code=<status>
<_>level=<level> <_>
<first> <rest>
<a>=<b> <_>
"<msg>"
<ip> - "<msg>" <_>
<whole>
""".splitlines()[1:]


def parser(random: Random) -> str:
    kind = random.randint(0, 10)
    if kind < 2:
        return " | json"
    if kind == 2:
        fields = [
            f"{random.choice(EXTRACTED)}={literal(random, random.choice(PATHS))}"
            if random.random() < 0.7
            else random.choice(NAMES)
            for _ in range(random.randint(1, 3))
        ]
        return f" | json {', '.join(fields)}"
    if kind < 6:
        flags = random.choice(("", "", " --strict", " --keep-empty", " --strict --keep-empty"))
        fields = [
            random.choice(
                (f"{random.choice(EXTRACTED)}={literal(random, random.choice(NAMES))}", random.choice(NAMES))
            )
            for _ in range(random.choice((0, 0, 1, 2, 3)))
        ]
        return f" | logfmt{flags}{' ' if fields else ''}{', '.join(fields)}"
    if kind < 8:
        return f" | regexp {literal(random, random.choice(REGEXP))}"
    if kind < 10:
        return f" | pattern {literal(random, random.choice(EXTRACTING))}"
    return " | unpack"


def condition(random: Random, depth: int = 1) -> str:
    """What a label filter asks, perhaps joined of several."""
    if depth and random.random() < 0.3:
        left, right = condition(random, depth - 1), condition(random, depth - 1)
        joined = left + random.choice((" and ", " or ", ", ", " or ")) + right
        return f"({joined})" if random.random() < 0.4 else joined
    name = random.choice(EXTRACTED)
    kind = random.randint(0, 6)
    if kind < 2:
        value = random.choice(("error", "info", "500", "", "pay", "x y", "10.0.0.7"))
        return name + random.choice(("=", "!=")) + literal(random, value)
    if kind == 2:
        return f"{name}{random.choice(('=~', '!~'))}{literal(random, random.choice(REGEXES))}"
    comparison = random.choice(("==", "=", "!=", ">", ">=", "<", "<="))
    if kind == 3:
        name, value = (
            random.choice(("status", "took", "n", name)),
            random.choice(("500", "0", "1.5", "1e3", "-2", "400", "0.1")),
        )
        return f"{name} {comparison} {value}"
    if kind == 4:
        name, value = (
            random.choice(("duration", "took", name)),
            random.choice(("100ms", "1s", "1m30s", "1.5s", "0s", "2h")),
        )
        return f"{name} {comparison} {value}"
    if kind == 5:
        name, value = (
            random.choice(("size", "bytes", name)),
            random.choice(("1KB", "1.5KiB", "20MB", "100B", "0B", "3MiB")),
        )
        return f"{name} {comparison} {value}"
    if random.random() < 0.5:
        network = literal(random, random.choice(NETWORKS))
        return f"{random.choice(('ip', 'client', name))} {random.choice(('=', '!='))} ip({network})"
    return random.choice(
        (
            '__error__=""',
            '__error__!=""',
            '__error__=~".*Err"',
            '__error_details__=""',
            '__error__="JSONParserErr"',
        )
    )


VALUES = (
    ".level",
    ".status",
    ".msg",
    ".took",
    ".svc",
    ".duration",
    ".path",
    "__line__",
    ".missing",
    ".http_code",
    ".size",
)
FUNCTIONS = r"""
ToUpper {v}
lower {v}
{v} | upper
{v} | title
Replace {v} "e" "E" 1
{v} | replace "o" "0"
trunc 3 {v}
trunc -3 {v}
substr 1 3 {v}
{v} | trimSuffix "r"
{v} | trimPrefix "e"
{v} | trim
TrimLeft {v} "ei"
trimAll "r" {v}
regexReplaceAll "([a-z])([a-z])" {v} "$2${{1}}"
regexReplaceAllLiteral "[a-z]" {v} "$1"
printf "%s-%q" {v} {w}
printf "%5.2f" ({v} | float64)
printf "%03d" ({v} | int)
add ({v} | int) 2
{v} | int | add 1
sub 10 ({v} | int)
mul ({v} | int) 2 3
div 100 7
mod ({v} | int) 7
addf ({v} | float64) 0.5
subf 1.5 ({v} | float64)
mulf ({v} | float64) 2
divf ({v} | float64) 3
round ({v} | float64) 2
ceil ({v} | float64)
floor ({v} | float64)
max ({v} | int) 5
min 3 ({v} | int) 9
maxf 1.5 ({v} | float64)
minf 1.5 2
len {v}
count "e" {v}
hasPrefix "e" {v}
hasSuffix "r" {v}
contains "rr" {v}
indent 2 {v}
nindent 1 {v}
repeat 2 {v}
{v} | urlencode
{v} | urldecode
{v} | b64enc
{v} | b64dec
default "none" {v}
alignLeft 6 {v}
alignRight 6 {v}
bytes {v}
duration {v}
duration_seconds {v}
toDateInZone
eq {v} "error"
not {v}
and {v} {w}
or {v} {w}
{v} | quote
print {v} 1
println {v}
html {v}
js {v}
urlquery {v}
ne {v} {w}
lt ({v} | float64) 5.0
index (fromJson __line__) "level"
unixEpoch __timestamp__
__timestamp__ | date "15:04:05"
(unixToTime "1767225600").Format "2006"
{v} | toDate "2006-01-02"
slice {v} 1 2
{v} | int64
toUpper {v} | lower
""".splitlines()[1:]
WHOLE = r"""
{{if .level}}L={{.level}}{{else}}none{{end}}
{{with .msg}}{{.}}{{end}}
{{range $i, $w := fromJson __line__}}{{$i}}={{$w}};{{end}}
{{if and (eq .level "error") .status}}bad{{else if .svc}}{{.svc}}{{end}}
{{$x := .level}}{{$x}}{{$x}}
{{- .level -}}  x
plain
{{/* note */}}{{.svc}}
{{ .level | printf "%-8s|" }}
{"a":"{{.level}}","n":{{.n}}}
k={{.svc}} took={{.took}}
{{ __line__ | len }}
{{.undefined.x}}
{{ .n | int | add 1 | mul 2 }}
{{range .}}x{{end}}
{{ . }}
{{define "t"}}[{{.}}]{{end}}{{template "t" .level}}
{{ printf "%v %T" .n .n }}
{{ slice .msg 0 2 }}
{{break}}
{{ nil }}
""".splitlines()[1:]
WHOLE += ["", "{{.level}}\n{{.svc}}"]


def template(random: Random) -> str:
    """The text of a template."""
    if random.random() < 0.25:
        return random.choice(WHOLE)
    parts = []
    for _ in range(random.choice((1, 1, 2))):
        call = (
            random.choice((*FUNCTIONS, "{v}", "{v}", "{v}"))
            .replace("{v}", random.choice(VALUES))
            .replace("{w}", random.choice(VALUES))
        )
        parts.append("{{" + call.replace("{{", "{").replace("}}", "}") + "}}")
    return random.choice(("", "", "x=", "v: ")) + random.choice((" ", "-", "")).join(parts)


def changed_labels(random: Random) -> str:
    """The assignments of a ``label_format``."""
    targets = random.sample(EXTRACTED, random.choice((1, 1, 2, 3)))
    if random.random() < 0.1:
        targets[-1] = targets[0]
    parts = [
        f"{name}={random.choice(EXTRACTED) if random.random() < 0.4 else literal(random, template(random))}"
        for name in targets
    ]
    return f" | label_format {', '.join(parts)}"


def dropped(random: Random) -> str:
    parts = []
    for _ in range(random.choice((1, 1, 2, 3))):
        name = random.choice((*EXTRACTED, "__error__"))
        if random.random() < 0.4:
            operator = random.choice(("=", "!=", "=~", "!~"))
            name += operator + literal(random, random.choice(("error", "a.*", "", ".+", "500")))
        parts.append(name)
    return f" | {random.choice(('drop', 'keep'))} {', '.join(parts)}"


def stage(random: Random) -> str:
    kind = random.randint(0, 19)
    if kind < 4:
        return line_filter(random)
    if kind < 9:
        return parser(random)
    if kind < 13:
        return f" | {condition(random)}"
    if kind < 15:
        return f" | line_format {literal(random, template(random))}"
    if kind < 17:
        return changed_labels(random)
    if kind < 19:
        return dropped(random)
    return " | decolorize"


SELECTORS = r"""
{job="shop"}
{job=~"shop|edge"}
{app=~".+", env!="prod"}
{job=`edge`, app!~"w.b"}
{app=~"(?i)PAY|cart"}
{job=~".+", level=""}
{n=~"[0-2]", env=~".*", job!=""}
{app="pay", app=~"p.*"}
{job="none"}
""".splitlines()[1:]
COMMENTS = ("", "", "", "", "", "", "", " # a comment\n", "\n\t", " #\n ")


def log_query(random: Random) -> str:
    stages = [random.choice(COMMENTS) + stage(random) for _ in range(random.choice((0, 1, 1, 2, 2, 3, 4)))]
    return random.choice(SELECTORS) + "".join(stages)


# --- metric queries ----------------------------------------------------------------------------------------------


def grouping(random: Random) -> str:
    names = ", ".join(random.sample(EXTRACTED, random.choice((0, 1, 1, 2, 3))))
    return f"{random.choice(('by', 'by', 'without'))} ({names})"


def samples(random: Random) -> str:
    """A range aggregation."""
    log, width = log_query(random), random.choice((*rule_like.RANGES, "1m30s", "7s", "1h"))
    offset = random.choice(("", "", "", "", f" offset {random.choice(('1m', '30s', '-1m', '1m30s', '0s'))}"))
    window = f"[{width}]{offset}"
    if random.random() < 0.45:
        conversion = random.choice(("{}", "{}", "duration({})", "duration_seconds({})", "bytes({})"))
        label = random.choice(("took", "status", "duration", "size", "bytes", "n", "missing"))
        unwrap = f" | unwrap {conversion.format(label)}"
        filters = random.choice(("", ' | __error__=""', ' | __error__=""', f" | {condition(random)}"))
        operation = random.choice(
            (
                "sum",
                "avg",
                "max",
                "min",
                "first",
                "last",
                "stddev",
                "stdvar",
                "quantile",
                "rate",
                "rate_counter",
            )
        )
        by = (
            f" {grouping(random)}"
            if random.random() < 0.5 and operation not in ("sum", "rate", "rate_counter")
            else ""
        )
        inside = f"{log}{unwrap}{filters} {window}"
        if operation in ("rate", "rate_counter"):
            return f"{operation}({inside})"
        if operation == "quantile":
            return f"quantile_over_time({random.choice(('0.5', '0.99', '0', '1', '1.5', '-1', '0.25'))}, {inside}){by}"
        return f"{operation}_over_time({inside}){by}"
    if random.random() < 0.1:
        log = f"({log})"
    operation = random.choice(
        ("count_over_time", "count_over_time", "rate", "bytes_over_time", "bytes_rate", "absent_over_time")
    )
    if random.random() < 0.1:
        return f"{operation}({random.choice(SELECTORS)} {window}{line_filter(random)})"
    return f"{operation}({log} {window})"


def vector(random: Random, depth: int = 1) -> str:
    """An expression that gives a vector."""
    kind = random.random()
    if kind < 0.3:
        return samples(random)
    if kind < 0.75:
        operation = random.choice(("sum", "sum", "avg", "min", "max", "count", "stddev", "stdvar"))
        by = grouping(random) if random.random() < 0.7 else ""
        inner = vector(random, depth - 1) if depth and random.random() < 0.2 else samples(random)
        return f"{operation} {by} ({inner})" if random.random() < 0.5 else f"{operation}({inner}) {by}"
    if kind < 0.83:
        operation = random.choice(("topk", "bottomk", "sort", "sort_desc"))
        first = f"{random.choice('1239')}, " if "k" in operation else ""
        by = grouping(random) if "k" in operation and random.random() < 0.3 else ""
        return f"{operation}{by}({first}{vector(random, 0)})"
    if kind < 0.9:
        target, replacement = (
            random.choice(("new", "level", "app")),
            random.choice(("$1", "x-$1", "${name}", "$$", "", "$2")),
        )
        regex = random.choice(("(.*)", "(e)(.*)", "(?P<name>.+)", "", "x"))
        rest = ", ".join(json.dumps(text) for text in (target, replacement, random.choice(EXTRACTED), regex))
        return f"label_replace({vector(random, 0)}, {rest})"
    if kind < 0.94:
        return f"vector({random.choice(('0', '1', '1.5', '1e9'))})"
    return f"({vector(random, depth - 1) if depth else samples(random)})"


def matching(random: Random) -> str:
    names = ", ".join(random.sample(NAMES, random.choice((0, 1, 1, 2))))
    one = random.choice((f"on ({names})", f"ignoring ({names})"))
    brought = ", ".join(random.sample(NAMES, random.choice((0, 1, 2))))
    many = f" {random.choice(('group_left', 'group_right'))} ({brought})"
    return random.choice(("", "", one, one + many))


def operation(random: Random, depth: int = 2) -> str:
    """Vectors and numbers, joined by operators."""
    if depth == 0 or random.random() < 0.35:
        return vector(random)
    operator = random.choice(
        ("+", "-", "*", "/", "%", "^", ">", ">=", "<", "<=", "==", "!=", "and", "or", "unless")
    )
    bool_ = " bool" if operator in (">", ">=", "<", "<=", "==", "!=") and random.random() < 0.3 else ""
    number = random.choice(("0", "1", "2", "0.5", "-1", "1e3", "100"))
    if random.random() < 0.35 and operator not in ("and", "or", "unless"):
        sides = [operation(random, depth - 1), number]
        random.shuffle(sides)
        return f"{sides[0]} {operator}{bool_} {sides[1]}"
    left, right = operation(random, depth - 1), operation(random, depth - 1)
    match = matching(random)
    if operator in ("and", "or", "unless"):
        match = match.partition(" group_")[0]
    if random.random() < 0.3:
        right = f"({right})"
    return f"{left} {operator}{bool_} {match} {right}"


ODD = r"""
count_over_time({v}[5m] @ 5)
sum({v})
{v} | json | unwrap took
rate({v} | unwrap took)
max_over_time(rate({v}[1m])[5m:1m])
quantile(0.5, rate({v}[1m]))
topk(0, rate({v}[1m]))
topk(-1, rate({v}[1m]))
sum by (rate({v}[1m]))
stdvar_over_time({v}[5m])
variants(count_over_time({v}[5m])) of ({v}[5m])
count_over_time({v}[5m]) offset 1m
approx_topk(2, sum by (app) (count_over_time({v}[5m])))
absent_over_time({v} | json | unwrap took [1m])
1 + 1
2 ^ 3 ^ 2
vector(1) > bool 0
{v} |= 5
{v} | level = error
sum(count_over_time({v}[0s]))
-rate({v}[1m])
rate({v}[1m]) > 1 > bool 0
vector(NaN)
5
vector(1) or vector(2)
sum_over_time({v} | json [5m])
last_over_time({v} | json | unwrap took [5m]) by ()
count_over_time({v}[5m]) and on () vector(1)
label_replace(vector(1), "a", "b", "", "")
{v} | json | json | json
{v} | logfmt | logfmt --strict
{v} | line_format `{{.msg}}` | json | line_format `{{.level}}` | logfmt
{v} | label_format a=b, a=c
{v} or {v}
{v} | drop
sort(vector(1))
1 > bool 2 or vector(1)
""".splitlines()[1:]


def query(random: Random) -> dict[str, Any]:
    kind = random.random()
    if kind < 0.06:
        text = random.choice(ODD).replace("{v}", random.choice(SELECTORS))
    else:
        text = log_query(random) if kind < 0.45 else operation(random)
    times = (120, 200, 300, 301, 400)
    if kind < 0.45 and text.startswith("{"):
        first = BASE + random.choice((0, 0, 100)) * SECOND
        asked: dict[str, Any] = {"expr": text, "start": first, "end": BASE + 1800 * SECOND}
        if random.random() < 0.3:
            asked["direction"] = "backward"
        if random.random() < 0.15:
            asked["limit"] = random.choice((1, 3, 10))
        if random.random() < 0.2:
            asked["categorize"] = True
        return asked
    time = BASE + random.choice(times) * SECOND + random.choice((0, 0, 0, 1, 500_000_000))
    if random.random() < 0.25 and "approx_topk" not in text:
        return {"expr": text, "start": BASE, "end": time, "step": random.choice((15, 30, 60, 77)) * SECOND}
    return {"expr": text, "time": time}
