"""Dashboards in schema v2 (``elements``, ``layout``) and in the classic one (``panels``): one made from the other.

Schema v2 is what Grafana 12 and 13 store (``dashboard.grafana.app/v2beta1`` and ``v2``); ``v2alpha1`` is read, too.
What only v2 can say (tabs, automatic grids, conditions) becomes rows and grid positions in a classic model;
`lost_in_classic` lists it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any

from lokictl.model.documents import Path
from lokictl.records import dataclass

COLUMNS = 24
ROW_HEIGHTS = {"short": 5, "standard": 9, "tall": 14}
"""Heights of an automatic grid's rows in the units of a classic grid."""

CLASSIC_SCHEMA = 42
CURSOR_SYNC = ("Off", "Crosshair", "Tooltip")
HIDE = ("dontHide", "hideLabel", "hideVariable", "inControlsMenu")
REFRESH = ("never", "onDashboardLoad", "onTimeRangeChanged")
SORT = (
    *("disabled", "alphabeticalAsc", "alphabeticalDesc", "numericalAsc", "numericalDesc"),
    *("alphabeticalCaseInsensitiveAsc", "alphabeticalCaseInsensitiveDesc", "naturalAsc", "naturalDesc"),
)
VARIABLES = {
    "query": "QueryVariable",
    "textbox": "TextVariable",
    "constant": "ConstantVariable",
    "datasource": "DatasourceVariable",
    "interval": "IntervalVariable",
    "custom": "CustomVariable",
    "groupby": "GroupByVariable",
    "adhoc": "AdhocVariable",
    "switch": "SwitchVariable",
}
VARIABLE_TYPES = {kind: name for name, kind in VARIABLES.items()}
QUERY_OPTIONS = (
    *("timeFrom", "maxDataPoints", "timeShift", "queryCachingTTL", "interval", "cacheTimeout"),
    *("hideTimeOverride", "timeCompare"),
)
MIXED = "-- Mixed --"
LEGACY = "__legacyStringValue"
"""The key under which v2 keeps a variable's query that is a string."""


@dataclass
class Classic:
    """A classic model; ``places`` maps paths in it to paths in the spec that it was made from."""

    model: dict[str, Any]
    places: dict[Path, Path] = field(default_factory=dict)


# --- v2 -> classic -----------------------------------------------------------------------------------------


def to_classic(spec: Mapping[str, Any], uid: str = "") -> Classic:
    """The classic model of a dashboard in schema v2.  ``uid`` is its ``metadata.name``."""
    return _ToClassic(spec).convert(uid)


def lost_in_classic(spec: Mapping[str, Any]) -> list[str]:
    """What a classic model cannot say of a dashboard in schema v2, as text."""
    found: dict[str, None] = {}
    for kind, part in _parts(spec.get("layout")):
        if kind == "TabsLayout":
            found["tabs become rows"] = None
        elif kind == "AutoGridLayout":
            found["automatic grids become fixed positions"] = None
        if isinstance(part.get("conditionalRendering"), dict):
            found["conditions on which rows and panels are shown are left out"] = None
        if part.get("repeat") and kind == "TabsLayoutTab":
            found["repeated tabs become repeated rows"] = None
    return list(found)


def _parts(layout: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(kind, spec) of a layout and of everything in it."""
    if not isinstance(layout, dict) or not isinstance(layout.get("spec"), dict):
        return
    spec = layout["spec"]
    yield str(layout.get("kind")), spec
    for key in ("rows", "tabs", "items"):
        for item in _list(spec.get(key)):
            yield from _parts(item)
    yield from _parts(spec.get("layout"))


class _ToClassic:
    def __init__(self, spec: Mapping[str, Any]) -> None:
        self.spec = spec
        self.places: dict[Path, Path] = {}
        self.panels: list[dict[str, Any]] = []
        self.placed: set[str] = set()
        self.next_id = 1 + max(
            (int(item["spec"]["id"]) for item in self._elements().values() if _has_id(item)), default=0
        )

    def _elements(self) -> Mapping[str, Any]:
        elements = self.spec.get("elements")
        return elements if isinstance(elements, dict) else {}

    def convert(self, uid: str) -> Classic:
        spec = self.spec
        model: dict[str, Any] = {"uid": uid} if uid else {}
        for key in ("title", "description", "tags", "editable", "liveNow", "preload", "revision", "links"):
            if key in spec:
                model[key] = spec[key]
        self._time(model, _dict(spec.get("timeSettings")))
        if spec.get("cursorSync") in CURSOR_SYNC:
            model["graphTooltip"] = CURSOR_SYNC.index(spec["cursorSync"])
            self.places[("graphTooltip",)] = ("cursorSync",)
        model["annotations"] = {"list": list(self._annotations())}
        model["templating"] = {"list": list(self._variables())}
        self.places[("annotations", "list")] = ("annotations",)
        self.places[("templating", "list")] = ("variables",)
        bottom = self._layout(_dict(spec.get("layout")), ("layout",), 0, self.panels, ("panels",))
        self._unplaced(bottom)
        model["panels"] = self.panels
        model["schemaVersion"] = CLASSIC_SCHEMA
        self.places[("panels",)] = ("elements",)
        return Classic(model, self.places)

    def _time(self, model: dict[str, Any], settings: Mapping[str, Any]) -> None:
        renamed = {"timezone": "timezone", "autoRefresh": "refresh", "weekStart": "weekStart",
                   "fiscalYearStartMonth": "fiscalYearStartMonth"}  # fmt: skip
        for old, new in renamed.items():
            if old in settings:
                model[new] = settings[old]
                self.places[(new,)] = ("timeSettings", old)
        model["time"] = {key: settings[key] for key in ("from", "to") if key in settings}
        self.places[("time",)] = ("timeSettings",)
        picker = {"autoRefreshIntervals": "refresh_intervals", "quickRanges": "quick_ranges",
                  "hideTimepicker": "hidden", "nowDelay": "nowDelay"}  # fmt: skip
        model["timepicker"] = {new: settings[old] for old, new in picker.items() if old in settings}
        self.places[("timepicker",)] = ("timeSettings",)

    # --- layout ------------------------------------------------------------------------------------------

    def _layout(
        self, layout: Mapping[str, Any], path: Path, top: int, panels: list[dict[str, Any]], target: Path
    ) -> int:
        """Adds the panels of a layout from row ``top`` of the grid on; returns the row below them."""
        spec, here = _dict(layout.get("spec")), (*path, "spec")
        kind = layout.get("kind")
        if kind == "GridLayout":
            return self._grid(spec, here, top, panels, target)
        if kind == "AutoGridLayout":
            return self._auto_grid(spec, here, top, panels, target)
        key = {"RowsLayout": "rows", "TabsLayout": "tabs"}.get(str(kind), "")
        for index, row in enumerate(_list(spec.get(key))):
            top = self._row(_dict(_dict(row).get("spec")), (*here, key, index, "spec"), top, panels, target)
        return top

    def _row(
        self, row: Mapping[str, Any], path: Path, top: int, panels: list[dict[str, Any]], target: Path
    ) -> int:
        inner, inner_path = _dict(row.get("layout")), (*path, "layout")
        if row.get("hideHeader"):
            return self._layout(inner, inner_path, top, panels, target)
        panel: dict[str, Any] = {
            "type": "row",
            "id": self._new_id(),
            "title": row.get("title", ""),
            "collapsed": bool(row.get("collapse")),
            "panels": [],
            "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": top},
        }
        here = (*target, len(panels))
        self.places[here] = path
        self.places[(*here, "collapsed")] = (*path, "collapse")
        repeat = _dict(row.get("repeat"))
        if repeat:
            panel["repeat"] = repeat.get("value")
            self.places[(*here, "repeat")] = (*path, "repeat", "value")
        panels.append(panel)
        # A classic row holds no rows: those inside follow it.
        nested = inner.get("kind") in ("RowsLayout", "TabsLayout")
        if panel["collapsed"] and not nested:
            return self._layout(inner, inner_path, top + 1, panel["panels"], (*here, "panels"))
        panel["collapsed"] = False
        return self._layout(inner, inner_path, top + 1, panels, target)

    def _new_id(self) -> int:
        self.next_id += 1
        return self.next_id - 1

    def _grid(
        self, spec: Mapping[str, Any], path: Path, top: int, panels: list[dict[str, Any]], target: Path
    ) -> int:
        items = [_dict(_dict(item).get("spec")) for item in _list(spec.get("items"))]
        first = min((_int(item.get("y")) for item in items), default=0)
        bottom = top
        for index, item in enumerate(items):
            y = top + _int(item.get("y")) - first
            position = {"h": _int(item.get("height")), "w": _int(item.get("width")), "x": _int(item.get("x"))}
            here = (*path, "items", index, "spec")
            self._placed(item, here, {**position, "y": y}, panels, target)
            grid = (*target, len(panels) - 1, "gridPos")
            self.places |= {(*grid, "h"): (*here, "height"), (*grid, "w"): (*here, "width")}
            bottom = max(bottom, y + position["h"])
        return bottom

    def _auto_grid(
        self, spec: Mapping[str, Any], path: Path, top: int, panels: list[dict[str, Any]], target: Path
    ) -> int:
        items = _list(spec.get("items"))
        columns = min(max(_int(spec.get("maxColumnCount") or 3), 1), COLUMNS)
        width = COLUMNS // columns
        height = ROW_HEIGHTS.get(str(spec.get("rowHeightMode")), 0)
        height = height or max(_int(spec.get("rowHeight") or 0) // 36, 0) or ROW_HEIGHTS["standard"]
        for index, item in enumerate(items):
            x, y = index % columns * width, top + index // columns * height
            position = {"h": height, "w": width, "x": x, "y": y}
            here = (*path, "items", index, "spec")
            self._placed(_dict(_dict(item).get("spec")), here, position, panels, target)
        return top + -(-len(items) // columns) * height

    def _placed(
        self,
        item: Mapping[str, Any],
        path: Path,
        position: dict[str, int],
        panels: list[dict[str, Any]],
        target: Path,
    ) -> None:
        name = str(_dict(item.get("element")).get("name"))
        self.placed.add(name)
        here = (*target, len(panels))
        panel = self._element(name, here)
        panel["gridPos"] = position
        self.places[(*here, "gridPos")] = path
        repeat = _dict(item.get("repeat"))
        for old, new in (("value", "repeat"), ("direction", "repeatDirection"), ("maxPerRow", "maxPerRow")):
            if old in repeat:
                panel[new] = repeat[old]
                self.places[(*here, new)] = (*path, "repeat", old)
        panels.append(panel)

    def _unplaced(self, top: int) -> None:
        """Elements that the layout does not show; their queries are read all the same."""
        for name in self._elements():
            if name not in self.placed:
                panel = self._element(name, ("panels", len(self.panels)))
                panel["gridPos"] = {"h": 8, "w": COLUMNS, "x": 0, "y": top}
                self.panels.append(panel)
                top += 8

    # --- panels ------------------------------------------------------------------------------------------

    def _element(self, name: str, here: Path) -> dict[str, Any]:
        element = _dict(self._elements().get(name))
        spec, path = _dict(element.get("spec")), ("elements", name, "spec")
        self.places[here] = path
        panel: dict[str, Any] = {
            key: spec[key] for key in ("id", "title", "description", "links", "transparent") if key in spec
        }
        if element.get("kind") == "LibraryPanel":
            panel["libraryPanel"] = spec.get("libraryPanel")
            return panel
        self._visualization(panel, _dict(spec.get("vizConfig")), here, (*path, "vizConfig"))
        group = _dict(_dict(spec.get("data")).get("spec"))
        group_path = (*path, "data", "spec")
        panel["targets"] = [
            self._target(_dict(_dict(query).get("spec")), (*here, "targets", index),
                         (*group_path, "queries", index, "spec"))
            for index, query in enumerate(_list(group.get("queries")))
        ]  # fmt: skip
        self.places[(*here, "targets")] = (*group_path, "queries")
        self._panel_datasource(panel, here, (*group_path, "queries", 0, "spec"))
        panel["transformations"] = [
            _classic_transformation(_dict(it)) for it in _list(group.get("transformations"))
        ]
        self.places[(*here, "transformations")] = (*group_path, "transformations")
        for key, value in _dict(group.get("queryOptions")).items():
            panel[key] = value
            self.places[(*here, key)] = (*group_path, "queryOptions", key)
        return panel

    def _visualization(
        self, panel: dict[str, Any], config: Mapping[str, Any], here: Path, path: Path
    ) -> None:
        spec = _dict(config.get("spec"))
        # v2alpha1 has the plugin's id as the kind.
        alpha = "group" not in config
        panel["type"] = config.get("kind" if alpha else "group", "")
        self.places[(*here, "type")] = (*path, "kind" if alpha else "group")
        version = config.get("version") or spec.get("pluginVersion")
        if version:
            panel["pluginVersion"] = version
        for key in ("options", "fieldConfig"):
            if key in spec:
                panel[key] = spec[key]
            self.places[(*here, key)] = (*path, "spec", key)

    def _target(self, query: Mapping[str, Any], here: Path, path: Path) -> dict[str, Any]:
        data = _dict(query.get("query"))
        target: dict[str, Any] = dict(_dict(data.get("spec")))
        self.places[here] = (*path, "query", "spec")
        if "refId" in query:
            target["refId"] = query["refId"]
        self.places[(*here, "refId")] = (*path, "refId")
        if query.get("hidden"):
            target["hide"] = True
            self.places[(*here, "hide")] = (*path, "hidden")
        source, places = _classic_datasource(data, query)
        if source:
            target["datasource"] = source
            self.places |= {(*here, "datasource", *key): (*path, *value) for key, value in places.items()}
        return target

    def _panel_datasource(self, panel: dict[str, Any], here: Path, path: Path) -> None:
        sources = [target.get("datasource") for target in panel["targets"]]
        if not sources or sources[0] is None:
            return
        same = all(source == sources[0] for source in sources)
        panel["datasource"] = dict(sources[0]) if same else {"type": "datasource", "uid": MIXED}
        target = (*here, "targets", 0, "datasource")
        for key in ((), ("uid",), ("type",)):
            if (*target, *key) in self.places:
                self.places[(*here, "datasource", *key)] = self.places[(*target, *key)]

    # --- variables and annotations -----------------------------------------------------------------------

    def _variables(self) -> Iterator[dict[str, Any]]:
        for index, variable in enumerate(_list(self.spec.get("variables"))):
            kind, spec = str(_dict(variable).get("kind")), dict(_dict(_dict(variable).get("spec")))
            here, path = ("templating", "list", index), ("variables", index, "spec")
            self.places[here] = path
            entry: dict[str, Any] = {"type": VARIABLE_TYPES.get(kind, kind)}
            query = spec.pop("query", None)
            for key, words in (("hide", HIDE), ("refresh", REFRESH), ("sort", SORT)):
                if spec.get(key) in words:
                    spec[key] = words.index(spec[key])
            entry |= spec
            if kind == "DatasourceVariable":
                entry["query"] = entry.pop("pluginId", "")
                self.places[(*here, "query")] = (*path, "pluginId")
            elif isinstance(query, dict):
                self._variable_query(entry, query, spec, here, path)
            elif query is not None:
                entry["query"] = query
            source, places = _classic_datasource(_dict(variable), spec)
            if source and kind in ("AdhocVariable", "GroupByVariable"):
                entry["datasource"] = source
                outer = ("variables", index)
                self.places |= {(*here, "datasource", *k): (*outer, *v[1:]) for k, v in places.items() if v}
            yield entry

    def _variable_query(
        self, entry: dict[str, Any], query: Mapping[str, Any], spec: Mapping[str, Any], here: Path, path: Path
    ) -> None:
        inner = query.get("spec")
        legacy = isinstance(inner, dict) and set(inner) == {LEGACY}
        entry["query"] = inner[LEGACY] if isinstance(inner, dict) and legacy else inner
        self.places[(*here, "query")] = (*path, "query", "spec", *((LEGACY,) if legacy else ()))
        source, places = _classic_datasource(query, spec)
        if source:
            entry["datasource"] = source
            self.places |= {(*here, "datasource", *key): (*path, *value) for key, value in places.items()}

    def _annotations(self) -> Iterator[dict[str, Any]]:
        for index, annotation in enumerate(_list(self.spec.get("annotations"))):
            spec = dict(_dict(_dict(annotation).get("spec")))
            here, path = ("annotations", "list", index), ("annotations", index, "spec")
            self.places[here] = path
            query, legacy = _dict(spec.pop("query", None)), _dict(spec.pop("legacyOptions", None))
            entry: dict[str, Any] = {**legacy, **spec}
            for key in legacy:
                self.places[(*here, key)] = (*path, "legacyOptions", key)
            if entry.pop("builtIn", False):
                entry["builtIn"] = 1
            if _dict(query.get("spec")):
                entry["target"] = query["spec"]
                self.places[(*here, "target")] = (*path, "query", "spec")
            source, places = _classic_datasource(query, spec)
            entry.pop("datasource", None)
            if source:
                entry["datasource"] = source
                self.places |= {(*here, "datasource", *key): (*path, *value) for key, value in places.items()}
            yield entry


def _classic_datasource(
    data: Mapping[str, Any], owner: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[Path, Path]]:
    """The data source of a query, and where its parts are below the owner of ``query``."""
    beside = _dict(owner.get("datasource"))
    if beside:  # v2alpha1
        return dict(beside), {(): ("datasource",)}
    source: dict[str, Any] = {}
    places: dict[Path, Path] = {(): ("query", "datasource")}
    if data.get("group"):
        source["type"] = data["group"]
        places[("type",)] = ("query", "group")
    name = _dict(data.get("datasource")).get("name")
    if name:
        source["uid"] = name
        places[("uid",)] = ("query", "datasource", "name")
    return source, places


def _classic_transformation(item: Mapping[str, Any]) -> dict[str, Any]:
    spec = dict(_dict(item.get("spec")))
    name = item.get("group") if item.get("kind") == "Transformation" else spec.get("id") or item.get("kind")
    return {**spec, "id": name}


# --- classic -> v2 -----------------------------------------------------------------------------------------


def to_v2(model: Mapping[str, Any]) -> dict[str, Any]:
    """The ``spec`` in schema v2 of a classic model (schema version 36 or later: data sources are objects)."""
    time, picker = _dict(model.get("time")), _dict(model.get("timepicker"))
    elements: dict[str, Any] = {}
    spec: dict[str, Any] = {
        "title": model.get("title", ""),
        "tags": model.get("tags") or [],
        "cursorSync": _word(CURSOR_SYNC, model.get("graphTooltip")),
        "preload": bool(model.get("preload")),
        "editable": model.get("editable", True),
        "liveNow": bool(model.get("liveNow")),
        "links": [_v2_link(link) for link in _list(model.get("links"))],
        "annotations": [_v2_annotation(item) for item in _list(_dict(model.get("annotations")).get("list"))],
        "variables": [_v2_variable(item) for item in _list(_dict(model.get("templating")).get("list"))],
        "timeSettings": {
            "timezone": model.get("timezone") or "browser",
            "from": time.get("from", "now-6h"),
            "to": time.get("to", "now"),
            "autoRefresh": model.get("refresh") or "",
            "autoRefreshIntervals": picker.get("refresh_intervals") or list(REFRESH_INTERVALS),
            "hideTimepicker": bool(picker.get("hidden")),
            "fiscalYearStartMonth": model.get("fiscalYearStartMonth") or 0,
        },
        "elements": elements,
        "layout": _v2_layout(_list(model.get("panels")), elements),
    }
    settings = spec["timeSettings"]
    for old, new in (("quick_ranges", "quickRanges"), ("nowDelay", "nowDelay")):
        if picker.get(old):
            settings[new] = picker[old]
    if model.get("weekStart"):
        settings["weekStart"] = model["weekStart"]
    for key in ("description", "revision"):
        if model.get(key):
            spec[key] = model[key]
    return spec


def spec_for(spec: Mapping[str, Any], version: str) -> dict[str, Any]:
    """A spec of schema v2 in the words of ``version``, "v2beta1" or "v2": they differ in transformations only."""
    convert = _transformation_v2 if version == "v2" else _transformation_v2beta1
    elements = {}
    for name, element in _dict(spec.get("elements")).items():
        group = _dict(_dict(_dict(_dict(element).get("spec")).get("data")).get("spec"))
        if not _list(group.get("transformations")):
            elements[name] = element
            continue
        converted = [convert(_dict(item)) for item in group["transformations"]]
        data = {**element["spec"]["data"], "spec": {**group, "transformations": converted}}
        elements[name] = {**element, "spec": {**element["spec"], "data": data}}
    return {**spec, "elements": elements}


def _transformation_v2(item: Mapping[str, Any]) -> dict[str, Any]:
    classic = _classic_transformation(item)
    name = classic.pop("id", "")
    return {"kind": "Transformation", "group": str(name), "spec": classic}


def _transformation_v2beta1(item: Mapping[str, Any]) -> dict[str, Any]:
    classic = _classic_transformation(item)
    return {"kind": str(classic.get("id", "")), "spec": classic}


REFRESH_INTERVALS = ("5s", "10s", "30s", "1m", "5m", "15m", "30m", "1h", "2h", "1d")


def _v2_link(link: Any) -> dict[str, Any]:
    defaults = {
        "asDropdown": False,
        "icon": "external link",
        "includeVars": False,
        "keepTime": False,
        "tags": [],
        "targetBlank": False,
        "title": "",
        "tooltip": "",
        "type": "link",
        "url": "",
    }
    return {**defaults, **{key: value for key, value in _dict(link).items() if value is not None}}


def _v2_layout(panels: list[Any], elements: dict[str, Any]) -> dict[str, Any]:
    """Rows where there are rows, else one grid; panels are added to ``elements``."""
    rows: list[dict[str, Any]] = []
    items: list[dict[str, Any]] = []
    for panel in map(_dict, panels):
        if panel.get("type") == "row":
            if not rows and items:
                rows.append(_v2_row({"title": "", "hideHeader": True}, items))
            items = []
            rows.append(_v2_row({"title": panel.get("title") or ""}, items))
            row = rows[-1]["spec"]
            row["collapse"] = bool(panel.get("collapsed"))
            if panel.get("repeat"):
                row["repeat"] = {"mode": "variable", "value": panel["repeat"]}
            items += [_v2_item(inner, elements) for inner in map(_dict, _list(panel.get("panels")))]
        else:
            items.append(_v2_item(panel, elements))
    if rows:
        return {"kind": "RowsLayout", "spec": {"rows": rows}}
    return {"kind": "GridLayout", "spec": {"items": items}}


def _v2_row(spec: dict[str, Any], items: list[dict[str, Any]]) -> dict[str, Any]:
    layout = {"kind": "GridLayout", "spec": {"items": items}}
    return {"kind": "RowsLayoutRow", "spec": {"collapse": False, **spec, "layout": layout}}


def _v2_item(panel: Mapping[str, Any], elements: dict[str, Any]) -> dict[str, Any]:
    name = f"panel-{panel.get('id')}"
    elements[name] = _v2_element(panel)
    grid = _dict(panel.get("gridPos"))
    spec: dict[str, Any] = {
        "x": _int(grid.get("x")),
        "y": _int(grid.get("y")),
        "width": _int(grid.get("w")),
        "height": _int(grid.get("h")),
        "element": {"kind": "ElementReference", "name": name},
    }
    if panel.get("repeat"):
        spec["repeat"] = {"mode": "variable", "value": panel["repeat"]}
        for old, new in (("repeatDirection", "direction"), ("maxPerRow", "maxPerRow")):
            if panel.get(old):
                spec["repeat"][new] = panel[old]
    return {"kind": "GridLayoutItem", "spec": spec}


def _v2_element(panel: Mapping[str, Any]) -> dict[str, Any]:
    if panel.get("libraryPanel"):
        library = {key: panel["libraryPanel"].get(key, "") for key in ("name", "uid")}
        spec = {"id": panel.get("id"), "title": panel.get("title") or "", "libraryPanel": library}
        return {"kind": "LibraryPanel", "spec": spec}
    source = _dict(panel.get("datasource"))
    queries = [_v2_query(target, source) for target in map(_dict, _list(panel.get("targets")))]
    spec = {
        "id": panel.get("id"),
        "title": panel.get("title") or "",
        "description": panel.get("description") or "",
        "links": panel.get("links") or [],
        "data": {
            "kind": "QueryGroup",
            "spec": {
                "queries": queries,
                "transformations": [
                    _v2_transformation(item) for item in map(_dict, _list(panel.get("transformations")))
                ],
                "queryOptions": {key: panel[key] for key in QUERY_OPTIONS if panel.get(key) is not None},
            },
        },
        "vizConfig": {
            "kind": "VizConfig",
            "group": panel.get("type") or "",
            "version": panel.get("pluginVersion") or "",
            "spec": {
                "options": panel.get("options") or {},
                "fieldConfig": panel.get("fieldConfig") or {"defaults": {}, "overrides": []},
            },
        },
    }
    if panel.get("transparent"):
        spec["transparent"] = True
    return {"kind": "Panel", "spec": spec}


def _v2_transformation(item: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": str(item.get("id", "")), "spec": dict(item)}


def _v2_query(target: Mapping[str, Any], panel_source: Mapping[str, Any]) -> dict[str, Any]:
    spec = {key: value for key, value in target.items() if key not in ("refId", "hide", "datasource")}
    source = _dict(target.get("datasource")) or panel_source
    return {
        "kind": "PanelQuery",
        "spec": {
            "refId": target.get("refId", ""),
            "hidden": bool(target.get("hide")),
            "query": _v2_data_query(spec, source),
        },
    }


def _v2_data_query(spec: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
    query: dict[str, Any] = {"kind": "DataQuery", "group": source.get("type") or "", "version": "v0"}
    if source.get("uid"):
        query["datasource"] = {"name": source["uid"]}
    return {**query, "spec": dict(spec)}


def _v2_annotation(entry: Any) -> dict[str, Any]:
    entry = dict(_dict(entry))
    known = ("name", "enable", "hide", "iconColor", "filter", "mappings", "placement")
    spec: dict[str, Any] = {
        "name": "",
        "enable": True,
        "hide": False,
        "iconColor": "red",
        "builtIn": False,
        **{key: entry.pop(key) for key in known if key in entry},
    }
    if entry.pop("builtIn", 0):
        spec["builtIn"] = True
    source, target = _dict(entry.pop("datasource", None)), _dict(entry.pop("target", None))
    spec["query"] = _v2_data_query(target, source)
    entry.pop("type", None) if spec.get("builtIn") else None
    if entry:
        spec["legacyOptions"] = entry
    return {"kind": "AnnotationQuery", "spec": spec}


_COMMON = ("name", "label", "hide", "skipUrlSync", "description", "current")
_CHOICE = ("options", "multi", "includeAll", "allValue", "allowCustomValue")
_VARIABLE_KEYS = {
    "QueryVariable": (
        *(*_COMMON, *_CHOICE, "refresh", "regex", "regexApplyTo", "sort", "definition", "placeholder"),
        *("query", "staticOptions", "staticOptionsOrder"),
    ),
    "TextVariable": (*_COMMON, "query"),
    "ConstantVariable": (*_COMMON, "query"),
    "DatasourceVariable": (*_COMMON, *_CHOICE, "pluginId", "refresh", "regex"),
    "IntervalVariable": (*_COMMON, "query", "options", "auto", "auto_min", "auto_count", "refresh"),
    "CustomVariable": (*_COMMON, *_CHOICE, "query", "valuesFormat"),
    "GroupByVariable": (*_COMMON, "defaultValue", "options", "multi"),
    "AdhocVariable": (
        *("name", "label", "hide", "skipUrlSync", "description", "baseFilters", "filters"),
        *("defaultKeys", "allowCustomValue", "enableGroupBy"),
    ),
    "SwitchVariable": (*_COMMON, "enabledValue", "disabledValue"),
}
"""The keys of each kind of variable; the schema refuses others."""

_NO_LISTS = ("QueryVariable", "CustomVariable", "DatasourceVariable", "GroupByVariable")


def _v2_variable(entry: Any) -> dict[str, Any]:
    entry = dict(_dict(entry))
    kind = VARIABLES.get(str(entry.pop("type", "")), "CustomVariable")
    query, source = entry.pop("query", ""), _dict(entry.pop("datasource", None))
    spec: dict[str, Any] = {"name": "", "skipUrlSync": False, **entry}
    spec["hide"] = _word(HIDE, spec.get("hide"))
    if kind != "AdhocVariable" and kind != "SwitchVariable":
        spec["current"] = spec.get("current") or {"text": "", "value": ""}
    if kind in _NO_LISTS:
        spec = {"options": [], "multi": False, **spec}
    if kind in ("QueryVariable", "DatasourceVariable"):
        spec["refresh"] = _word(REFRESH, spec.get("refresh"))
    if kind == "IntervalVariable":
        spec = {"auto": False, "auto_min": "", "auto_count": 0, "options": [], **spec}
        spec["refresh"] = "onTimeRangeChanged"
    if kind == "QueryVariable":
        spec = {"includeAll": False, "allowCustomValue": True, "regex": "", **spec}
        spec["sort"] = _word(SORT, spec.get("sort"))
        inner = dict(query) if isinstance(query, dict) else {LEGACY: str(query)}
        spec["query"] = _v2_data_query(inner, source)
    elif kind == "DatasourceVariable":
        spec = {"includeAll": False, "allowCustomValue": True, "regex": "", **spec, "pluginId": query}
    elif kind not in ("AdhocVariable", "GroupByVariable"):
        spec["query"] = query if isinstance(query, str) else ""
        if kind == "CustomVariable":
            spec = {"includeAll": False, "allowCustomValue": True, **spec}
    spec = {key: value for key, value in spec.items() if key in _VARIABLE_KEYS[kind]}
    if kind in ("AdhocVariable", "GroupByVariable"):
        found = _v2_data_query({}, source)
        group: dict[str, Any] = {key: found[key] for key in ("group", "datasource") if key in found}
        keys = ("baseFilters", "filters", "defaultKeys") if kind == "AdhocVariable" else ()
        defaults: dict[str, Any] = {key: [] for key in keys}
        return {"kind": kind, **group, "spec": {**defaults, **spec}}
    return {"kind": kind, "spec": spec}


# --- values ------------------------------------------------------------------------------------------------


def _dict(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _int(value: Any) -> int:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0


def _has_id(element: Any) -> bool:
    return isinstance(_dict(_dict(element).get("spec")).get("id"), int)


def _word(words: tuple[str, ...], value: Any) -> str:
    return words[value] if isinstance(value, int) and 0 <= value < len(words) else words[0]
