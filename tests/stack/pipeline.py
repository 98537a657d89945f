"""What the documentation of Promtail and Alloy says their stages do, for the stages that this project writes.

It reads the rendered configuration and lines on disk, so that labels, structured metadata and metrics can be tested
where there is no collector.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lokictl.model.times import parse_time
from stack import alloy
from stack.alloy import Block
from stack.collection import Job

Labels = dict[str, str]
Entries = Iterator["Entry"]


@dataclass
class Entry:
    """A line on its way through the stages."""

    labels: Labels
    timestamp: int
    line: str
    extracted: dict[str, Any] = field(default_factory=dict)
    metadata: Labels = field(default_factory=dict)


@dataclass
class Metrics:
    """What the metric stages have counted: (name, labels) -> value."""

    values: Counter[tuple[str, tuple[tuple[str, str], ...]]] = field(default_factory=Counter)

    def add(self, name: str, labels: Mapping[str, str], value: float) -> None:
        self.values[name, tuple(sorted(labels.items()))] += value  # type: ignore[assignment]

    def text(self) -> str:
        """The metrics in the text format."""
        lines = []
        for (name, labels), value in self.values.items():
            inside = ",".join(f'{key}="{text}"' for key, text in labels)
            lines.append(f"{name}{{{inside}}} {value}")
        return "\n".join(lines)


def collect(configuration: Mapping[str, Any], targets: Iterable[Labels]) -> tuple[list[Entry], Metrics]:
    """Everything that the pod jobs make of the targets' files."""
    metrics, entries = Metrics(), []
    targets = list(targets)
    for job in configuration["scrape_configs"]:
        if "pipeline_stages" not in job:
            continue
        for target in targets:
            labels = relabel(job["relabel_configs"], target)
            if labels is None:
                continue
            place = Path(labels["__path__"])
            visible = {name: value for name, value in labels.items() if not name.startswith("__")}
            for file in Path("/").glob(str(place.relative_to("/"))):
                lines = file.read_text().splitlines()
                start = ({**visible, "filename": str(file)} for _ in lines)
                read = (Entry(label, 0, line) for label, line in zip(start, lines, strict=True))
                entries += run(job["pipeline_stages"], read, metrics)
    return entries, metrics


def relabel(rules: Iterable[Mapping[str, Any]], target: Labels) -> Labels | None:
    """The target's labels after Prometheus' relabelling; None for one that is dropped."""
    labels = dict(target)
    for rule in rules:
        value = rule.get("separator", ";").join(labels.get(name, "") for name in rule["source_labels"])
        found = re.fullmatch(rule.get("regex", "(.*)"), value)
        action = rule.get("action", "replace")
        if (action == "keep" and not found) or (action == "drop" and found):
            return None
        if action == "replace" and found:
            template = re.sub(r"\$(\d)", r"\\\1", rule.get("replacement", "$1"))
            labels[rule["target_label"]] = found.expand(template)
    return labels


def run(stages: Iterable[Mapping[str, Any]], entries: Entries, metrics: Metrics) -> Entries:
    """The entries after all stages."""
    for stage in stages:
        ((name, options),) = stage.items()
        entries = STAGES[name](options, entries, metrics)
    return entries


def cri(options: Any, entries: Entries, metrics: Metrics) -> Entries:
    for entry in entries:
        time, stream, flags, line = entry.line.split(" ", 3)
        assert flags == "F", "no partial lines in these tests"
        entry.labels["stream"], entry.timestamp, entry.line = stream, parse_time(time), line
        yield entry


def multiline(options: Any, entries: Entries, metrics: Metrics) -> Entries:
    block: Entry | None = None
    for entry in entries:
        if block is None or re.search(options["firstline"], entry.line):
            if block is not None:
                yield block
            block = entry
        else:
            block.line += "\n" + entry.line
    if block is not None:
        yield block


def json_stage(options: Any, entries: Entries, metrics: Metrics) -> Entries:
    for entry in entries:
        try:
            record = json.loads(entry.line)
        except ValueError:
            record = None
        if isinstance(record, dict):
            entry.extracted |= {
                name: record[path] for name, path in options["expressions"].items() if path in record
            }
        yield entry


def timestamp(options: Any, entries: Entries, metrics: Metrics) -> Entries:
    assert (options["format"], options["action_on_failure"]) == ("RFC3339Nano", "fudge")
    last: dict[str, int] = {}
    for entry in entries:
        source, file = entry.extracted.get(options["source"]), entry.labels["filename"]
        if isinstance(source, str):
            entry.timestamp = parse_time(source)
        elif file in last:
            entry.timestamp = last[file] + 1
        last[file] = entry.timestamp
        yield entry


def labels_stage(options: Any, entries: Entries, metrics: Metrics) -> Entries:
    for entry in entries:
        for name, source in options.items():
            value = entry.extracted.get(source or name)
            if value is not None:
                entry.labels[name] = str(value)
        yield entry


def static_labels(options: Any, entries: Entries, metrics: Metrics) -> Entries:
    for entry in entries:
        entry.labels |= options
        yield entry


def labelallow(options: Any, entries: Entries, metrics: Metrics) -> Entries:
    for entry in entries:
        entry.labels = {name: value for name, value in entry.labels.items() if name in options}
        yield entry


def labeldrop(options: Any, entries: Entries, metrics: Metrics) -> Entries:
    for entry in entries:
        entry.labels = {name: value for name, value in entry.labels.items() if name not in options}
        yield entry


def structured_metadata(options: Any, entries: Entries, metrics: Metrics) -> Entries:
    for entry in entries:
        for name, source in options.items():
            value = entry.extracted.get(source or name)
            if value is not None:
                entry.metadata[name] = str(value)
        yield entry


SELECTOR = re.compile(r'\{(.*?)\}(?: \|~ "(.*)")?')


def fits(selector: str, entry: Entry) -> bool:
    """Whether a selector with equality matchers, and at most one line filter, chooses the entry."""
    found = SELECTOR.fullmatch(selector)
    assert found
    matchers = re.findall(r'(\w+)(!?=)"([^"]*)"', found[1])
    labels = all((entry.labels.get(name, "") == value) is (sign == "=") for name, sign, value in matchers)
    return labels and (found[2] is None or bool(re.search(found[2], entry.line)))


def match(options: Any, entries: Entries, metrics: Metrics) -> Entries:
    for entry in entries:
        if not fits(options["selector"], entry):
            yield entry
        elif options.get("action") != "drop":
            yield from run(options["stages"], iter([entry]), metrics)


def metrics_stage(options: Any, entries: Entries, metrics: Metrics) -> Entries:
    for entry in entries:
        for name, metric in options.items():
            _count(metric["prefix"] + name, name, metric, entry, metrics)
        yield entry


def _count(full_name: str, name: str, metric: Mapping[str, Any], entry: Entry, metrics: Metrics) -> None:
    config, kind = metric["config"], metric["type"]
    if kind == "Counter":
        assert config == {"match_all": True, "action": "inc"}
        metrics.add(full_name, entry.labels, 1)
        return
    value = entry.extracted.get(metric.get("source", name))
    if not isinstance(value, int | float):
        return
    if kind == "Gauge":
        metrics.values[full_name, tuple(sorted(entry.labels.items()))] = value  # type: ignore[assignment]
        return
    for bound in (*config["buckets"], float("inf")):
        shown = "+Inf" if bound == float("inf") else f"{bound:g}"
        metrics.add(f"{full_name}_bucket", {**entry.labels, "le": shown}, float(value <= bound))


STAGES: dict[str, Callable[[Any, Entries, Metrics], Entries]] = {
    "cri": cri,
    "multiline": multiline,
    "json": json_stage,
    "timestamp": timestamp,
    "labels": labels_stage,
    "static_labels": static_labels,
    "labelallow": labelallow,
    "labeldrop": labeldrop,
    "structured_metadata": structured_metadata,
    "match": match,
    "metrics": metrics_stage,
}


# --- Alloy -----------------------------------------------------------------------------------------------

RENAMED = {"label_keep": "labelallow"}
WITH_VALUES = ("labels", "static_labels", "label_keep", "structured_metadata")


def from_alloy(block: Block) -> dict[str, Any]:
    """A stage of Alloy's in Promtail's words: its documentation says that they do the same."""
    name = block.block.removeprefix("stage.")
    options: Any = dict(block.attributes)
    if name == "match":
        options["stages"] = [from_alloy(part) for part in block.parts]
    elif name == "metrics":
        options = dict(map(_metric_from_alloy, block.parts))
    elif name in WITH_VALUES:
        options = options["values"]
    return {RENAMED.get(name, name): options}


def _metric_from_alloy(block: Block) -> tuple[str, dict[str, Any]]:
    attributes = dict(block.attributes)
    outside = {key: attributes.pop(key) for key in ("prefix", "description", "max_idle_duration")}
    name, source = attributes.pop("name"), attributes.pop("source", None)
    kind = block.block.removeprefix("metric.").capitalize()
    return name, {**outside, "type": kind, "config": attributes, **({"source": source} if source else {})}


def run_alloy(job: Job, entries: Entries, metrics: Metrics) -> list[Entry]:
    """The entries that Alloy's pipeline of a job sends to Loki; each metric has a pipeline of its own."""
    done = list(run(map(from_alloy, alloy.stages(job)), entries, metrics))
    for metric in job.metrics:
        stages = [from_alloy(part) for part in alloy.metric_block(job, metric).parts]
        copies = (Entry(dict(entry.labels), entry.timestamp, entry.line) for entry in done)
        for _ in run(stages, copies, metrics):
            pass
    return done
