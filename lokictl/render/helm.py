"""A Helm chart that holds the project: dashboards, data sources and rules, for the sidecars that find them.

The rendered files lie unchanged under ``files/``; the templates read them with ``.Files.Get``, so that braces in
legends and annotations stay what they are.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from lokictl.model.yaml_writer import dump_yaml
from lokictl.render.config_maps import numbered, spread
from lokictl.render.grafana import DashboardFile, check_sidecar_folders, dashboard_files, datasources_text
from lokictl.render.kubernetes import (
    ALERT_LABEL,
    DASHBOARD_LABEL,
    DATASOURCE_LABEL,
    DIRECTORY_ANNOTATION,
    FOLDER_ANNOTATION,
    RULE_LABEL,
    RULES_DIRECTORY,
    alert_maps,
    dashboard_name,
    rules_name,
)
from lokictl.render.rules import tenant_rules
from lokictl.render.settings import Settings

if TYPE_CHECKING:
    from lokictl.project import Project


RELEASE_LIMIT = 1_048_576
"""Bytes of a Kubernetes Secret, in which Helm keeps a release."""


def render_helm(project: Project, settings: Settings) -> dict[str, str]:
    """Path -> text below ``helm/<project>``."""
    return {f"helm/{settings.name}/{path}": text for path, text in chart_files(project, settings).items()}


def release_notes(project: Project, settings: Settings) -> Iterator[str]:
    """A sentence when the chart is too large for Helm to keep its release in one Secret."""
    size = release_bytes(chart_files(project, settings))
    if size > RELEASE_LIMIT:
        yield (
            f"helm/{settings.name} makes a release of about {size:,} bytes, and Helm can keep {RELEASE_LIMIT:,}: "
            "split the project, or apply kubernetes/ instead"
        )


def release_bytes(files: Mapping[str, str]) -> int:
    """About how many bytes Helm keeps of a chart: its files, and the objects that hold them again, compressed."""
    kept = {name: text for name, text in files.items() if name.startswith("files/")}
    return len(gzip.compress(json.dumps([files, kept]).encode(), mtime=0)) * 4 // 3


def chart_files(project: Project, settings: Settings) -> dict[str, str]:
    """The files of the chart, relative to its folder."""
    dashboards = dashboard_files(project, settings)
    check_sidecar_folders(dashboards)
    rules = tenant_rules(project, settings)
    alerts = dict(alert_maps(project, settings))
    files = {
        "Chart.yaml": chart_text(
            settings.name, f"Dashboards, data sources and rules of {project.name}.", settings.chart_version
        ),
        "values.yaml": values_text(project, settings),
        "values.schema.json": json.dumps(values_schema(project), indent=2) + "\n",
        "templates/_helpers.tpl": HELPERS,
        "files/index.yaml": dump_yaml(_index(dashboards, rules, alerts, settings)),
    }
    if project.datasources:
        files["templates/datasources.yaml"] = DATASOURCES
        files["files/datasources.yaml"] = datasources_text(project, settings)
    if dashboards:
        files["templates/dashboards.yaml"] = DASHBOARDS
        files |= {f"files/dashboards/{item.name}": item.text(indent=False) + "\n" for item in dashboards}
    if alerts:
        files["templates/alerts.yaml"] = ALERTS
        files |= {f"files/alerts/{name}": text for data in alerts.values() for name, text in data.items()}
    if rules:
        files["templates/rules.yaml"] = RULES
        files |= {
            f"files/rules/{tenant}/{name}": text
            for tenant, texts in rules.items()
            for name, text in texts.items()
        }
    return files


def chart_text(name: str, description: str, version: str) -> str:
    """``Chart.yaml``."""
    return dump_yaml(
        {
            "apiVersion": "v2",
            "name": name,
            "description": description,
            "type": "application",
            "version": version,
            "appVersion": version,
            "kubeVersion": ">=1.25.0-0",
        }
    )


def _index(
    dashboards: tuple[DashboardFile, ...],
    rules: dict[str, dict[str, str]],
    alerts: dict[str, dict[str, str]],
    settings: Settings,
) -> dict[str, Any]:
    """What the templates make an object of; ``tenant`` is empty for the tenant that the values name."""
    maps = []
    for tenant, texts in rules.items():
        parts = spread(texts)
        for name, part in zip(numbered(rules_name(settings, tenant), len(parts)), parts, strict=True):
            own = "" if tenant == settings.tenant else tenant
            maps.append({"name": name, "tenant": own, "folder": tenant, "files": list(part)})
    return {
        "project": settings.name,
        "dashboards": [
            {"name": dashboard_name(settings, item), "file": item.name, "folder": item.folder}
            for item in dashboards
        ],
        "alerts": [{"name": name, "files": list(data)} for name, data in alerts.items()],
        "rules": maps,
    }


def values_text(project: Project, settings: Settings) -> str:
    """``values.yaml``, with a word on each value."""
    parts = [
        ("The namespace of the objects; empty: the release's.", {"namespace": settings.namespace}),
        (
            "The tenant: where the rules go, and the X-Scope-OrgID of the data sources. Empty: as Grafana's\n"
            f"# environment says for the data sources, and {settings.tenant} for the rules.",
            {"tenant": settings.tenant},
        ),
        ("The Grafana folder of every dashboard; empty: each dashboard's own.", {"folder": ""}),
        (
            "URLs of the data sources by uid; empty: what the data source itself says (a variable of Grafana's).",
            {"urls": {source.uid: "" for source in project.datasources}},
        ),
        (
            "What is made.",
            {"enabled": {"dashboards": True, "datasources": True, "alerts": True, "rules": True}},
        ),
        (
            "The labels that the sidecars look for, and labels for all objects.",
            {
                "labels": {
                    "common": {},
                    "dashboards": {DASHBOARD_LABEL: "1"},
                    "datasources": {DATASOURCE_LABEL: "1"},
                    "alerts": {ALERT_LABEL: "1"},
                    "rules": {RULE_LABEL: "1"},
                }
            },
        ),
        (
            "The annotations by which the sidecars learn the folder. Set `folderAnnotation` to the first and\n"
            "# `provider.foldersFromFilesStructure: true` in Grafana's chart, and the second in Loki's.",
            {"annotations": {"folder": FOLDER_ANNOTATION, "directory": DIRECTORY_ANNOTATION}},
        ),
        (
            "The ruler's directory (`loki.rulerConfig.storage.local.directory`); a tenant's rules go below it.",
            {"rulesDirectory": RULES_DIRECTORY},
        ),
    ]
    return "\n".join(f"# {comment}\n{dump_yaml(value)}" for comment, value in parts)


def values_schema(project: Project) -> dict[str, Any]:
    """``values.schema.json``: Helm refuses values that nothing reads."""
    text = {"type": "string"}
    texts = {"type": "object", "additionalProperties": {"type": ["string", "null"]}}

    def table(**properties: Any) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": False, "properties": properties}

    urls = table(**{source.uid: text for source in project.datasources})
    switch = {"type": "boolean"}
    schema = table(
        namespace=text,
        tenant={"type": "string", "pattern": "^[^/]*$"},
        folder=text,
        urls=urls,
        enabled=table(dashboards=switch, datasources=switch, alerts=switch, rules=switch),
        labels=table(common=texts, dashboards=texts, datasources=texts, alerts=texts, rules=texts),
        annotations=table(folder=text, directory=text),
        rulesDirectory=text,
    )
    schema["properties"]["global"] = {"type": "object"}
    return {"$schema": "http://json-schema.org/draft-07/schema#", **schema}


HELPERS = """\
{{- /* The metadata of an object: (dict "root" $ "name" … "labels" … "annotations" …) */ -}}
{{- define "content.metadata" -}}
{{- $labels := merge (dict) (.labels | default dict) (.root.Values.labels.common | default dict) -}}
{{- $_ := set $labels "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- $_ := set $labels "app.kubernetes.io/instance" .root.Release.Name -}}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version) -}}
name: {{ .name | trunc 63 | trimSuffix "-" }}
namespace: {{ .root.Values.namespace | default .root.Release.Namespace }}
labels:
{{- range $name, $value := $labels }}
{{- if not (kindIs "invalid" $value) }}
  {{ $name }}: {{ $value | quote }}
{{- end }}
{{- end }}
{{- with .annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
"""

DATASOURCES = """\
{{- if .Values.enabled.datasources }}
{{- $index := .Files.Get "files/index.yaml" | fromYaml }}
{{- $file := .Files.Get "files/datasources.yaml" | fromYaml }}
{{- range $source := $file.datasources }}
{{- with index $.Values.urls $source.uid }}
{{- $_ := set $source "url" . }}
{{- end }}
{{- range $key, $value := $source.jsonData }}
{{- if and $.Values.tenant (hasPrefix "httpHeaderName" $key) (eq (toString $value) "X-Scope-OrgID") }}
{{- $header := printf "httpHeaderValue%s" (trimPrefix "httpHeaderName" $key) }}
{{- $_ := set $source "secureJsonData" (set ($source.secureJsonData | default dict) $header $.Values.tenant) }}
{{- end }}
{{- end }}
{{- end }}
apiVersion: v1
kind: ConfigMap
metadata:
  {{- include "content.metadata" (dict "root" $ "name" (printf "%s-datasources" $index.project)
      "labels" .Values.labels.datasources) | nindent 2 }}
data:
  {{ $index.project }}.yaml: {{ $file | toYaml | toJson }}
{{- end }}
"""

DASHBOARDS = """\
{{- if .Values.enabled.dashboards }}
{{- $index := .Files.Get "files/index.yaml" | fromYaml }}
{{- range $dashboard := $index.dashboards }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  {{- include "content.metadata" (dict "root" $ "name" $dashboard.name "labels" $.Values.labels.dashboards
      "annotations" (dict $.Values.annotations.folder ($.Values.folder | default $dashboard.folder))) | nindent 2 }}
data:
  {{ $dashboard.file }}: {{ $.Files.Get (printf "files/dashboards/%s" $dashboard.file) | trim | toJson }}
{{- end }}
{{- end }}
"""

ALERTS = """\
{{- if .Values.enabled.alerts }}
{{- $index := .Files.Get "files/index.yaml" | fromYaml }}
{{- range $alerts := $index.alerts }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  {{- include "content.metadata" (dict "root" $ "name" $alerts.name "labels" $.Values.labels.alerts) | nindent 2 }}
data:
{{- range $file := $alerts.files }}
  {{ $file }}: {{ $.Files.Get (printf "files/alerts/%s" $file) | toJson }}
{{- end }}
{{- end }}
{{- end }}
"""

RULES = """\
{{- if .Values.enabled.rules }}
{{- $index := .Files.Get "files/index.yaml" | fromYaml }}
{{- range $rules := $index.rules }}
{{- $tenant := $rules.tenant | default $.Values.tenant | default $rules.folder }}
{{- $directory := printf "%s/%s" $.Values.rulesDirectory $tenant }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  {{- include "content.metadata" (dict "root" $ "name" $rules.name "labels" $.Values.labels.rules
      "annotations" (dict $.Values.annotations.directory $directory)) | nindent 2 }}
data:
{{- range $file := $rules.files }}
  {{ $file }}: {{ $.Files.Get (printf "files/rules/%s/%s" $rules.folder $file) | toJson }}
{{- end }}
{{- end }}
{{- end }}
"""
