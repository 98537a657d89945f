"""Links from panels: variables that Grafana never fills, and values that are only estimates."""

from __future__ import annotations

from collections.abc import Iterator

from lokictl.diagnostics import Severity
from lokictl.lazy import lazy_pattern
from lokictl.lint.dashboard.queries import labels_of_target
from lokictl.lint.dashboard_json import Json, as_dict, as_list, panel_name
from lokictl.lint.findings import Path
from lokictl.lint.interface import DashboardCheck, DashboardItem, Finding
from lokictl.model.documents import value_at

_ENCODED = lazy_pattern(r"(?:%24(?:%7[Bb])?|%5[Bb]%5[Bb])([A-Za-z_]\w*)")
_MACROS = lazy_pattern(r"__(?:auto|interval|range|rate_interval)(?:_ms|_s)?")
"""Those of a query: Explore fills them when it runs the query of the link."""

_VALUE = r"(?:\$|%24)(?:\{|%7[Bb])?__value\b(?:\.(?:raw|numeric|text))?(?![.\w])(?:\}|%7[Dd])?"
_BESIDE = r"(?:\s|\+|%20|%22|%5[Cc]|\\|\"|:|%3[Aa]|=|%3[Dd])*"
_COMPARED = lazy_pattern(rf"(?:[<>]|%3[CEce]|minDuration|min_duration){_BESIDE}{_VALUE}")
_USED = lazy_pattern(_VALUE)


class EncodedVariable(DashboardCheck):
    name = "dashboard/encoded-variable"
    severity = Severity.WARNING
    summary = "a variable in a link whose dollar sign is percent-encoded, so that Grafana does not fill it"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        if not dashboard.links:
            return
        known = {str(entry.get("name")) for _, entry in dashboard.variables}
        for path, link in dashboard.links:
            url = link.get("url")
            for found in _ENCODED.finditer(url) if isinstance(url, str) else ():
                name = found[1]
                if name in known or (name.startswith("__") and not _MACROS.fullmatch(name)):
                    yield self.finding(
                        dashboard.text_place((*path, "url"), found.start(), found.end()),
                        f"{found[0]} is plain text: Grafana fills a variable only where the dollar sign is not encoded",
                        hint=f"write ${{{name}}} there, and encode the rest",
                    )


class EstimateInLink(DashboardCheck):
    name = "dashboard/estimate-in-link"
    severity = Severity.WARNING
    summary = "a link that compares with an estimated quantile"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        if not dashboard.links:
            return
        estimated = {path: _estimates(as_list(panel.get("targets"))) for path, panel in dashboard.panels}
        for path, link in dashboard.links:
            own = next((own for own in estimated if path[: len(own)] == own), None)
            url = link.get("url")
            if own is None or not isinstance(url, str) or not self._concerns(dashboard, path, estimated[own]):
                continue
            panel = next(panel for place, panel in dashboard.panels if place == own)
            # A cell of a table need not be the estimate.
            found = (_COMPARED if panel.get("type") == "table" else _USED).search(url)
            if found:
                yield self.finding(
                    dashboard.text_place((*path, "url"), found.start(), found.end()),
                    f"the value of {panel_name(panel)} is a quantile estimated from buckets: what was measured can "
                    "lie well below it, and the link then finds nothing",
                    hint="compare with the objective, a fixed number, instead of the value",
                )

    def _concerns(self, dashboard: DashboardItem, path: Path, estimates: dict[str, bool]) -> bool:
        """Whether a link is on values that are estimates."""
        query = query_of(dashboard, path)
        if query is None:
            return any(estimates.values())
        return estimates.get(query, False) if query else bool(estimates) and all(estimates.values())


def _estimates(targets: list[object]) -> dict[str, bool]:
    """refId -> whether a query estimates a quantile from the buckets of a histogram."""
    return {
        str(target.get("refId") or number): "histogram_quantile" in str(target.get("expr") or "")
        for number, target in enumerate(targets)
        if isinstance(target, dict) and not target.get("hide")
    }


_LABEL = lazy_pattern(r"\$\{__field\.labels[.\[]\"?([A-Za-z_]\w*)")


class LinkLabel(DashboardCheck):
    name = "dashboard/link-label"
    severity = Severity.WARNING
    summary = "a link that reads a label which a query of its panel does not return"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        for path, link in dashboard.links:
            url = link.get("url")
            wanted = list(_LABEL.finditer(url)) if isinstance(url, str) and "__field.labels" in url else []
            only = query_of(dashboard, path) if wanted else None
            if not wanted or only == "":
                continue
            for target in dashboard.targets:
                inside = path[: len(target.panel_path)] == target.panel_path
                name = str(target.data.get("refId"))
                if (
                    not inside
                    or target.hidden
                    or (name != only if only else name in _with_own_links(target.panel))
                ):
                    continue
                names = labels_of_target(target, dashboard.expression_of(target))
                found = next((item for item in wanted if names is not None and item[1] not in names), None)
                if found is not None and not target.panel.get("transformations"):
                    yield self.finding(
                        dashboard.text_place((*path, "url"), found.start(), found.end()),
                        f"query {target.data.get('refId')} of {panel_name(target.panel)} returns no label {found[1]}: "
                        "from its values the link leads to nothing",
                        hint="give each query the links that fit it, by an override for its refId",
                    )
                    break


def _with_own_links(panel: Json) -> set[str]:
    """The refIds of the queries that have links of their own instead of the panel's."""
    found = set()
    for override in as_list(as_dict(panel.get("fieldConfig")).get("overrides")):
        matcher = as_dict(as_dict(override).get("matcher"))
        properties = [as_dict(item).get("id") for item in as_list(as_dict(override).get("properties"))]
        if matcher.get("id") == "byFrameRefID" and "links" in properties:
            found.add(str(matcher.get("options")))
    return found


def query_of(dashboard: DashboardItem, path: Path) -> str | None:
    """The refId of the query whose values a link is for; None for all, "" where an override chooses in other ways."""
    if "overrides" not in path:
        return None
    override = as_dict(value_at(dashboard.data, path[: path.index("overrides") + 2]))
    matcher = as_dict(override.get("matcher"))
    return str(matcher.get("options")) if matcher.get("id") == "byFrameRefID" else ""
