"""What the rendered stages make of the services' lines: labels, structured metadata, times, metrics."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from lokictl.model import Service
from lokictl.model.times import parse_time
from services import SERVICES
from services.sigmalang import PANIC
from stack import collection, promtail
from tests.stack.pipeline import Entry, Metrics, collect, relabel, run, run_alloy

TIME = "2026-01-15T10:30:47Z"
LABELS = {"service": "", "tier": "core", "pod": "p", "namespace": "neurectomy", "container_name": "c"}

# The line of the architecture document.
DOCUMENTED = {
    "level": "error",
    "msg": "Database connection timeout",
    "trace_id": "abc123def456",
    "span_id": "xyz789",
    "duration_ms": 5234,
    "module": "database",
}


def job(name: str) -> collection.Job:
    (found,) = [item for item in (*collection.JOBS, collection.OTHER_PODS) if item.name == name]
    return found


Process = Callable[..., tuple[list[Entry], Metrics]]


@pytest.fixture(params=["promtail", "alloy"])
def process(request: pytest.FixtureRequest) -> Process:
    """A function that gives the entries and metrics that a collector's job makes of lines of one file."""

    def through(name: str, *lines: str) -> tuple[list[Entry], Metrics]:
        metrics = Metrics()
        labels = {**LABELS, "service": name, "filename": "/var/log/pods/x/0.log"}
        read = (Entry(dict(labels), 0, f"{TIME} stdout F {line}") for line in lines)
        if request.param == "alloy":
            return run_alloy(job(name), read, metrics), metrics
        return list(run(promtail.stages(job(name)), read, metrics)), metrics

    return through


def counted(metrics: Metrics, name: str) -> dict[tuple[str, ...], float]:
    """A metric's values by the labels that the document gives it."""
    wanted = {"log_lines_total": ("service", "level"), "log_errors_total": ("service", "module")}
    by = wanted.get(name, ("le",))
    found: Counter[tuple[str, ...]] = Counter()
    for (metric, labels), value in metrics.values.items():
        if metric == name:
            found[tuple(dict(labels).get(label, "") for label in by)] += value  # type: ignore[assignment]
    return dict(found)


def test_the_documents_line(process: Process) -> None:
    line = json.dumps(DOCUMENTED)
    ((entry,), metrics) = process("ryot", line)
    assert entry.labels == {**LABELS, "service": "ryot", "level": "error"}
    assert entry.metadata == {"trace_id": "abc123def456", "span_id": "xyz789"}
    assert (entry.timestamp, entry.line) == (parse_time(TIME), line)
    assert counted(metrics, "log_lines_total") == {("ryot", "error"): 1}
    assert counted(metrics, "log_errors_total") == {("ryot", "database"): 1}
    buckets = counted(metrics, "log_durations_bucket")
    assert (buckets[("5000",)], buckets[("10000",)]) == (0, 1)


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_every_service(process: Process, service: Service) -> None:
    ((entry,), metrics) = process(service.name, service.example_line(level="warn"))
    assert set(entry.labels) == set(service.label_names)
    structured = {field.name for field in service.fields if field.structured_metadata}
    assert structured <= set(entry.metadata)
    assert not set(entry.labels) & {"trace_id", "span_id", "agent_id"}
    assert counted(metrics, "log_lines_total") == {(service.name, "warn"): 1}
    assert counted(metrics, "log_errors_total") == {}


def test_the_audit_fields_of_the_vault(process: Process) -> None:
    vault = job("sigmavault").service
    assert vault
    ((entry,), _) = process("sigmavault", vault.example_line())
    assert {"event", "actor", "action", "outcome"} <= set(entry.metadata)


def test_an_agent_and_its_queue(process: Process) -> None:
    line = json.dumps({"level": "info", "agent_id": "agent-03", "queue_depth": 17})
    ((entry,), metrics) = process("agents", line)
    assert entry.metadata["agent_id"] == "agent-03"
    ((key, value),) = [item for item in metrics.values.items() if item[0][0] == "agents_queue_depth"]
    assert (dict(key[1])["service"], value) == ("agents", 17)


def test_a_record_has_its_own_time_and_a_panic_stays_together(process: Process) -> None:
    record = json.dumps({"ts": "2026-01-15T10:30:45.5Z", "level": "info", "msg": "phase finished"})
    stack = [f"{PANIC} in codegen: index out of bounds", "  at sigma::unit (unit.sig:77)", "note: a fault"]
    (entries, metrics) = process("sigmalang", record, *stack, record)
    assert [entry.line for entry in entries] == [record, "\n".join(stack), record]
    assert [entry.labels["level"] for entry in entries] == ["info", "error", "info"]
    assert entries[0].timestamp == parse_time("2026-01-15T10:30:45.5Z")
    assert entries[1].timestamp == entries[0].timestamp + 1
    assert counted(metrics, "log_errors_total") == {("sigmalang", ""): 1}


def test_lines_that_are_not_records_are_kept(process: Process) -> None:
    ((entry,), metrics) = process("ryot", "plain text")
    assert entry.line == "plain text"
    assert "level" not in entry.labels
    assert counted(metrics, "log_lines_total") == {("ryot", ""): 1}


def test_alloys_metrics_have_the_labels_of_the_document_and_no_others() -> None:
    ryot, metrics = job("ryot"), Metrics()
    labels = {**LABELS, "service": "ryot", "filename": "f"}
    run_alloy(ryot, iter([Entry(labels, 0, f"{TIME} stdout F {json.dumps(DOCUMENTED)}")]), metrics)
    found = {name: {key for key, _ in labels} for name, labels in metrics.values}
    assert found == {
        "log_lines_total": {"service", "level"},
        "log_durations_bucket": {"service", "le"},
        "log_errors_total": {"service", "module"},
    }


POD = {
    "__meta_kubernetes_pod_label_app": "ryot",
    "__meta_kubernetes_pod_label_tier": "core",
    "__meta_kubernetes_pod_name": "ryot-deployment-abc123-def456",
    "__meta_kubernetes_namespace": "neurectomy",
    "__meta_kubernetes_pod_container_name": "ryot-container",
    "__meta_kubernetes_pod_uid": "uid",
    "__meta_kubernetes_pod_node_name": "node-1",
}


@pytest.mark.parametrize(
    "app, job_names",
    [("ryot", ["ryot"]), ("agents", ["agents"]), ("nginx", ["kubernetes"]), ("", ["kubernetes"])],
)
def test_every_pod_is_read_by_one_job(app: str, job_names: list[str]) -> None:
    found = {
        item["job_name"]: labels
        for item in promtail.configuration()["scrape_configs"]
        if "pipeline_stages" in item
        and (labels := relabel(item["relabel_configs"], POD | {"__meta_kubernetes_pod_label_app": app}))
    }
    assert list(found) == job_names
    labels = found[job_names[0]]
    assert labels["__path__"] == "/var/log/pods/*uid/ryot-container/*.log"
    assert (labels["service"], labels["pod"]) == (app, "ryot-deployment-abc123-def456")


def test_files_of_pods_are_read(tmp_path: Path) -> None:
    place = collection.Place(pod_logs=str(tmp_path))
    file = tmp_path / "neurectomy_ryot_uid/ryot-container/0.log"
    file.parent.mkdir(parents=True)
    file.write_text(f"{TIME} stdout F {json.dumps(DOCUMENTED)}\n")
    ((entry,), _) = collect(promtail.configuration(place), [POD])
    assert entry.labels == {
        "service": "ryot",
        "level": "error",
        "tier": "core",
        "pod": "ryot-deployment-abc123-def456",
        "namespace": "neurectomy",
        "container_name": "ryot-container",
    }
