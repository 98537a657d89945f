"""Reading a dashboard's JSON model: panels with queries, variables, references to variables, links."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lokictl.lint.interface import DashboardItem, PathPart
from lokictl.lint.sources import datasource_type
from lokictl.logql.grafana_variables import variables as variables_in

Path = tuple[PathPart, ...]
Json = Mapping[str, Any]

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


def targets(dashboard: DashboardItem) -> Iterator[Target]:
    """Every query of every panel."""
    for path, panel in dashboard.panels:
        for index, data in enumerate(as_list(panel.get("targets"))):
            if isinstance(data, dict):
                kind = datasource_type(dashboard, data) or datasource_type(dashboard, panel)
                yield Target(path, panel, index, data, kind)


def variables(dashboard: DashboardItem) -> list[tuple[Path, Json]]:
    """(path, variable) of every template variable."""
    listed = as_dict(dashboard.data.get("templating")).get("list")
    return [
        (("templating", "list", index), entry)
        for index, entry in enumerate(as_list(listed))
        if isinstance(entry, dict)
    ]


def annotation_queries(dashboard: DashboardItem) -> list[tuple[Path, Json]]:
    """(path, annotation) of every annotation query."""
    listed = as_dict(dashboard.data.get("annotations")).get("list")
    return [
        (("annotations", "list", index), entry)
        for index, entry in enumerate(as_list(listed))
        if isinstance(entry, dict)
    ]


def links(dashboard: DashboardItem) -> Iterator[tuple[Path, Json]]:
    """(path, link) of every link: of the dashboard, of panels, of fields and of overrides."""
    for index, link in enumerate(as_list(dashboard.data.get("links"))):
        yield ("links", index), as_dict(link)
    for path, panel in dashboard.panels:
        for index, link in enumerate(as_list(panel.get("links"))):
            yield (*path, "links", index), as_dict(link)
        config = as_dict(panel.get("fieldConfig"))
        for index, link in enumerate(as_list(as_dict(config.get("defaults")).get("links"))):
            yield (*path, "fieldConfig", "defaults", "links", index), as_dict(link)
        for number, override in enumerate(as_list(config.get("overrides"))):
            for place, entry in enumerate(as_list(as_dict(override).get("properties"))):
                if as_dict(entry).get("id") == "links":
                    here = (*path, "fieldConfig", "overrides", number, "properties", place, "value")
                    for index, link in enumerate(as_list(entry.get("value"))):
                        yield (*here, index), as_dict(link)


def references(text: str) -> Iterator[tuple[str, int, int]]:
    """(name, start, end) of every variable that a text refers to; Grafana's own are left out."""
    for found in variables_in(text):
        if not found.is_macro:
            yield found.name, *found.span


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


def is_text(value: Any) -> bool:
    """Whether there is a text that holds something."""
    return isinstance(value, str) and bool(value.strip())
