"""Every format of log files: the time and the line of an example."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import sys
from pathlib import Path

import pytest
import zstandard

from lokictl.diagnostics import LokictlError
from lokictl.durations import HOUR, SECOND
from lokictl.model.log_files import FORMATS, LogFormat, LogLine, LogReader, parse_log_lines, read_log_file

S = 1_711_096_975_000_000_000
"""2024-03-22T08:42:55Z"""
MS = S + 639_000_000
MICRO = S + 639_123_000
NANO = S + 639_123_456
NOVEMBER = 1_795_651_200_000_000_000
"""2026-11-26"""


WHOLE = {
    # --- ISO 8601 and its relatives in front
    "2024-03-22T08:42:55.639Z the line": MS,
    "2024-03-22T08:42:55.639123456Z docker logs -t": NANO,
    "2024-03-22T09:42:55.639+01:00 zone": MS,
    "2024-03-22T08:42:55.639+0000 zone without colon": MS,
    "2024-03-22 08:42:55,639 INFO [main] log4j, Python logging": MS,
    "2024-03-22 08:42:55.639 CET [123] LOG:  Postgres": MS - HOUR,
    "2024-03-22 08:42:55.639 EST [123] LOG:  Postgres": MS + 5 * HOUR,
    "2024-03-22 08:42:55 UTC [123] LOG:  Postgres": S,
    "[2024-03-22 08:42:55,639] INFO Kafka": MS,
    "[2024-03-22T08:42:55,639][INFO ][o.e.n.Node] Elasticsearch": MS,
    '[2024-03-22T08:42:55.639Z] "GET / HTTP/1.1" 200 - Envoy': MS,
    "[2024-03-22 08:42:55.639][1][info][main] Envoy": MS,
    "2024/03/22 08:42:55 [error] 31#31: *1 open() failed, nginx": S,
    "2024/03/22 08:42:55.639123 main.go:12: Go": MICRO,
    "2024-03-22\t08:42:55\tFRA50\t2390\t192.0.2.10\tGET CloudFront": S,
    "2024-03-22 08:42:55 10.0.0.1 GET /x - 80 IIS": S,
    "2024.03.22 08:42:55.639123 [ 1 ] {} <Information> ClickHouse": MICRO,
    "2024-03-22_08:42:55.63912 svlogd": S + 639_120_000,
    "20240322 08:42:55.639 compact": MS,
    "20240322T084255Z basic": S,
    "2024-03-22 08:42:55 AM twelve hours": S,
    "2024-03-22T08:42:55.639Z\tINFO\tmain.go:1\tzap's console": MS,
    '2024-03-22T08:42:55+00:00\tapp.access\t{"a":1}': S,
    # --- other orders
    "22-Mar-2024 08:42:55.639 INFO [main] Tomcat": MS,
    "22/Mar/2024 08:42:55 x": S,
    "Fri Mar 22 08:42:55 2024 ctime": S,
    "[Fri Mar 22 08:42:55.639123 2024] [core:error] [pid 1] Apache": MICRO,
    "Fri Mar 22 09:42:55 CET 2024 date": S,
    "Fri, 22 Mar 2024 08:42:55 GMT RFC 2822": S,
    "Mar 22, 2024 8:42:55 AM java.util.logging": S,
    "Mar 22, 2024 8:42:55 PM java.util.logging": S + 12 * HOUR,
    "Mar 22 2024 08:42:55: %ASA-6-302013: Cisco": S,
    "03/22/2024 08:42:55 AM US": S,
    "22.03.2024 08:42:55.639 German": MS,
    "22/03/2024 08:42:55 day first, as there is no month 22": S,
    "24/03/22 08:42:55 INFO Spark": S,
    # --- access logs
    '93.180.71.3 - - [22/Mar/2024:08:42:55 +0000] "GET / HTTP/1.1" 304 0 "-" "x"': S,
    'host:80 ::1 - ann [22/Mar/2024:09:42:55 +0100] "GET / HTTP/1.1" 304 0': S,
    '[22/Mar/2024:08:42:55 +0000] "GET / HTTP/1.1" 304 0': S,
    # --- syslog
    "<34>1 2024-03-22T08:42:55.639Z host app 123 ID47 - RFC 5424": MS,
    "<34>Mar 22 08:42:55 host app: RFC 3164 with priority": 1_774_168_975 * SECOND,
    "Mar 22 08:42:55 host app[1]: RFC 3164": 1_774_168_975 * SECOND,
    "Mar  2 08:42:55.639 host app[1]: RFC 3164 with ms": 1_772_440_975_639_000_000,
    "Dec 31 23:59:59 host app[1]: of last year": 1_767_225_599 * SECOND,
    "2024-03-22T08:42:55.639123+00:00 host app[1]: rsyslog": MICRO,
    "Fri 2024-03-22 08:42:55 UTC host app[1]: journalctl -o short-full": S,
    # --- klog, glog, Android
    "I0322 08:42:55.639123    1 klog.go:10] hi": 1_774_168_975_639_123_000,
    "E0322 08:42:55.639123    1 klog.go:11] bad": 1_774_168_975_639_123_000,
    "I20240322 08:42:55.639123 12345 glog.cc:10] hi": MICRO,
    "03-22 08:42:55.639  1234  5678 I Android": 1_774_168_975_639_000_000,
    # --- logfmt
    "ts=2024-03-22T08:42:55.639Z level=error msg=x": MS,
    'level=info ts=2024-03-22T08:42:55.639Z caller=x msg="a ts=2020-01-01T00:00:00Z"': MS,
    'time="2024-03-22T08:42:55Z" level=info msg="logrus"': S,
    "logger=x t=2024-03-22T08:42:55.639123456Z level=info": NANO,
    "level=info ts=1711096975.639 msg=epoch": MS,
    "at=info method=GET timestamp=1711096975639": MS,
    "time=2024-03-22T08:42:55.639Z level=INFO msg=slog took=3ms": MS,
    "took=3ms time=4ms ts=2024-03-22T08:42:55.639Z": MS,
    # --- Unix times
    "1711096975 seconds": S,
    "1711096975.639 squid": MS,
    "1711096975639 milliseconds": MS,
    "1711096975639123 microseconds": MICRO,
    "1711096975639123456 nanoseconds": NANO,
    "[1711096975] Nagios": S,
    "1.711096975639e+09\tinfo\tzap's console": MS,
    # --- behind the level, the thread, the host
    "ERROR 2024-03-22 08:42:55,639 Django": MS,
    "INFO  [main] 2024-03-22 08:42:55,639 Cassandra": MS,
    "ERROR:root:2024-03-22 08:42:55,639:Python": MS,
    "I, [2024-03-22T08:42:55.639123 #123]  INFO -- : Ruby": MICRO,
    "1:M 22 Mar 2024 08:42:55.639 * Redis": MS,
    "[pod/api-1/api] 2024-03-22T08:42:55.639Z kubectl logs --prefix --timestamps": MS,
    "https 2024-03-22T08:42:55.639Z app/lb 1.2.3.4:1 ALB": MS,
    "[INFO] [2024-03-22 08:42:55,639] x": MS,
    # --- JSON with a time field
    '{"ts":"2024-03-22T08:42:55.639Z","msg":"x"}': MS,
    '{"level":"info","ts":1711096975.639123,"caller":"a.go:1","msg":"zap"}': MICRO,
    '{"level":30,"time":1711096975639,"pid":1,"msg":"pino"}': MS,
    '{"@timestamp":"2024-03-22T08:42:55.639Z","log.level":"info","message":"ECS"}': MS,
    '{"__REALTIME_TIMESTAMP":"1711096975639123","MESSAGE":"journal"}': MICRO,
    '{"t":{"$date":"2024-03-22T08:42:55.639+00:00"},"s":"I","msg":"MongoDB"}': MS,
    '{"instant":{"epochSecond":1711096975,"nanoOfSecond":639123456},"level":"INFO"}': NANO,
    '{"kind":"Event","apiVersion":"audit.k8s.io/v1","requestReceivedTimestamp":"2024-03-22T08:42:55.639123Z"}': MICRO,
    '{"@t":"2024-03-22T08:42:55.639Z","@m":"Serilog"}': MS,
    '{"Timestamp":"2024-03-22T08:42:55.639Z","Message":".NET"}': MS,
    '{"time_local":"22/Mar/2024:08:42:55 +0000","status":200}': S,
    '{"time":"2024-03-22 08:42:55,639","msg":"Python"}': MS,
    '{"time":"3ms","date":"2024-03-22T08:42:55.639Z"}': MS,
    '{"t":5,"ts":"2024-03-22T08:42:55.639Z"}': MS,
    '{"timestamp":"1711096975639","x":1}': MS,
    '{"timestamp":{"seconds":1711096975,"nanos":639123456},"x":1}': NANO,
    '{"timestamp":"2024-03-22T08:42:55.639Z","items":[{"time":"2020-01-01T00:00:00Z"}]}': MS,
}


@pytest.mark.parametrize("raw", WHOLE)
def test_the_whole_text_is_the_line(raw: str) -> None:
    (found,) = parse_log_lines([raw], default_time=NOVEMBER)
    assert (found.timestamp - WHOLE[raw], found.line) == (0, raw)


LABELS = {"app": "api", "level": "error"}
OTLP = (
    '{"resourceLogs":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"api"}},'
    '{"key":"host.name","value":{"stringValue":"h"}}]},"scopeLogs":[{"logRecords":[{"timeUnixNano":'
    '"1711096975639123456","severityNumber":17,"severityText":"ERROR","body":{"stringValue":"the line"},'
    '"attributes":[{"key":"n","value":{"intValue":"3"}}],"traceId":"ab"}]}]}]}'
)
OTLP_METADATA = {
    "host_name": "h",
    "n": "3",
    "severity_text": "ERROR",
    "severity_number": "17",
    "trace_id": "ab",
}

UNWRAPPED = {
    "cri": ("2024-03-22T08:42:55.639123456Z stdout F the line", [LogLine(NANO, "the line")]),
    "cri in parts": (
        "2024-03-22T08:42:55Z stdout P the \n2024-03-22T08:42:55Z stderr F other\n"
        "2024-03-22T08:42:55.639Z stdout F line",
        [LogLine(S, "other"), LogLine(MS, "the line")],
    ),
    "docker json-file": (
        '{"log":"the line\\n","stream":"stdout","time":"2024-03-22T08:42:55.639123456Z"}',
        [LogLine(NANO, "the line")],
    ),
    "docker json-file with the time first": (
        '{"time":"2024-03-22T08:42:55.639123456Z","stream":"stdout","log":"the line\\n"}',
        [LogLine(NANO, "the line")],
    ),
    "docker json-file in parts": (
        '{"log":"the ","stream":"stdout","time":"2024-03-22T08:42:55Z"}\n'
        '{"log":"line\\n","stream":"stdout","time":"2024-03-22T08:42:55.639Z"}',
        [LogLine(MS, "the line")],
    ),
    "logcli, lokictl query": (
        '2024-03-22T08:42:55.639Z {app="api", level="error"} the line',
        [LogLine(MS, "the line", LABELS)],
    ),
    "logcli pads": (
        '2024-03-22T08:42:55Z {}              the line\n2024-03-22T08:42:55Z {level="e\\"r"} x',
        [LogLine(S, "the line"), LogLine(S, "x", {"level": 'e"r'})],
    ),
    "logcli jsonl": (
        '{"labels":{"app":"api","level":"error"},"line":"the line","timestamp":"2024-03-22T08:42:55.639Z"}',
        [LogLine(MS, "the line", LABELS)],
    ),
    "Explore text": (
        'Common labels: {"app":"api"}\nLine limit: "1000 (1 returned)"\nTotal bytes processed: "1 kB"\n\n\n'
        "1711096975639\t2024-03-22T08:42:55.639Z\tthe line",
        [LogLine(MS, "the line", {"app": "api"})],
    ),
    "Explore text of older Grafanas": (
        'Common labels: {"app":"api"}\n\n\n2024-03-22T08:42:55.639Z\tthe line\nsecond part',
        [LogLine(MS, "the line", {"app": "api"}), LogLine(MS, "second part", {"app": "api"})],
    ),
    "Explore JSON": (
        '[{"line":"the line","timestamp":"1711096975639123456","date":"2024-03-22T08:42:55.639Z",'
        '"fields":{"app":"api","level":"error"}}]',
        [LogLine(NANO, "the line", LABELS)],
    ),
    "Explore CSV": (
        '"labels","Time","Line","tsNs","id"\n"{""app"":""api"",""level"":""error""}","2024-03-22 08:42:55.639",'
        '"the ""quoted""\nline","1711096975639123456","1"',
        [LogLine(NANO, 'the "quoted"\nline', LABELS)],
    ),
    "an answer of Loki": (
        '{"status":"success","data":{"resultType":"streams","result":[{"stream":{"app":"api","level":"error"},'
        '"values":[["1711096975639123456","the line",{"structuredMetadata":{"t":"1"}}]]}]}}',
        [LogLine(NANO, "the line", LABELS, {"t": "1"})],
    ),
    "a push to Loki": (
        '{"streams":[{"stream":{"app":"api","level":"error"},"values":[["1711096975639123456","the line"]]}]}',
        [LogLine(NANO, "the line", LABELS)],
    ),
    "OTLP JSON": (OTLP, [LogLine(NANO, "the line", {"service_name": "api"}, OTLP_METADATA)]),
    "CloudWatch": (
        '{\n  "events": [\n    {"timestamp": 1711096975639, "message": "the line\\n", "ingestionTime": 1}\n  ]\n}',
        [LogLine(MS, "the line")],
    ),
    "CloudTrail": (
        '{"Records":[{"eventTime":"2024-03-22T08:42:55Z","eventName":"x"}]}',
        [LogLine(S, '{"eventTime":"2024-03-22T08:42:55Z","eventName":"x"}')],
    ),
    "gcloud logging read": (
        '[\n  {\n    "textPayload": "x",\n    "timestamp": "2024-03-22T08:42:55.639Z"\n  }\n]',
        [LogLine(MS, '{"textPayload":"x","timestamp":"2024-03-22T08:42:55.639Z"}')],
    ),
    "fluent-bit": ('[1711096975.639, {"a": 1}]', [LogLine(MS, '{"a":1}')]),
    "objects over several lines": (
        '{\n  "ts": "2024-03-22T08:42:55Z"\n}\n{\n  "ts": "2024-03-22T08:42:55.639Z"\n}',
        [LogLine(S, '{"ts":"2024-03-22T08:42:55Z"}'), LogLine(MS, '{"ts":"2024-03-22T08:42:55.639Z"}')],
    ),
}


@pytest.mark.parametrize("text, lines", UNWRAPPED.values(), ids=UNWRAPPED.keys())
def test_the_line_is_inside(text: str, lines: list[LogLine]) -> None:
    found = list(parse_log_lines(text.split("\n"), default_time=NOVEMBER))
    assert [(line.timestamp, line.line, dict(line.labels), dict(line.metadata)) for line in found] == [
        (line.timestamp, line.line, dict(line.labels), dict(line.metadata)) for line in lines
    ]


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_the_example_of_each_format_is_read_by_it(form: object) -> None:
    from lokictl.model.log_files.formats import JSON_FORMATS, LogFormat, ReadOptions

    assert isinstance(form, LogFormat)
    import orjson

    value = orjson.loads(form.example) if form in JSON_FORMATS else form.example
    found = form.detect(value)
    assert form.read(form.example, value if found is True else found, ReadOptions("", NOVEMBER)) is not None


NO_TIME = [
    "hello",
    "{hello",
    '{"msg":"x"}',
    '{"time":"3ms"}',
    '{"t":5}',
    "[]",
    "[1,2]",
    "12 apples",
    "1234567890123456789012",
    "Marvin 12 ate",
    "2024-13-45T08:42:55Z impossible",
    "took=3ms time=5ms",
    "  Caused by: deadline 2024-03-22T08:42:55Z",
    "Caused by: the token that expired at 2024-03-22T08:42:55Z",
    "http://example.com/2024/03/22/x",
    '{"a":{"b":1',
    "I0399 08:42:55.639123 1 x",
]


@pytest.mark.parametrize("raw", NO_TIME)
def test_what_is_not_a_time(raw: str) -> None:
    (found,) = parse_log_lines([raw], default_time=7)
    assert found == LogLine(7, raw)


CONTINUED = {
    "a stack trace": (
        [
            "2024-03-22T08:42:55Z panic",
            "Caused at 2020-01-01T00:00:00Z",
            "\tat main",
            "2024-03-22T08:42:55.639Z next",
        ],
        [S, S, S, MS],
    ),
    "lines in front": (["banner", "version 1", "2024-03-22T08:42:55Z start"], [S, S, S]),
    "behind the level": (
        ["INFO 2024-03-22 08:42:55 a", "  at x", "WARN 2024-03-22 08:42:55.639 b"],
        [S, S, MS],
    ),
    "none at all": (["a", "b"], [7, 7 + 1_000_000]),
}


@pytest.mark.parametrize("lines, times", CONTINUED.values(), ids=CONTINUED.keys())
def test_lines_without_a_time(lines: list[str], times: list[int]) -> None:
    reader = LogReader("x.log", default_time=7)
    assert [line.timestamp for line in reader.parse(lines)] == times
    warning = reader.warning()
    assert (warning is not None) == (times[0] == 7)
    if warning is not None:
        assert (
            warning.message == "2 lines have no time that can be read: they count as written now, 1 ms apart"
        )


COMPRESSED = {
    "x.log": lambda data: data,
    "x.log.gz": gzip.compress,
    "two.gz": lambda data: gzip.compress(data[:30]) + gzip.compress(data[30:]),
    "x.log.bz2": bz2.compress,
    "x.log.xz": lzma.compress,
    "x.log.zst": zstandard.compress,
    "two.zst": lambda data: zstandard.compress(data[:30]) + zstandard.compress(data[30:]),
    "a name that does not say it": gzip.compress,
    "bom": lambda data: b"\xef\xbb\xbf" + data,
    "utf-16": lambda data: data.decode().encode("utf-16"),
    "windows": lambda data: data.replace(b"\n", b"\r\n"),
}


@pytest.mark.parametrize("name", COMPRESSED)
@pytest.mark.parametrize("from_input", [False, True], ids=["file", "standard input"])
def test_compressed_files(
    name: str, from_input: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"2024-03-22T08:42:55.639Z line {number}" for number in range(50_000)]
    data = COMPRESSED[name]("\n".join(lines).encode())
    (tmp_path / name).write_bytes(data)
    if from_input:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BufferedReader(io.BytesIO(data))))  # type: ignore[type-var]
    found = read_log_file("-" if from_input else tmp_path / name, default_time=7)
    assert [line.line for line in found] == lines
    assert {line.timestamp for line in found} == {MS}


BROKEN = {
    "cut.gz": (gzip.compress(b"x\n" * 100_000)[:-60], "its compressed data is broken"),
    "cut.xz": (lzma.compress(bytes(range(256)) * 1000)[:200], "its compressed data is broken"),
    "bad.zst": (b"\x28\xb5\x2f\xfd" + b"x" * 40, "its compressed data is broken"),
    "x.zip": (b"PK\x03\x04rest", "it is a ZIP archive"),
    "x.tar.gz": (gzip.compress(b"x" * 257 + b"ustar\x0000"), "it is a tar archive"),
    "system.journal": (b"LPKSHHRH\x00\x00", "it is a systemd journal"),
    "x.lz4": (b"\x04\x22\x4d\x18xx", "compressed with LZ4"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_files_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    data, message = BROKEN[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(LokictlError, match=message) as caught:
        read_log_file(tmp_path / name, default_time=0)
    assert caught.value.problems[0].position.file.endswith(name)


NAMED = {
    "logfmt": ("a=1 started=2024-03-22T08:42:55Z ts=2020-01-01T00:00:00Z", "started", S),
    "json": ('{"started":"2024-03-22T08:42:55Z","ts":"2020-01-01T00:00:00Z"}', "started", S),
    "nested": ('{"event":{"created":"2024-03-22T08:42:55Z"}}', "event.created", S),
    "a small number": ('{"n":5}', "n", 5 * SECOND),
}


@pytest.mark.parametrize("raw, field, time", NAMED.values(), ids=NAMED.keys())
def test_a_named_field(raw: str, field: str, time: int) -> None:
    assert [line.timestamp for line in parse_log_lines([raw], default_time=7, time_field=field)] == [time]


REFUSED = {
    "not in JSON": (['{"ts":1711096975}', '{"a":1}'], 'the line has no time field "ts"', 2),
    "not a time": (["ts=soon"], '"soon" in the field "ts" is not a time', 1),
    "not a time in JSON": (['{"ts":"soon"}'], "'soon' in the field \"ts\" is not a time", 1),
    "in no line": (["2024-03-22T08:42:55Z a", "b=1"], 'no line has a time field "ts"', 0),
}


@pytest.mark.parametrize("lines, message, line", REFUSED.values(), ids=REFUSED.keys())
def test_a_named_field_that_is_not_there(lines: list[str], message: str, line: int, tmp_path: Path) -> None:
    file = tmp_path / "x.log"
    file.write_text("\n".join(lines))
    with pytest.raises(LokictlError) as caught:
        read_log_file(file, default_time=7, time_field="ts")
    problem = caught.value.problems[0]
    assert (problem.message, problem.position.line) == (message, line)


DOCUMENTED = (Path(__file__).parents[2] / "docs" / "logs.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_the_page_lists_each_format(form: LogFormat) -> None:
    assert re.search(rf"^\| {re.escape(form.name)}\b", DOCUMENTED, re.MULTILINE)


def test_the_page_names_the_rows_of_other_files() -> None:
    for words in ("gzip,", "zstd", "bzip2", "xz", "UTF-16", "Explore's JSON and CSV", "fluent-bit"):
        assert words in DOCUMENTED, words
