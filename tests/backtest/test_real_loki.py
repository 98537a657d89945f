"""A real Loki and the embedded engine find the same, and so does Loki's own ruler."""

from __future__ import annotations

import json
import random
import time as clock
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from lokictl.backtest import Cache, FileHistory, Session, Settings
from lokictl.backtest.capture import save_test
from lokictl.backtest.connect import open_loki
from lokictl.backtest.incidents import Incident, judge
from lokictl.backtest.results import RuleHistory
from lokictl.backtest.rules import load_groups
from lokictl.http import access_of
from lokictl.model.sample import SampleEntry
from lokictl.sample.output import push_entries
from tests.stack.servers import free_ports, get_json, needs, program, server

LOKI = program("loki")
pytestmark = [pytest.mark.slow, pytest.mark.real_loki, needs("loki")]

SECOND = 1_000_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 86_400 * SECOND
TENANT = "backtest"
END = (clock.time_ns() - 3 * HOUR) // HOUR * HOUR
START = END - 14 * DAY

RULER_RULES = """\
groups:
  - name: quick
    interval: 1s
    rules:
      - alert: Burst
        expr: sum by (pod) (count_over_time({app="live"} |= "error" [4s])) > 2
        for: 2s
        labels: {severity: page}
        annotations: {summary: "{{ $labels.pod }}"}
      - alert: AtOnce
        expr: sum(count_over_time({app="live"} |= "error" [4s])) >= 1
"""

RULES = """\
groups:
  - name: main
    interval: 1m
    rules:
      - alert: Errors
        expr: sum by (pod) (count_over_time({app="web"} | json | level="error" | __error__="" [5m])) * 2 > 5
        for: 3m
        labels: {severity: page}
        annotations: {summary: "{{ $labels.pod }}: {{ $value }}"}
      - alert: Ratio
        expr: |
          sum(count_over_time({app="web"} |= `"error"` [10m])) / sum(count_over_time({app="web"}[10m])) > 0.4
        for: 5m
      - alert: Slow
        expr: max by (pod) (max_over_time({app="web"} | json | unwrap took | __error__="" [5m])) >= 900
      - alert: Quantile
        expr: quantile_over_time(0.9, {app="web"} | json | unwrap took | __error__="" [15m]) by (pod) > 500
        for: 1m
      - alert: Fails
        expr: sum(sum_over_time({app="web"} | json | unwrap took [5m])) > 6000
      - alert: Silent
        expr: absent_over_time({app="web", pod="web-1"}[10m])
      - alert: OnePodOnly
        expr: |
          (sum by (pod) (count_over_time({app="web"}[30m])) > 5)
          unless (sum by (pod) (count_over_time({app="web"}[5m])) > 0)
      - alert: MoreThanUsual
        expr: |
          sum(count_over_time({app="web"} |= `"error"` [10m])) > 0.3 * sum(count_over_time({app="web"}[1h]))
      - alert: Never
        expr: sum(count_over_time({app="nothing"}[5m])) > 0
      - alert: NotAVector
        expr: '{app="web"}'
  - name: slow
    interval: 5m
    rules:
      - record: web:lines:rate5m
        expr: sum by (pod) (rate({app="web"}[5m]))
      - record: web:errors
        expr: sum by (level) (count_over_time({app="web"} | json | __error__="" [5m])) or vector(0)
"""

ERRORS_AT, SLOW_AT, SILENT_AT, GARBAGE_AT = (START + days * DAY + 10 * HOUR for days in (2, 5, 8, 11))
INCIDENTS = [
    Incident("errors", ERRORS_AT, ERRORS_AT + 40 * MINUTE, ("Errors", "Ratio")),
    Incident("slow", SLOW_AT, SLOW_AT + 30 * MINUTE, ("Slow", "Quantile")),
    Incident("silence", SILENT_AT, SILENT_AT + 45 * MINUTE, ("Silent", "OnePodOnly")),
    Incident("nobody watches this", GARBAGE_AT, GARBAGE_AT + 3 * MINUTE, ("Never",)),
]


def entries() -> Iterator[SampleEntry]:
    """Two weeks of two pods that write a line each minute, with incidents at known times."""
    chance = random.Random(7)
    at = START
    while at < END:
        for pod in range(2):
            moment = at + pod * 7 * SECOND + chance.randrange(20 * SECOND)
            if pod == 1 and SILENT_AT <= moment < SILENT_AT + 45 * MINUTE:
                continue
            bad = chance.random() < (0.7 if ERRORS_AT <= moment < ERRORS_AT + 40 * MINUTE else 0.02)
            slow = SLOW_AT <= moment < SLOW_AT + 30 * MINUTE and chance.random() < 0.5
            took = chance.randrange(900, 1500) if slow else chance.randrange(20, 400)
            line = json.dumps({"level": "error" if bad else "info", "took": took, "n": at // MINUTE})
            if GARBAGE_AT <= moment < GARBAGE_AT + 3 * MINUTE:
                line = json.dumps({"level": "info", "took": "unknown"})
            yield SampleEntry({"app": "web", "pod": f"web-{pod}"}, moment, line)
        at += MINUTE


def configuration(folder: Path, http: int, grpc: int) -> dict[str, Any]:
    """A Loki as it comes, with its frontend and its sharding; old lines are welcome.

    It splits queries by half a day: by the hour, as it comes, two weeks are thousands of queries to it.
    """
    return {
        "auth_enabled": True,
        "server": {
            "http_listen_address": "127.0.0.1",
            "http_listen_port": http,
            "grpc_listen_address": "127.0.0.1",
            "grpc_listen_port": grpc,
            "log_level": "warn",
        },
        "common": {
            "instance_addr": "127.0.0.1",
            "path_prefix": str(folder),
            "replication_factor": 1,
            "storage": {
                "filesystem": {
                    "chunks_directory": str(folder / "chunks"),
                    "rules_directory": str(folder / "rules"),
                }
            },
            "ring": {"instance_addr": "127.0.0.1", "kvstore": {"store": "inmemory"}},
        },
        "schema_config": {
            "configs": [
                {
                    "from": "2024-01-01",
                    "store": "tsdb",
                    "object_store": "filesystem",
                    "schema": "v13",
                    "index": {"prefix": "index_", "period": "24h"},
                }
            ]
        },
        "ingester": {
            "lifecycler": {"min_ready_duration": "0s", "final_sleep": "0s"},
            "chunk_idle_period": "24h",
            "max_chunk_age": "720h",
        },
        "querier": {"query_ingesters_within": "0s"},
        "limits_config": {
            "reject_old_samples": False,
            "split_queries_by_interval": "12h",
            "discover_service_name": [],
            "discover_log_levels": False,
            "ingestion_rate_mb": 1000,
            "ingestion_burst_size_mb": 1000,
            "per_stream_rate_limit": "1GB",
            "per_stream_rate_limit_burst": "1GB",
        },
        "ruler": {
            "storage": {"type": "local", "local": {"directory": str(folder / "ruler")}},
            "rule_path": str(folder / "scratch"),
            "evaluation_interval": "1s",
            "poll_interval": "1s",
            "enable_api": True,
        },
        "analytics": {"reporting_enabled": False},
    }


@pytest.fixture(scope="module")
def loki(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Loki with the logs, and a ruler that evaluates every second."""
    assert LOKI
    folder = tmp_path_factory.mktemp("loki")
    (folder / "ruler" / TENANT).mkdir(parents=True)
    (folder / "ruler" / TENANT / "quick.yaml").write_text(RULER_RULES)
    http, grpc = free_ports(2)
    (folder / "loki.yaml").write_text(yaml.safe_dump(configuration(folder, http, grpc)))
    url = f"http://127.0.0.1:{http}"
    with server(
        [LOKI, f"-config.file={folder / 'loki.yaml'}"], f"{url}/ready", folder / "loki.log", cwd=folder
    ):
        push_entries(url, entries(), tenant=TENANT)
        yield url


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("rules") / "rules.yaml"
    file.write_text(RULES)
    return file


@pytest.fixture(scope="module")
def log_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("logs") / "web.ndjson"
    with file.open("w") as output:
        for entry in entries():
            row = {"timestamp": str(entry.timestamp), "labels": dict(entry.labels), "line": entry.line}
            output.write(json.dumps(row) + "\n")
    return file


def on_loki(url: str, start: int = START, end: int = END, cache: Cache | None = None) -> Session:
    access, redactor = access_of(url)
    history = open_loki(access, tenant=TENANT, redactor=redactor)
    return Session(history, start, end, Settings(), cache or Cache(None))


def found(history: RuleHistory) -> dict[str, Any]:
    """What is to be equal, wherever it was found."""
    return {
        "episodes": [
            (dict(one.labels), one.active_at, one.fired_at, one.resolved_at, dict(one.annotations))
            for one in history.episodes
        ],
        "near misses": [(dict(one.labels), one.start, one.end) for one in history.near_misses],
        "failures": [
            (one.first, one.last, one.message.strip().splitlines()[0][:40]) for one in history.failures
        ],
        "no data": history.no_data,
        "recorded": (history.samples, history.series),
        "missing": history.missing,
    }


def values(history: RuleHistory) -> list[float]:
    """What is to be equal but for rounding."""
    numbers = [value for one in history.headroom for value in (one.worst, one.p99, one.typical)]
    return [value for value in numbers if value is not None]


def test_a_real_loki_and_the_embedded_engine_agree(
    loki: str, rules: Path, log_file: Path, tmp_path: Path
) -> None:
    groups = load_groups([rules])
    cache = Cache(tmp_path)
    session = on_loki(loki, START + HOUR, END - HOUR, cache)
    session.open(groups)
    real = session.run(groups)
    files = Session(FileHistory([str(log_file)]), START + HOUR, END - HOUR)
    files.open(groups)
    embedded = files.run(groups)
    for one, other in zip(real.histories, embedded.histories, strict=True):
        assert found(one) == found(other), one.name
        assert values(one) == pytest.approx(values(other)), one.name
    pages = {history.name: len(history.pages) for history in real.alerts}
    assert pages["Errors"] >= 2
    assert pages["Silent"] == 1
    assert pages["OnePodOnly"] == 1
    assert pages["Slow"] >= 2
    assert pages["Never"] == pages["NotAVector"] == 0
    (fails,) = (history for history in real.alerts if history.name == "Fails")
    assert 3 <= fails.failed_evaluations <= 10
    score = judge(real, INCIDENTS)
    assert [one.incident.name for one in score.caught] == ["errors", "slow", "silence"]
    again = on_loki(loki, START + HOUR, END - HOUR, cache)
    again.open(groups)
    assert [found(one) for one in again.run(groups).histories] == [found(one) for one in real.histories]
    # No answer is asked for again; only how much there is now, and whether what was not there still is not.
    assert again.history.requests <= 10 < 100 < session.history.requests


def test_a_moment_of_a_real_loki_becomes_a_test(loki: str, rules: Path) -> None:
    groups = load_groups([rules])
    session = on_loki(loki, ERRORS_AT - HOUR, ERRORS_AT + HOUR)
    session.open(groups)
    errors = next(one for one in session.run(groups).alerts if one.name == "Errors")
    file = rules.parent / "errors_test.yaml"
    saved = save_test(session, groups, "Errors", errors.pages[0].fired_at, file)
    assert saved.state == "firing"
    assert saved.lines <= 12


@dataclass(frozen=True)
class Seen:
    """An alert as Loki's ruler showed it: when it was first seen to fire, and no longer."""

    labels: tuple[tuple[str, str], ...]
    active_at: float
    fired_at: float
    gone_at: float


def watched(url: str, seconds: float, push: Any) -> list[Seen]:
    """What the ruler says of its alerts while lines come in."""
    began = clock.time()
    open_ones: dict[tuple[tuple[str, str], ...], tuple[float, float]] = {}
    seen: list[Seen] = []
    while clock.time() < began + seconds:
        push(clock.time() - began)
        data = get_json(f"{url}/prometheus/api/v1/alerts", headers={"X-Scope-OrgID": TENANT})["data"]
        now = clock.time()
        firing = {
            tuple(sorted(one["labels"].items())): _seconds(one["activeAt"])
            for one in data["alerts"]
            if one["state"] == "firing"
        }
        for key in [key for key in open_ones if key not in firing]:
            seen.append(Seen(key, *open_ones.pop(key), now))
        for key, active in firing.items():
            open_ones.setdefault(key, (active, now))
        clock.sleep(0.15)
    assert not open_ones
    return sorted(seen, key=lambda one: (one.labels, one.active_at))


def _seconds(text: str) -> float:
    from lokictl.model.times import parse_time

    return parse_time(text) / SECOND


# Second of the run, pod, number of errors: a burst that lasts, one that is over too soon, and a burst again.
PUSHES = [
    (3.0, "a", 4),
    (5.0, "a", 4),
    (13.0, "b", 2),
    (20.0, "a", 3),
    (22.0, "a", 3),
    (22.0, "b", 5),
    (24.0, "b", 1),
]


def test_the_real_ruler_does_the_same(loki: str, tmp_path: Path) -> None:
    pending = list(PUSHES)
    session = requests.Session()

    def push(elapsed: float) -> None:
        while pending and pending[0][0] <= elapsed:
            _, pod, count = pending.pop(0)
            now = clock.time_ns()
            values = [[str(now + number), f"error {number}"] for number in range(count)]
            body = {"streams": [{"stream": {"app": "live", "pod": pod}, "values": values}]}
            headers = {"X-Scope-OrgID": TENANT}
            assert session.post(f"{loki}/loki/api/v1/push", json=body, headers=headers, timeout=60).ok

    began = clock.time_ns()
    seen = watched(loki, 34, push)
    file = tmp_path / "quick.yaml"
    file.write_text(RULER_RULES)
    groups = load_groups([file])
    run = on_loki(loki, began // SECOND * SECOND, clock.time_ns() // SECOND * SECOND)
    run.open(groups)
    episodes = sorted(
        (
            (tuple(sorted(one.labels.items())), one)
            for history in run.run(groups).alerts
            for one in history.episodes
        ),
        key=lambda item: (item[0], item[1].fired_at),
    )
    assert [labels for labels, _ in episodes] == [one.labels for one in seen]
    assert len(seen) >= 4
    for (_, episode), one in zip(episodes, seen, strict=True):
        assert episode.resolved_at is not None
        # The ruler evaluates at its own part of each second, and is looked at from time to time.
        assert episode.active_at / SECOND == pytest.approx(one.active_at, abs=1.1)
        assert episode.fired_at / SECOND == pytest.approx(one.fired_at, abs=2.2)
        assert episode.resolved_at / SECOND == pytest.approx(one.gone_at, abs=2.2)


def test_backtests_are_of_one_tenant(loki: str, rules: Path) -> None:
    access, redactor = access_of(loki)
    history = open_loki(access, tenant="somebody-else", redactor=redactor)
    with pytest.raises(Exception, match=r"no logs in .* nothing matches"):
        Session(history, START, END).open(load_groups([rules]))
    with pytest.raises(Exception, match="wants a tenant"):
        open_loki(access)
