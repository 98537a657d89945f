"""Links from panels: variables that Grafana never fills, and values that are only estimates."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lokictl.diagnostics import Severity
from lokictl.lint.dashboard_json import as_list, is_text, links, panel_name, variables
from lokictl.lint.findings import Path
from lokictl.lint.interface import DashboardCheck, DashboardItem, Finding

_ENCODED = re.compile(r"%24(?:%7[Bb])?([A-Za-z_]\w*)")
_COMPARED = re.compile(r"(?:[<>]|%3[CEce])(?:=|%3[Dd])?(?:\s|\+|%20)*(?:\$|%24)\{?__value\b[^}&]*\}?")


class EncodedVariable(DashboardCheck):
    name = "dashboard/encoded-variable"
    severity = Severity.WARNING
    summary = "a variable in a link whose dollar sign is percent-encoded, so that Grafana does not fill it"

    def check(self, dashboard: DashboardItem) -> Iterator[Finding]:
        known = {str(entry.get("name")) for _, entry in variables(dashboard)}
        for path, link in links(dashboard):
            url = link.get("url")
            for found in _ENCODED.finditer(url) if isinstance(url, str) else ():
                name = found[1]
                if name in known or name.startswith("__"):
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
        estimated = [
            path for path, panel in dashboard.panels if _shows_estimates(as_list(panel.get("targets")))
        ]
        for path, link in links(dashboard):
            url = link.get("url")
            if not isinstance(url, str) or not any(path[: len(panel)] == panel for panel in estimated):
                continue
            found = _COMPARED.search(url)
            if found:
                yield self.finding(
                    dashboard.text_place((*path, "url"), found.start(), found.end()),
                    f"the value of {self._panel(dashboard, path)} is a quantile estimated from buckets: what was "
                    "measured can lie well below it, and the link then finds nothing",
                    hint="compare with the objective, a fixed number, instead of the value",
                )

    def _panel(self, dashboard: DashboardItem, path: Path) -> str:
        return next(panel_name(panel) for own, panel in dashboard.panels if path[: len(own)] == own)


def _shows_estimates(targets: list[object]) -> bool:
    """Whether every query of a panel estimates a quantile from the buckets of a histogram."""
    texts = [target.get("expr") for target in targets if isinstance(target, dict) and not target.get("hide")]
    return bool(texts) and all(is_text(text) and "histogram_quantile" in str(text) for text in texts)
