"""Checks that ask a Loki, against a small server that answers as one."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from lokictl.durations import DAY
from lokictl.lint.interface import Finding, LokiOptions, Workspace
from lokictl.lint.live import CHECKS
from lokictl.lint.live.checks import firings
from lokictl.lint.loading import Loaded, load_text
from lokictl.lint.schema import matcher_test
from lokictl.logql import LogExpr, parse
from lokictl.model.yaml_writer import dump_yaml
from tests.cli.conftest import lokictl
from tests.lint.dashboard.cases import dashboard, panel, target

__all__ = ["lokictl"]

STREAMS = [
    {"service": "shop", "level": "info", "tier": "core"},
    {"service": "shop", "level": "error", "tier": "core"},
    {"service": "proxy", "level": "info", "tier": "edge"},
]
MINUTE = 60


class FakeLoki(BaseHTTPRequestHandler):
    """Answers from `STREAMS`; remembers what it was asked, and by which tenant."""

    asked: list[tuple[str, dict[str, str], str | None]] = []
    streams: list[dict[str, str]] = STREAMS
    gigabytes = 1.0
    stream_count = 3
    history: list[list[Any]] = []
    has_volume = True
    version = "3.2.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        type(self).asked.append((parts.path, query, self.headers.get("X-Scope-OrgID")))
        answer = self.answer(parts.path, query)
        self.send_response(200 if answer is not None else 404)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode() if answer is not None else b"404 page not found")

    def answer(self, path: str, query: dict[str, str]) -> dict[str, Any] | None:
        name = path.removeprefix("/loki/api/v1/")
        if name == "status/buildinfo":
            return {"version": self.version}
        if name == "labels":
            return {"status": "success", "data": sorted({key for stream in self.streams for key in stream})}
        if name.startswith("label/"):
            label = name.split("/")[1]
            return {
                "status": "success",
                "data": sorted({stream[label] for stream in self.streams if label in stream}),
            }
        if name == "series":
            return {
                "status": "success",
                "data": [stream for stream in self.streams if fits(query["match[]"], stream)],
            }
        if name == "index/stats":
            return {
                "streams": self.stream_count,
                "chunks": 1,
                "bytes": int(self.gigabytes * 1e9),
                "entries": 1,
            }
        if name == "index/volume" and self.has_volume:
            result = [{"metric": {"service": "shop"}, "value": [0, str(int(self.gigabytes * 8e8))]}]
            return {"status": "success", "data": {"resultType": "vector", "result": result}}
        if name == "query_range":
            result = [{"metric": {}, "values": self.history}] if self.history else []
            return {"status": "success", "data": {"resultType": "matrix", "result": result}}
        return None

    def log_message(self, *arguments: object) -> None:
        pass


def fits(selector: str, stream: dict[str, str]) -> bool:
    expression = parse(selector)
    assert isinstance(expression, LogExpr)
    return all(
        matcher_test(matcher.operator, matcher.value)(stream.get(matcher.name, ""))
        for matcher in expression.selector.matchers
    )


@pytest.fixture
def loki(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(FakeLoki, "asked", [])
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeLoki)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def run_check(name: str, url: str, text: str, file: str = "q.logql", **settings: Any) -> list[Finding]:
    loaded = Loaded()
    load_text(text, file, loaded)
    workspace = Workspace(
        tuple(loaded.rule_files), tuple(loaded.dashboards), (), tuple(loaded.queries),
        loki=LokiOptions(url, 7 * DAY, {"X-Scope-OrgID": "tenant-a"}),
    )  # fmt: skip
    check: Any = next(check for check in CHECKS if check.name == name)
    return list(check(workspace, settings).check(workspace))


@pytest.mark.parametrize(
    "wanted, expected",
    [("3.7", "this Loki is 3.2.1, loki_version says 3.7"), ("3.2", ""), (None, "")],
)
def test_a_loki_of_another_version(
    loki: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lokictl: Any,
    wanted: str | None,
    expected: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("q.logql").write_text('{service="shop"}')
    options = ("--loki-version", wanted) if wanted else ()
    answer = lokictl("lint", "q.logql", "--loki", loki, *options)
    assert expected in answer.output if expected else "this Loki is" not in answer.output


def test_without_a_version_the_one_that_runs_counts(
    loki: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lokictl: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("q.logql").write_text('approx_topk(3, sum by (level) (rate({service="shop"}[5m])))')
    assert (
        "`approx_topk` needs Loki 3.3; this is for 3.2" in lokictl("lint", "q.logql", "--loki", loki).output
    )
    monkeypatch.setattr(FakeLoki, "version", "3.7.6")
    assert "needs Loki" not in lokictl("lint", "q.logql", "--loki", loki).output


CASES = [
    ("live/unknown-label", '{service="shop"}', ""),
    ("live/unknown-label", '{servce="shop"}', 'no stream of the last 7 days has the label "servce"'),
    ("live/unknown-value", '{service="shop", level=~"err.*"}', ""),
    ("live/unknown-value", '{service="shop", level!="trace"}', ""),
    ("live/unknown-value", '{servce="shop"}', ""),
    ("live/unknown-value", '{service="shops"}', 'the label "service" was never "shops" in the last 7 days'),
    ("live/unknown-value", '{level=~"fatal|panic"}', 'was never anything like "fatal|panic"'),
    ("live/no-series", '{service="shop", level="error"}', ""),
    ("live/no-series", '{service="shops"}', ""),
    (
        "live/no-series",
        '{service="proxy", level="error"}',
        'no stream of the last 7 days fits {service="proxy", ',
    ),
    ("live/expensive-query", '{service="shop"}', ""),
    ("live/too-many-streams", 'rate({service="shop"}[5m])', ""),
]


@pytest.mark.parametrize(
    "check, query, expected", CASES, ids=[f"{case[0]}-{n}" for n, case in enumerate(CASES)]
)
def test_case(loki: str, check: str, query: str, expected: str) -> None:
    messages = [finding.message for finding in run_check(check, loki, query)]
    assert len(messages) == bool(expected), messages
    assert expected in "".join(messages)
    assert all(tenant == "tenant-a" for _, _, tenant in FakeLoki.asked)


def test_variables_are_left_out_of_selectors(loki: str) -> None:
    queries = ('{service="proxy", level="$level", tier="edge"}', '{service="$service"}', '{$label="x"}')
    panels = [panel("logs", target(query), id=number) for number, query in enumerate(queries)]
    text = json.dumps(dashboard(*panels))
    assert run_check("live/no-series", loki, text, "d.json") == []
    assert [query["match[]"] for path, query, _ in FakeLoki.asked if path.endswith("series")] == [
        '{service="proxy", tier="edge"}'
    ]


RULE = dump_yaml(
    {
        "groups": [
            {
                "name": "g",
                "interval": "1m",
                "rules": [{"alert": "A", "expr": 'sum(rate({service="shop"}[5m])) > 1', "for": "2m"}],
            }
        ]
    }
)


def test_a_query_that_reads_much(loki: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeLoki, "gigabytes", 12.5)
    (finding,) = run_check("live/expensive-query", loki, RULE, "r.yaml")
    assert finding.message == "this reads 12.5 GB in 3 streams each time, every 1m"
    assert 'most of it: {service="shop"} 10.0 GB' in finding.hint
    assert run_check("live/expensive-query", loki, RULE, "r.yaml", gigabytes=20.0) == []


def test_a_loki_without_volumes(loki: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeLoki, "gigabytes", 12.5)
    monkeypatch.setattr(FakeLoki, "has_volume", False)
    (finding,) = run_check("live/expensive-query", loki, RULE, "r.yaml")
    assert finding.hint == "narrow the selector or the range, or record it"


@pytest.mark.parametrize(
    "query, count",
    [
        ('rate({service="shop"}[5m])', 1),
        ('sum by (level) (rate({service="shop"}[5m]))', 0),
        ('absent_over_time({service="shop"}[5m])', 0),
        ('{service="shop"}', 0),
    ],
)
def test_more_series_than_loki_allows(
    loki: str, monkeypatch: pytest.MonkeyPatch, query: str, count: int
) -> None:
    monkeypatch.setattr(FakeLoki, "stream_count", 501)
    found = run_check("live/too-many-streams", loki, query)
    assert len(found) == count
    assert all("501 streams" in finding.message for finding in found)


def test_how_often_an_alert_would_have_fired(loki: str, monkeypatch: pytest.MonkeyPatch) -> None:
    step = 604  # 7 days in at most 1,000 steps
    samples = [[step * number, "2"] for number in (1, 2, 3, 10, 20, 21)]
    monkeypatch.setattr(FakeLoki, "history", samples)
    (finding,) = run_check("live/alert-frequency", loki, RULE, "r.yaml")
    assert finding.message == "A would have fired 2 times in the last 7 days, the longest for 28m12s"
    monkeypatch.setattr(FakeLoki, "history", [])
    assert run_check("live/alert-frequency", loki, RULE, "r.yaml") == []


FIRINGS = [
    ([{}], 0, (0, 0)),
    ([{0: 1.0}], 0, (1, 60)),
    ([{0: 1.0, 60: 1.0, 120: 1.0}], 0, (1, 180)),
    ([{0: 1.0, 60: 1.0, 180: 1.0}], 0, (2, 120)),
    ([{0: 1.0, 60: 1.0, 120: 1.0}], 120, (1, 60)),
    ([{0: 1.0, 60: 1.0}], 120, (0, 0)),
    ([{0: 1.0, 60: 1.0, 120: 1.0, 180: 1.0}], 90, (1, 150)),
    ([{0: 1.0}, {600: 1.0}], 0, (2, 60)),
]


@pytest.mark.parametrize("series, held, expected", FIRINGS)
def test_firings(series: list[dict[int, float]], held: int, expected: tuple[int, int]) -> None:
    assert firings(series, MINUTE, held) == expected


def test_every_question_is_asked_once(loki: str) -> None:
    loaded = Loaded()
    for number in range(5):
        load_text('{service="shop"}', f"q{number}.logql", loaded)
    workspace = Workspace(plain_queries=tuple(loaded.queries), loki=LokiOptions(loki, DAY))
    assert CHECKS
    for check in CHECKS:
        list(check(workspace).check(workspace))  # type: ignore[attr-defined]
    paths = [path for path, _, _ in FakeLoki.asked]
    assert len(paths) == len(set(paths))


def test_a_loki_that_does_not_answer() -> None:
    (finding,) = run_check("live/unreachable", "http://127.0.0.1:9", '{service="shop"}')
    assert finding.message.startswith("cannot reach http://127.0.0.1:9")
    assert run_check("live/unknown-label", "http://127.0.0.1:9", '{servce="shop"}') == []


def test_a_loki_without_lines(loki: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_check("live/unreachable", loki, '{service="shop"}') == []
    monkeypatch.setattr(FakeLoki, "streams", [])
    (finding,) = run_check("live/unreachable", loki, '{service="shop"}')
    assert "has had no lines for 7 days" in finding.message
    assert run_check("live/unknown-label", loki, '{service="shop"}') == []
