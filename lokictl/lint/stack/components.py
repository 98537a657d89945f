"""Whether the platform's own configuration (Loki, the collectors) still fits the services."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from lokictl.diagnostics import Severity
from lokictl.lazy import lazy_pattern
from lokictl.lint.dashboard_json import as_dict, as_list
from lokictl.lint.interface import Finding, Place, Workspace, WorkspaceCheck
from lokictl.lint.schema import matcher_test
from lokictl.logql import parse
from lokictl.logql.ast import LogExpr
from lokictl.logql.errors import LogQLError
from lokictl.logql.units import DAY, format_prometheus_duration, parse_prometheus_duration
from lokictl.model import Service

Configuration = Mapping[str, Any]


def configurations(workspace: Workspace, key: str) -> Iterator[tuple[str, Configuration]]:
    """("component: file", configuration) of every YAML configuration of the project that has ``key``."""
    for component in workspace.project.components if workspace.project is not None else ():
        for name, content in component.configuration.items():
            value = content if isinstance(content, Mapping) else None
            if value is not None and key in value:
                yield f"{component.name}: {name}", value


def _place(workspace: Workspace, where: str) -> Place:
    """The module of the component ("component: file")."""
    name = where.partition(":")[0]
    return workspace.module_place("stack", rf"\b(?:name=)?[\"']{re.escape(name)}[\"']", first=name)


class RetentionMismatch(WorkspaceCheck):
    name = "stack/retention-mismatch"
    severity = Severity.ERROR
    summary = "Loki is configured to keep a service's lines for another time than the service says"
    needs_services = True

    def check(self, workspace: Workspace) -> Iterator[Finding]:
        for where, configuration in configurations(workspace, "limits_config"):
            if as_dict(configuration.get("compactor")).get("retention_enabled") is not True:
                continue
            for service in workspace.services:
                for level, declared in (("info", service.retention), ("debug", service.debug_retention)):
                    yield from self._compare(workspace, where, configuration, service, level, declared)

    def _compare(
        self,
        workspace: Workspace,
        where: str,
        configuration: Configuration,
        service: Service,
        level: str,
        declared: int,
    ) -> Iterator[Finding]:
        if not any(label.name == "level" for label in service.labels) and level == "debug":
            return
        labels = service.stream(level=level) if level == "debug" else service.stream()
        kept = configured_retention(as_dict(configuration.get("limits_config")), labels)
        if kept == declared:
            return
        what = f"debug lines of {service.name}" if level == "debug" else f"lines of {service.name}"
        yield self.finding(
            _place(workspace, where),
            f"{where} keeps {what} for {_days(kept)}; the service says {_days(declared)}",
            hint="add its stream to limits_config.retention_stream, or correct the service",
            severity=Severity.WARNING if kept == 0 or kept > declared else None,
            item=f"service {service.name}",
        )


def configured_retention(limits: Configuration, labels: Mapping[str, str]) -> int:
    """How long (ns) Loki keeps a stream: the entry of highest priority that selects it, else the default."""
    best: tuple[int, int] | None = None
    for entry in as_list(limits.get("retention_stream")):
        try:
            selector = parse(str(as_dict(entry).get("selector")), validate=False)
        except LogQLError:
            continue
        if not isinstance(selector, LogExpr):
            continue
        matchers = selector.selector.matchers
        if all(matcher_test(item.operator, item.value)(labels.get(item.name, "")) for item in matchers):
            found = int(as_dict(entry).get("priority") or 0), _duration(as_dict(entry).get("period"))
            best = found if best is None or found[0] > best[0] else best
    return best[1] if best is not None else _duration(limits.get("retention_period", "0s"))


def _duration(value: Any) -> int:
    try:
        return parse_prometheus_duration(str(value))
    except ValueError:
        return 0


def _days(nanoseconds: int) -> str:
    if nanoseconds and nanoseconds % DAY == 0:
        return f"{nanoseconds // DAY} days"
    return format_prometheus_duration(nanoseconds) if nanoseconds else "ever"


class UncollectedService(WorkspaceCheck):
    name = "stack/uncollected-service"
    severity = Severity.WARNING
    summary = "the collector does not read a service, or does not set one of its stream labels"
    needs_services = True

    def check(self, workspace: Workspace) -> Iterator[Finding]:
        yield from self._promtail(workspace)
        yield from self._alloy(workspace)

    def _alloy(self, workspace: Workspace) -> Iterator[Finding]:
        """Alloy's language is not read; a label that its text never names is certainly not set."""
        for component in workspace.project.components if workspace.project is not None else ():
            for name, content in component.configuration.items():
                if not name.endswith(".alloy") or not isinstance(content, str):
                    continue
                labels = dict.fromkeys(
                    label for service in workspace.services for label in service.label_names
                )
                missing = [label for label in labels if not re.search(rf"\b{re.escape(label)}\b", content)]
                if missing:
                    yield self.finding(
                        _place(workspace, component.name),
                        f"{component.name}: {name} does not name the stream label {', '.join(missing)}",
                        hint="set it by a relabeling rule or stage.labels, or take the label out of the services",
                        item=f"component {component.name}",
                    )

    def _promtail(self, workspace: Workspace) -> Iterator[Finding]:
        for where, configuration in configurations(workspace, "scrape_configs"):
            jobs = [job for job in as_list(configuration["scrape_configs"]) if isinstance(job, Mapping)]
            if not any("pipeline_stages" in job for job in jobs):
                continue  # Prometheus has scrape_configs, too
            for service in workspace.services:
                chosen = [job for job in jobs if collects(job, service)]
                if not chosen:
                    yield self.finding(
                        _place(workspace, where),
                        f"no job of {where} collects the service {service.name}",
                        hint="add a job that keeps its pods",
                        item=f"service {service.name}",
                    )
                    continue
                wanted = set(service.label_names)
                missing = set.intersection(*(wanted - job_labels(job) for job in chosen))
                if missing:
                    yield self.finding(
                        _place(workspace, where),
                        f"{where} does not set {', '.join(sorted(missing))} on the streams of {service.name}",
                        hint="add a relabeling rule or a labels stage, or take the label out of the service",
                        item=f"service {service.name}",
                    )


def collects(job: Configuration, service: Service) -> bool:
    """Whether a Promtail job keeps the pods of a service (known by its name or its pod label ``app``)."""
    rules = [as_dict(rule) for rule in as_list(job.get("relabel_configs"))]
    for rule in rules:
        sources = " ".join(map(str, as_list(rule.get("source_labels"))))
        if rule.get("action") in ("keep", "drop") and re.search(r"label_app|container_name|service", sources):
            try:
                fits = re.fullmatch(str(rule.get("regex", ".*")), service.name) is not None
            except re.error:
                continue
            if fits is (rule["action"] == "drop"):
                return False
    if "kubernetes_sd_configs" in job or "docker_sd_configs" in job:
        return True
    static = [as_dict(entry).get("labels") for entry in as_list(job.get("static_configs"))]
    return any(as_dict(labels).get("service") == service.name for labels in static)


def job_labels(job: Configuration) -> set[str]:
    """The labels that a Promtail job can set on a stream."""
    found = {str(as_dict(rule).get("target_label")) for rule in as_list(job.get("relabel_configs"))}
    for entry in as_list(job.get("static_configs")):
        found |= set(map(str, as_dict(as_dict(entry).get("labels"))))
    allowed: set[str] | None = None
    for stage in _stages(as_list(job.get("pipeline_stages"))):
        for key in ("labels", "static_labels"):
            found |= set(map(str, as_dict(stage.get(key))))
        if "labelallow" in stage:
            allowed = set(map(str, as_list(stage["labelallow"])))
        found -= set(map(str, as_list(stage.get("labeldrop"))))
    return found if allowed is None else found & allowed


def _stages(stages: list[Any]) -> Iterator[Configuration]:
    for stage in stages:
        if isinstance(stage, Mapping):
            yield stage
            yield from _stages(as_list(as_dict(stage.get("match")).get("stages")))


class BucketsAroundObjective(WorkspaceCheck):
    name = "stack/buckets-around-objective"
    severity = Severity.WARNING
    summary = "a histogram of durations without buckets close to a service's objective"
    needs_services = True

    def check(self, workspace: Workspace) -> Iterator[Finding]:
        for component in workspace.project.components if workspace.project is not None else ():
            for name, content in component.configuration.items():
                for bounds in histograms(content):
                    yield from self._missing(workspace, f"{component.name}: {name}", bounds)

    def _missing(self, workspace: Workspace, where: str, bounds: list[float]) -> Iterator[Finding]:
        """``bounds`` in milliseconds."""
        for service in workspace.services:
            objective = service.objectives.p99_duration / 1_000_000
            if not min(bounds) < objective <= 2 * max(bounds):
                continue  # not the durations of requests
            below = any(objective / 2 <= bound <= objective for bound in bounds)
            above = any(objective < bound <= objective * 1.5 for bound in bounds)
            if not (below and above):
                around = f"{objective:g} and {objective * 1.2:g}"
                yield self.finding(
                    _place(workspace, where),
                    f"{where}: no buckets around {objective:g} ms, the objective of {service.title}: a p99 is a guess",
                    hint=f"add buckets at {around}",
                    item=f"service {service.name}",
                )
                return


_BUCKETS = lazy_pattern(r"\bbuckets\s*[=:]\s*\[([^\]]*)\]")


def histograms(content: object) -> Iterator[list[float]]:
    """The bounds of every histogram of durations in a configuration, in milliseconds."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            if key == "buckets" and isinstance(value, list):
                yield from _milliseconds([str(item) for item in value])
            else:
                yield from histograms(value)
    elif isinstance(content, list):
        for item in content:
            yield from histograms(item)
    elif isinstance(content, str):
        for found in _BUCKETS.finditer(content):
            yield from _milliseconds([item.strip(" \"'") for item in found[1].split(",")])


def _milliseconds(bounds: list[str]) -> Iterator[list[float]]:
    try:
        numbers = [
            parse_prometheus_duration(bound) / 1_000_000 if bound[-1:].isalpha() else float(bound)
            for bound in bounds
        ]
    except ValueError:
        return
    if numbers:
        yield numbers
