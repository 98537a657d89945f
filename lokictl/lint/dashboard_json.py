"""Reading a dashboard's JSON model: panels, queries and their data sources, variables, links."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeGuard

from lokictl.lazy import lazy_pattern
from lokictl.lint.findings import Path
from lokictl.logql.grafana_variables import names
from lokictl.records import dataclass

Json = Mapping[str, Any]


class Dashboard(Protocol):
    """A dashboard's JSON, its panels, and the types of the data sources that are known by uid or name."""

    @property
    def data(self) -> Json: ...

    @property
    def panels(self) -> Sequence[tuple[Path, Json]]: ...

    @property
    def datasource_types(self) -> Mapping[str, str]: ...


TIME_SERIES = ("timeseries", "graph")
NUMERIC = ("timeseries", "graph", "stat", "singlestat", "gauge", "bargauge", "barchart", "heatmap")
WITHOUT_QUERIES = (
    "row", "text", "news", "dashlist", "alertlist", "annolist", "welcome", "gettingstarted", "pluginlist", "debug",
    "canvas", "alertGroups", "live",
)  # fmt: skip
WITHOUT_TITLE = (*WITHOUT_QUERIES, "logs")


@dataclass(frozen=True, slots=True)
class Target:
    """A query of a panel; ``type`` is its data source's type, "" for not known."""

    panel_path: Path
    panel: Json
    index: int
    data: Json
    type: str

    @property
    def path(self) -> Path:
        return (*self.panel_path, "targets", self.index)

    @property
    def hidden(self) -> bool:
        return self.data.get("hide") is True


def targets_of(dashboard: Dashboard) -> Iterator[Target]:
    """Every query of every panel."""
    for path, panel in dashboard.panels:
        for index, data in enumerate(as_list(panel.get("targets"))):
            if isinstance(data, dict):
                kind = datasource_type(dashboard, data) or datasource_type(dashboard, panel)
                yield Target(path, panel, index, data, kind)


def variables_of(dashboard: Dashboard) -> list[tuple[Path, Json]]:
    """(path, variable) of every template variable."""
    listed = as_dict(dashboard.data.get("templating")).get("list")
    return [
        (("templating", "list", index), entry)
        for index, entry in enumerate(as_list(listed))
        if isinstance(entry, dict)
    ]


def annotation_queries_of(dashboard: Dashboard) -> list[tuple[Path, Json]]:
    """(path, annotation) of every annotation query."""
    listed = as_dict(dashboard.data.get("annotations")).get("list")
    return [
        (("annotations", "list", index), entry)
        for index, entry in enumerate(as_list(listed))
        if isinstance(entry, dict)
    ]


def links_of(dashboard: Dashboard) -> Iterator[tuple[Path, Json]]:
    """(path, link) of every link: of the dashboard, of panels, of fields and of overrides."""
    for index, link in enumerate(as_list(dashboard.data.get("links"))):
        yield ("links", index), as_dict(link)
    for path, panel in dashboard.panels:
        for index, link in enumerate(as_list(panel.get("links"))):
            yield (*path, "links", index), as_dict(link)
        config = panel.get("fieldConfig")
        if not isinstance(config, dict):
            continue
        for index, link in enumerate(as_list(as_dict(config.get("defaults")).get("links"))):
            yield (*path, "fieldConfig", "defaults", "links", index), as_dict(link)
        for number, override in enumerate(as_list(config.get("overrides"))):
            for place, entry in enumerate(as_list(as_dict(override).get("properties"))):
                if as_dict(entry).get("id") == "links":
                    here = (*path, "fieldConfig", "overrides", number, "properties", place, "value")
                    for index, link in enumerate(as_list(entry.get("value"))):
                        yield (*here, index), as_dict(link)


def references(text: str) -> Iterator[tuple[str, int, int]]:
    """(name, start, end) of every variable that a string refers to; Grafana's own are left out."""
    return (found for found in names(text) if found[0][:2] != "__")


def may_refer(value: Any) -> TypeGuard[str]:
    """Whether a value is a string that may have `references`: most have no variables, or only Grafana's own."""
    return isinstance(value, str) and (("$" in value and "$" in value.replace("$__", "")) or "[[" in value)


def panel_name(panel: Json) -> str:
    """How people know a panel: its title, else its type and id."""
    title = panel.get("title")
    return (
        f'"{title}"' if isinstance(title, str) and title.strip() else f"{panel.get('type')} {panel.get('id')}"
    )


def as_list(value: Any) -> list[Any]:
    """The list, or an empty one for anything else."""
    return value if isinstance(value, list) else []


def as_dict(value: Any) -> dict[str, Any]:
    """The mapping, or an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def is_text(value: Any) -> TypeGuard[str]:
    """Whether there is a string that holds something."""
    return isinstance(value, str) and bool(value.strip())


def panels_of(data: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """(path, panel) of every panel of a dashboard, also those inside rows (of both generations)."""

    def under(container: Mapping[str, Any], path: Path) -> Iterator[tuple[Path, Mapping[str, Any]]]:
        panels = container.get("panels")
        for index, panel in enumerate(panels if isinstance(panels, list) else []):
            if isinstance(panel, dict):
                here = (*path, "panels", index)
                yield here, panel
                yield from under(panel, here)

    yield from under(data, ())
    rows = data.get("rows")
    for index, row in enumerate(rows if isinstance(rows, list) else []):
        if isinstance(row, dict):
            yield from under(row, ("rows", index))


def is_logql(kind: str, owner: Json, target: Json) -> bool:
    """Whether a target (or annotation) of ``owner`` asks Loki; ``kind`` is the type of its data source."""
    expr = target.get("expr")
    if not isinstance(expr, str) or not expr.strip():
        return False
    if not kind:
        return owner.get("type") == "logs" or _PIPELINE.search(expr) is not None
    return kind == "loki"


_PIPELINE = lazy_pattern(r"\}\s*(?:\|[=~>]|\|\s*(?:json|logfmt|pattern|regexp|unpack|unwrap|line_format)\b)")
"""What only LogQL has, for queries whose data source is not known."""


def datasource_type(dashboard: Dashboard, owner: Mapping[str, Any]) -> str:
    """The type of the data source that a panel, target, variable or annotation names; "" for not known."""
    chosen = owner.get("datasource")
    if isinstance(chosen, dict):
        name, kind = str(chosen.get("uid") or chosen.get("name") or ""), str(chosen.get("type") or "")
        if kind and kind not in ("datasource", "mixed"):
            return kind
    else:
        name = str(chosen or "")
    if not name or "Mixed" in name or "grafana" in name.lower():
        return ""
    if name.startswith(("$", "[[")):
        return _variable_type(dashboard, name.strip("${}[]").partition(":")[0])
    if name in dashboard.datasource_types:
        return dashboard.datasource_types[name]
    return "loki" if "loki" in name.lower() else ""


def _variable_type(dashboard: Dashboard, name: str) -> str:
    listed = (dashboard.data.get("templating") or {}).get("list")
    for entry in listed if isinstance(listed, list) else []:
        if isinstance(entry, dict) and entry.get("type") == "datasource" and entry.get("name") == name:
            return str(entry.get("query") or "")
    inputs = dashboard.data.get("__inputs")
    for entry in inputs if isinstance(inputs, list) else []:
        if isinstance(entry, dict) and entry.get("name") == name:
            return str(entry.get("pluginId") or "")
    return ""
