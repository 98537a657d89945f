"""``lokictl conformance`` against an endpoint that answers as the embedded engine does, with and without tenants."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lokictl.conformance.answers import difference
from lokictl.conformance.endpoint import Endpoint
from lokictl.conformance.placement import LABEL, Placement
from lokictl.conformance.recordings import RECORDINGS, load, topics
from lokictl.conformance.runner import Options, Topic, ask_all
from lokictl.engine import LogStore

Lokictl = Callable[..., Any]
FILES = [RECORDINGS / f"{name}.json" for name in ("json_empty_names", "duration_seconds")]
SOON = 4_000_000_000_000_000_000
"""Lines before this time are old, whenever the tests run."""


def ask(fake: Any, files: list[Path] = FILES, **settings: Any) -> list[Topic]:
    """The outcome of files, asked of the fake."""
    endpoint = Endpoint(fake.url, wait_seconds=0.5, **settings)
    endpoint.connect()
    return list(ask_all(endpoint, files, Options(jobs=2)))


@pytest.mark.parametrize("tenants", [True, False], ids=["tenants", "one tenant"])
@pytest.mark.parametrize("tenant", [None, "mine"])
def test_an_endpoint_that_answers_alike(fake_loki: Any, tenants: bool, tenant: str | None) -> None:
    fake_loki.tenants = tenants
    found = ask(fake_loki, tenant=tenant)
    assert [(topic.name, topic.asked, topic.agreed) for topic in found] == [
        ("json_empty_names", 3, 3),
        ("duration_seconds", 5, 5),
    ]
    used = {pushed for pushed, _ in fake_loki.pushes}
    if tenant:
        assert used == {tenant}
    else:
        assert (len(used), "" in used) == ((2, False) if tenants else (1, True))


def test_every_kind_of_answer_is_the_same_behind_a_label(fake_loki: Any) -> None:
    """Streams, vectors, matrices, scalars and errors of some topics."""
    fake_loki.tenants = False
    names = ("absent_vector_label_replace", "empty_labels_in_matching", "range_queries", "error_named_field")
    found = ask(fake_loki, [RECORDINGS / f"{name}.json" for name in names])
    assert sum(topic.asked for topic in found) > 300
    assert [item for topic in found for item in topic.differences] == []


def test_old_lines_are_moved_where_the_endpoint_refuses_them(tmp_path: Path, fake_loki: Any) -> None:
    times = {
        "name": "times",
        "streams": [{"labels": {"a": "b"}, "entries": [[1_767_225_600_000_000_000, "x"]]}],
        "queries": [{"expr": '{a="b"} | line_format "{{__timestamp__}}"', "status": 400, "error": ""}],
    }
    (tmp_path / "times.json").write_text(json.dumps({"suites": [times]}))
    fake_loki.oldest = 1_767_400_000_000_000_000
    notes: list[str] = []
    endpoint = Endpoint(fake_loki.url, wait_seconds=0.5)
    topic, moved = ask_all(
        endpoint, [RECORDINGS / "range_aggregations.json", *topics(tmp_path)], note=notes.append
    )
    assert topic.differences == []
    assert topic.asked > 150
    assert moved.left_out == {"shows the time of a line, and the times were moved": 1}
    assert len(notes) == 1
    assert "refuses old lines" in notes[0]


def test_an_endpoint_that_refuses_what_it_is_given(fake_loki: Any, lokictl: Lokictl) -> None:
    fake_loki.oldest = SOON
    answer = lokictl("conformance", fake_loki.url, "--topic", "json_empty_names", "--wait", "0")
    assert answer.status == 2
    assert "too old" in answer.error


def test_logs_can_be_pushed_elsewhere(fake_loki: Any, serve: Callable[[Any], str], lokictl: Lokictl) -> None:
    class Refusing:
        def handle(self, method: str, path: str, *rest: Any) -> tuple[int, str]:
            return (404, "no such path") if path.endswith("/push") else fake_loki.handle(method, path, *rest)

    reader = serve(Refusing())
    options = ("--topic", "json_empty_names", "--wait", "0.5")
    alone = lokictl("conformance", reader, *options)
    assert alone.status == 2
    assert "--push-url" in alone.error
    both = lokictl("conformance", reader, "--push-url", fake_loki.url, "--run", "one", *options)
    assert (both.status, both.output) == (0, lokictl("conformance", fake_loki.url, *options).output)
    again = lokictl("conformance", reader, "--no-push", "--run", "one", *options)
    assert (again.status, again.output) == (0, both.output)


def test_a_busy_endpoint_is_asked_again(fake_loki: Any) -> None:
    handle, busy = fake_loki.handle, {"/loki/api/v1/push": 1, "/loki/api/v1/query_range": 1}

    def sometimes(method: str, path: str, *rest: Any) -> tuple[int, str]:
        if busy.get(path, 0) > 0:
            busy[path] -= 1
            return 429, "too many outstanding requests"
        answer: tuple[int, str] = handle(method, path, *rest)
        return answer

    fake_loki.handle = sometimes
    found = ask(fake_loki)
    assert not any(busy.values())
    assert [topic.differences for topic in found] == [[], []]


def test_lines_that_never_appear_are_left_out(fake_loki: Any, lokictl: Lokictl) -> None:
    fake_loki.delay = 1_000_000
    fake_loki.flush_status = 404
    answer = lokictl("conformance", fake_loki.url, "--topic", "json_empty_names", "--wait", "0.1")
    assert answer.status == 2
    assert "none can be queried" in answer.error


@pytest.mark.parametrize(
    "body",
    [
        "no json",
        "[]",
        "{}",
        '{"data": {"resultType": "streams"}}',
        '{"data": {"resultType": "x", "result": 3}}',
    ],
)
def test_answers_that_are_not_those_of_a_loki_differ(fake_loki: Any, body: str) -> None:
    fake_loki.broken["/loki/api/v1/query_range"] = (200, body)
    (topic, _) = ask(fake_loki)
    assert topic.agreed < topic.asked


def test_what_differs_is_named(fake_loki: Any, lokictl: Lokictl) -> None:
    fake_loki.broken["/loki/api/v1/query_range"] = (500, "boom")
    answer = lokictl("conformance", fake_loki.url, "--topic", "json_empty_names", "--show", "1")
    assert answer.status == 0
    assert '  [emptyname] {job="j"} | json\n  expected success [{' in answer.output
    assert "got      500 boom" in answer.output
    assert "and 2 more (--show 3)" in answer.output
    assert (
        lokictl("conformance", fake_loki.url, "--topic", "json_empty_names", "--fail-under", "1").status == 1
    )


def test_the_result_for_programs(fake_loki: Any, lokictl: Lokictl) -> None:
    answer = lokictl("conformance", fake_loki.url, "--topic", "json_empty_names", "--format", "json")
    found = json.loads(answer.output)
    assert (found["asked"], found["agreed"], found["share"]) == (3, 3, 100.0)
    assert found["topics"] == [
        {"topic": "json_empty_names", "asked": 3, "agreed": 3, "left_out": {}, "differences": []}
    ]


def test_an_endpoint_that_lists_no_labels(fake_loki: Any) -> None:
    fake_loki.tenants = False
    fake_loki.broken["/loki/api/v1/labels"] = (404, "no such path")
    assert [topic.differences for topic in ask(fake_loki)] == [[], []]


class DefaultLimits(dict[str, LogStore]):
    """Stores of a Loki that adds the service's name."""

    def setdefault(self, tenant: str, store: LogStore | None = None) -> LogStore:  # type: ignore[override]
        if tenant not in self:
            self[tenant] = LogStore(discover_service_name=True)
        return self[tenant]


def test_labels_that_the_endpoint_adds_are_named(fake_loki: Any, lokictl: Lokictl) -> None:
    fake_loki.stores = DefaultLimits()
    answer = lokictl("conformance", fake_loki.url, "--topic", "json_empty_names")
    assert "note: it adds service_name, and the recordings were made without" in answer.error


@pytest.mark.parametrize(
    "arguments, says",
    [
        (("--topic", "jsn"), 'unknown topic "jsn": did you mean "json"?'),
        (("--no-push",), "--no-push needs --run"),
        (("--recordings", "."), "there are no recordings in"),
        (("--fail-under", "101"), "--fail-under"),
    ],
)
def test_wrong_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lokictl: Lokictl, arguments: tuple[str, ...], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = lokictl("conformance", "http://127.0.0.1:9", *arguments)
    assert answer.status == 2
    assert says in answer.error


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "nonsense"])
def test_an_endpoint_out_of_reach(lokictl: Lokictl, url: str) -> None:
    answer = lokictl("conformance", url)
    assert answer.status == 2
    assert url in answer.error


def test_recordings_can_be_others(tmp_path: Path, fake_loki: Any) -> None:
    suite = {
        "name": "one",
        "streams": [{"labels": {"a": "b"}, "entries": [[1_000_000_000, "x"]]}],
        "queries": [
            {
                "expr": 'count_over_time({a="b"}[1m])',
                "time": 2_000_000_000,
                "status": "success",
                "resultType": "vector",
                "result": [{"metric": {"a": "b"}, "value": [2, "1"]}],
            }
        ],
    }
    (tmp_path / "mine.json").write_text(json.dumps({"suites": [suite]}))
    (topic,) = ask(fake_loki, topics(tmp_path))
    assert (topic.name, topic.asked, topic.agreed) == ("mine", 1, 1)


@pytest.mark.parametrize(
    "text, error, asked",
    [
        ('{a="b"}', "", '{L="s", a="b"}'),
        (
            'rate({a="b"}[1m]) / rate({ c="d" }[1m])',
            "",
            'rate({L="s", a="b"}[1m]) / rate({L="s",  c="d" }[1m])',
        ),
        ("vector(1)", "", "vector(1)"),
        ('{a=~".*"}', "parse error : queries require", '{a=~".*"}'),
        ("{a=}", "", "{a=}"),
    ],
)
def test_the_matcher_of_a_suite(text: str, error: str, asked: str) -> None:
    query = {"expr": text, **({"error": error} if error else {})}
    assert Placement(label="s").expression(query) == asked.replace("L=", f"{LABEL}=")


RATE, SUM = 'rate({a="b"}[1m])', 'sum by (a) (rate({a="b"}[1m]))'


@pytest.mark.parametrize(
    "text, asked",
    [
        (f"{RATE} / {RATE}", True),
        (f"{SUM} / {SUM}", True),
        (f"{RATE} / {SUM}", False),
        (f"{RATE} / ignoring (x) {SUM}", False),
        (f"{RATE} / on (a) {SUM}", True),
        (f"{RATE} / on (a) group_left () {SUM}", True),
        (f"topk(1, {RATE}) / {SUM}", False),
        (f"{SUM} / (2 * {SUM})", True),
        (f"{RATE} > 2", True),
        ('{a="b"} | line_format "{{.}}"', False),
        ('{a="b"} | line_format "{{ . | toJson }}"', False),
        ('{a="b"} | line_format "{{range $k, $v := .}}{{$k}}{{end}}"', False),
        ('{a="b"} | line_format "{{.x}}. {{ .y | lower }}."', True),
        ('{a="b"} |= "{{" |= "."', True),
    ],
)
def test_queries_that_would_see_the_label_are_left_out(text: str, asked: bool) -> None:
    suite: dict[str, Any] = {"streams": []}
    assert (Placement(label="s").cannot_ask(suite, {"expr": text}) == "") is asked
    assert Placement(tenant="t").cannot_ask(suite, {"expr": text}) == ""


@pytest.mark.parametrize("texts", [True, False])
def test_words_of_errors_count_only_if_asked(texts: bool) -> None:
    query = {"expr": "x", "status": 400, "error": "parse error"}
    assert bool(difference(query, 400, "other words", texts=texts)) is texts
    assert bool(difference(query, 500, "other words", texts=texts)) is texts
    assert difference(query, "success", {"resultType": "vector", "result": []}, texts=texts)
    assert difference(query, 404, "no such path", texts=texts)


def test_every_recording_has_suites_with_queries() -> None:
    files = list(topics())
    assert files
    for file in files:
        suites = list(load(file))
        assert suites, file
        for suite in suites:
            assert suite["queries"], file
            assert suite["name"]
