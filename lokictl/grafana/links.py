"""Links: from panels to Explore, to other dashboards, to anywhere."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

import attr

from lokictl.grafana.targets import DataSourceRef, Target, trace_target
from lokictl.lazy import lazy_pattern

# What a link leaves to Grafana.  The macros of a query are not among them: Explore fills them when it runs the query.
_MACROS = "auto|interval|interval_ms|range|range_ms|range_s|rate_interval"
_VARIABLE = lazy_pattern(
    rf"\$\{{(?!__(?:{_MACROS})\}})[^}}]*\}}|\$__(?!(?:{_MACROS})\b)\w+|\$(?!_)[A-Za-z]\w*|\[\[\w[^\]]*\]\]"
)
_PLAIN = lazy_pattern(r"\$\{?(?!_)([A-Za-z]\w*)\}?$")

TIME_RANGE = "${__url_time_range}"
PANEL_RANGE = {"from": "${__from}", "to": "${__to}"}


@attr.s(auto_attribs=True, kw_only=True)
class DataLink:
    """A link on a value of a panel."""

    title: str
    url: str
    new_tab: bool = True

    def to_json_data(self) -> dict[str, Any]:
        return {"title": self.title, "url": self.url, "targetBlank": self.new_tab}


@attr.s(auto_attribs=True, kw_only=True)
class DashboardLink:
    """A link at the top of a dashboard: to one URL, or (``tags``) to all dashboards with these tags."""

    title: str
    url: str = ""
    tags: Sequence[str] = ()
    dropdown: bool = False
    keep_time: bool = True
    include_variables: bool = False

    def to_json_data(self) -> dict[str, Any]:
        return {
            "title": self.title,
            "type": "link" if self.url else "dashboards",
            "url": self.url,
            "tags": list(self.tags),
            "icon": "external link",
            "tooltip": "",
            "asDropdown": self.dropdown,
            "includeVars": self.include_variables,
            "keepTime": self.keep_time,
            "targetBlank": False,
        }


def dashboard_url(uid: str, variables: Mapping[str, str] | None = None) -> str:
    """A site-relative link to a dashboard that keeps the time range; values may hold ``${__…}`` variables."""
    pairs = [f"var-{name}={encoded(value)}" for name, value in (variables or {}).items()]
    return f"/d/{uid}?" + "&".join([TIME_RANGE, *pairs])


def explore_url(target: Target, *, time_range: Mapping[str, str] = PANEL_RANGE, base: str = "") -> str:
    """A link that opens a query in Explore (Grafana 10 and newer), at the panel's time range by default.

    Variables of the value (``${__value.raw}``) and of the dashboard (``$pod``) in the query stay readable for
    Grafana, which fills them in; everything around them is encoded.  Several values of a dashboard's variable
    become ``a|b``: match them with ``=~``.  ``base`` is Grafana's own URL, for links from elsewhere.
    """
    query = {**target.to_json_data(), "refId": target.ref_id or "A"}
    query.pop("hide", None)
    panes = {
        "a": {
            "datasource": target.datasource.uid,
            "queries": [query],
            "range": dict(time_range),
        }
    }
    text = json.dumps(panes, separators=(",", ":"))
    return f"{base}/explore?schemaVersion=1&orgId=1&panes={encoded(_safe_in_json(text))}"


def trace_url(datasource: DataSourceRef, trace_id: str = "${__value.raw}") -> str:
    """A link that opens one trace of a Jaeger or Tempo data source in Explore."""
    return explore_url(trace_target(datasource, trace_id))


def correlation(
    target: Target,
    *,
    field: str,
    label: str,
    description: str = "",
    patterns: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A correlation of a data source (Grafana 10 and newer): a link from the values of a field to Explore.

    The query of ``target`` may hold ``${name}`` for a field of the row, and for what ``patterns`` find: name ->
    regular expression over the value, whose first group counts.
    """
    query = {name: value for name, value in target.query_json().items() if value not in ("", None)}
    config: dict[str, Any] = {
        # Grafana 10 and 11 read the type here, newer ones beside the configuration.
        "type": "query",
        "field": field,
        "target": {
            name: provisioned(value) if isinstance(value, str) else value for name, value in query.items()
        },
    }
    if patterns:
        config["transformations"] = [
            {"type": "regex", "field": field, "expression": provisioned(pattern), "mapValue": name}
            for name, pattern in patterns.items()
        ]
    return {
        "targetUID": target.datasource.uid,
        "label": label,
        "description": description,
        "type": "query",
        "config": config,
    }


def provisioned(text: str) -> str:
    """A string for a provisioning file, in which Grafana would take ``$`` for a variable of the environment."""
    return text.replace("$", "$$")


def encoded(text: str) -> str:
    """Percent-encoded but for Grafana's variables."""
    parts: list[str] = []
    position = 0
    for variable in _VARIABLE.finditer(text):
        parts += [quote(text[position : variable.start()], safe=""), variable.group()]
        position = variable.end()
    return "".join([*parts, quote(text[position:], safe="")])


def _safe_in_json(text: str) -> str:
    """A dashboard's variables in the one form whose values are safe in JSON: no braces, no backslashes."""
    return _VARIABLE.sub(lambda found: _PLAIN.sub(r"${\1:pipe}", found.group()), text)
