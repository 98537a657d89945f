"""Runs the Loki queries of a dashboard on the embedded engine, over the services' sample logs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from lokictl.durations import MINUTE
from lokictl.engine import Engine, LogStore
from lokictl.engine.result import Result
from lokictl.logql.grafana_variables import interpolate
from lokictl.project import Project, load
from lokictl.sample import fill_store, project_sources
from lokictl.sample.generate import generate_all

ROOT = Path(__file__).resolve().parents[2]
HALF_HOUR = 30 * MINUTE
END = 1_768_473_000_000_000_000
START = END - HALF_HOUR

INCIDENTS = ("compiler-panic", "garbage", "poison-task", "database-timeouts")
"""What has to go wrong so that panels for trouble show something, too."""

Values = Mapping[str, str | Sequence[str]]


class LokiQuery(NamedTuple):
    """A query of a panel (or a variable, or an annotation), with its place for messages."""

    dashboard: str
    panel: str
    ref: str
    expr: str
    instant: bool
    kind: str
    limit: int

    @property
    def key(self) -> str:
        return f"{self.panel} {self.ref}"


@lru_cache(maxsize=1)
def project() -> Project:
    """This project."""
    return load(ROOT)


@lru_cache(maxsize=1)
def dashboards() -> dict[str, dict[str, Any]]:
    """uid -> final JSON."""
    return {item.uid: item.to_json() for item in project().dashboards}


@lru_cache(maxsize=1)
def store() -> LogStore:
    """Half an hour of logs of all services, with what goes wrong from half-way on."""
    filled = LogStore()
    sources = project_sources(project())
    for incident in ("", *INCIDENTS):
        fill_store(filled, generate_all(sources, START, END, rate=1.0, incident=incident))
    return filled


def panels(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """All panels but rows, those inside collapsed rows too."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def loki_queries(dashboard: Mapping[str, Any]) -> Iterator[LokiQuery]:
    """Every query of a panel to Loki."""
    for panel in panels(dashboard):
        for target in panel["targets"]:
            if target["datasource"]["type"] == "loki":
                yield LokiQuery(
                    dashboard["uid"],
                    panel["title"],
                    target["refId"],
                    target["expr"],
                    target["queryType"] == "instant",
                    panel["type"],
                    target.get("maxLines", 100),
                )


def filled(expr: str, values: Values) -> str:
    """The query as Grafana would send it for half an hour in steps of a minute."""
    return interpolate(expr, values, interval=MINUTE, time_range=HALF_HOUR).text


def run(query: LokiQuery, values: Values) -> Result:
    """The answer to a query."""
    engine, expr = Engine(store()), filled(query.expr, values)
    if query.instant:
        return engine.query(expr, time=END)
    return engine.query_range(expr, start=START, end=END, step=MINUTE, limit=query.limit)


def frames(result: Result) -> int:
    """How many data frames Grafana makes of an answer: one for each series, one for all lines."""
    if result.kind == "streams":
        return 1 if any(found for _, found in result.streams) else 0
    return len(result.vector) + len(result.matrix)


def all_values(dashboard: Mapping[str, Any]) -> Values:
    """What the dashboard's variables stand for when it is opened: All, or the text they begin with."""
    values: dict[str, str | Sequence[str]] = {}
    for variable in dashboard["templating"]["list"]:
        current = variable.get("current", {}).get("value", "")
        values[variable["name"]] = variable["allValue"] if current == ["$__all"] else current
    return values
