"""Pictures of a backtest: Vega-Lite specifications, drawn by `vl-convert-python` (the extra ``charts``).

Colors in pages are CSS variables, so that one picture serves light, dark and print: they are drawn in stand-in
colors, each of which is then replaced by its variable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from lokictl.backtest.outputs.report import Report, cells, duration, labels_text, ranked, time_text
from lokictl.backtest.results import Backtest, Headroom, RuleHistory, Stretch
from lokictl.backtest.series import Column
from lokictl.backtest.sweep import Setting, SweptAlert
from lokictl.diagnostics import LokictlError, Problem
from lokictl.durations import DAY, SECOND

WIDTH = 860
POINTS = 500
"""Points of a line: of each stretch of time the worst value is drawn."""
SERIES = 6
"""Lines of one picture: the series that came closest to the threshold, or farthest beyond it."""
OVERVIEW_CELLS = 860
OVERVIEW_ROWS = 40

# Stand-in colors that occur nowhere else, and the variables that replace them in pages.
VARIABLES = {
    "#010203": "--text",
    "#010204": "--quiet",
    "#010205": "--grid",
    "#010206": "--firing",
    "#010207": "--pending",
    "#010208": "--missing",
    "#010209": "--failed",
    "#01020a": "--line-1",
    "#01020b": "--line-2",
    "#01020c": "--line-3",
    "#01020d": "--line-4",
    "#01020e": "--line-5",
    "#01020f": "--line-6",
    "#010210": "--no-data",
}
STAND_INS = {variable: colour for colour, variable in VARIABLES.items()}
# What the variables are in pictures without style sheets (PNG): the light ones.
LIGHT = {
    "--text": "#1f2430",
    "--quiet": "#5f6675",
    "--grid": "#e3e6eb",
    "--firing": "#c62f2f",
    "--pending": "#e0a100",
    "--missing": "#2b7fb8",
    "--failed": "#8c3fb0",
    "--line-1": "#2459c4",
    "--line-2": "#00806a",
    "--line-3": "#a0529c",
    "--line-4": "#6b7a00",
    "--line-5": "#b4542a",
    "--line-6": "#4b4f9e",
    "--no-data": "#eef0f3",
}
LINES = [STAND_INS[f"--line-{number}"] for number in range(1, 7)]
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"


def check_library() -> None:
    """Raises `LokictlError` where the library that draws is not installed."""
    try:
        import vl_convert  # noqa: F401, PLC0415 - large, optional, and only pictures need it
    except ImportError:
        hint = "pip install 'lokictl[charts]'"
        problem = Problem("backtest/charts", "pictures need the package vl-convert-python", hint=hint)
        raise LokictlError(problem) from None


def svg(specification: dict[str, Any], title: str) -> str:
    """A picture for a page, with the page's colors; ``title`` is what a screen reader says."""
    import vl_convert  # noqa: PLC0415 - large, optional, and only pictures need it

    text: str = vl_convert.vegalite_to_svg(specification)
    for colour, variable in VARIABLES.items():
        text = re.sub(re.escape(colour), f"var({variable})", text, flags=re.IGNORECASE)
    text = re.sub(r"<title>.*?</title>|<desc>.*?</desc>", "", text, flags=re.DOTALL)
    text = re.sub(r' aria-(label|roledescription|hidden)="[^"]*"', "", text)
    text = re.sub(r' role="[^"]*"', "", text)
    size = re.search(r'<svg[^>]*? width="([\d.]+)" height="([\d.]+)"', text)
    if size is not None:
        text = text.replace(f' width="{size[1]}" height="{size[2]}"', f' style="max-width:{size[1]}px"', 1)
    return text.replace("<svg ", f'<svg role="img" aria-label="{_attribute(title)}" ', 1)


def png(specification: dict[str, Any], *, scale: float = 2.0) -> bytes:
    """A picture as a file, in light colors."""
    import vl_convert  # noqa: PLC0415 - large, optional, and only pictures need it

    found: bytes = vl_convert.vegalite_to_png(_in_light(specification), scale=scale)
    return found


def _in_light(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _in_light(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_in_light(item) for item in value]
    return LIGHT[VARIABLES[value]] if isinstance(value, str) and value in VARIABLES else value


def _attribute(text: str) -> str:
    return escape(text, quote=True)


def base(**more: Any) -> dict[str, Any]:
    """What all pictures share."""
    text, quiet, grid = (STAND_INS[name] for name in ("--text", "--quiet", "--grid"))
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": None,
        "padding": 4,
        "config": {
            "font": FONT,
            "view": {"stroke": None},
            "axis": {
                "labelColor": quiet,
                "titleColor": quiet,
                "titleFontWeight": "normal",
                "gridColor": grid,
                "domainColor": grid,
                "tickColor": grid,
                "labelFontSize": 11,
                "titleFontSize": 11,
            },
            "legend": {"labelColor": text, "titleColor": quiet, "labelLimit": 420, "labelFontSize": 11},
            "title": {"color": text, "fontSize": 13, "fontWeight": 600, "anchor": "start"},
            "text": {"color": text},
        },
        **more,
    }


def _time_axis(backtest: Backtest, **more: Any) -> dict[str, Any]:
    days = backtest.end - backtest.start >= 2 * DAY
    return {
        "field": "time",
        "type": "temporal",
        "title": None,
        "scale": {"type": "utc", "domain": [_iso(backtest.start), _iso(backtest.end)], "nice": False},
        "axis": {
            "format": "%-d %b" if days else "%H:%M",
            "grid": False,
            "labelOverlap": True,
            "tickCount": 10,
        },
        **more,
    }


def _iso(time: int) -> str:
    return datetime.fromtimestamp(time / SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- all alerts over time ----------------------------------------------------------------------------------


def overview(report: Report) -> dict[str, Any]:
    """All alerts over time, a row for each."""
    backtest = report.backtest
    histories = ranked(backtest)
    eventful = [one for one in histories if one.episodes or one.near_misses or one.failures or one.missing]
    if len(histories) > OVERVIEW_ROWS:
        histories = (eventful or histories)[:OVERVIEW_ROWS]
    rows = [row for history in histories for row in _bands(history, backtest)]
    names = [history.name for history in histories]
    states = {
        "firing": STAND_INS["--firing"],
        "pending": STAND_INS["--pending"],
        "failed": STAND_INS["--failed"],
        "not judged": STAND_INS["--missing"],
        "no data": STAND_INS["--no-data"],
    }
    used = [state for state in states if any(row["state"] == state for row in rows)] or ["firing"]
    order = {"type": "nominal", "sort": names, "title": None, "scale": {"domain": names}}
    place = {"field": "alert", **order}
    labels = {"labelLimit": 330, "domain": False, "ticks": False, "labelColor": STAND_INS["--text"]}
    axis = {**labels, "labelPadding": 10}
    rule = {
        "data": {
            "values": [
                {"alert": name, "pages": _pages(history)}
                for name, history in zip(names, histories, strict=True)
            ]
        },
        "mark": {"type": "text", "align": "left", "dx": WIDTH + 12, "x": 0, "fontSize": 11},
        "encoding": {"y": {**place, "axis": axis}, "text": {"field": "pages"}},
    }
    track = {
        "data": {
            "values": [
                {"alert": name, "time": _iso(backtest.start), "until": _iso(backtest.end)} for name in names
            ]
        },
        "mark": {"type": "bar", "height": 2, "color": STAND_INS["--grid"]},
        "encoding": {
            "y": {**place, "axis": axis},
            "x": _time_axis(backtest),
            "x2": {"field": "until"},
        },
    }
    bands = {
        "data": {"values": rows},
        "mark": {"type": "bar", "height": 14},
        "encoding": {
            "y": {**place, "axis": axis},
            "x": _time_axis(backtest),
            "x2": {"field": "until"},
            "color": {
                "field": "state",
                "type": "nominal",
                "scale": {"domain": used, "range": [states[state] for state in used]},
                "legend": {"orient": "top", "title": None, "symbolType": "square"},
            },
        },
    }
    title = {
        "text": "Backtest: all alerts over time",
        "subtitle": f"{time_text(backtest)}, {backtest.source}",
    }
    return base(
        title={**title, "subtitleColor": STAND_INS["--quiet"], "anchor": "start", "offset": 8},
        width=WIDTH,
        height={"step": 24},
        layer=[track, bands, rule],
    )


def overview_png(report: Report) -> bytes:
    """All alerts over time as a PNG file."""
    return png({**overview(report), "background": "white", "padding": 16})


def _pages(history: RuleHistory) -> str:
    pages = len(history.pages)
    if not pages:
        return ""
    return f"{pages} page{'s' * (pages != 1)}, {duration(history.time_firing)}"


def _bands(history: RuleHistory, backtest: Backtest) -> Iterator[dict[str, Any]]:
    """Stretches of one state, none too short to be seen."""
    found = cells(history, backtest.start, backtest.end, OVERVIEW_CELLS)
    length = backtest.end - backtest.start
    first = 0
    while first < len(found):
        last = first
        while last < len(found) and found[last] == found[first]:
            last += 1
        state = {"missing": "not judged"}.get(found[first], found[first])
        if state != "quiet":
            begin = backtest.start + first * length // OVERVIEW_CELLS
            until = backtest.start + last * length // OVERVIEW_CELLS
            yield {"alert": history.name, "state": state, "time": _iso(begin), "until": _iso(until)}
        first = last


# --- the value of one alert --------------------------------------------------------------------------------


def value_chart(history: RuleHistory, headroom: Headroom, backtest: Backtest) -> dict[str, Any]:
    """The value of one comparison over time, its threshold, and where the alert was pending and firing."""
    chosen = _closest(headroom)
    rows = [row for name, column in chosen for row in _points(name, column, history, headroom, backtest)]
    names = [name for name, _ in chosen]
    layers: list[dict[str, Any]] = [
        _band(history.pending, "--pending", backtest),
        _band(history.firing, "--firing", backtest),
        {
            "data": {"values": rows},
            "mark": {"type": "line", "strokeWidth": 1.3, "interpolate": "linear"},
            "encoding": {
                "x": _time_axis(backtest),
                "y": {
                    "field": "value",
                    "type": "quantitative",
                    "title": None,
                    "axis": {"format": "~s", "tickCount": 5},
                },
                "detail": {"field": "part"},
                "color": {
                    "field": "series",
                    "type": "nominal",
                    "scale": {"domain": names, "range": LINES[: len(names)]},
                    "legend": {"orient": "bottom", "title": None, "columns": 1} if names != [""] else None,
                },
            },
        },
        {
            "data": {"values": [{"threshold": headroom.threshold}]},
            "mark": {
                "type": "rule",
                "color": STAND_INS["--firing"],
                "strokeDash": [5, 4],
                "strokeWidth": 1.4,
            },
            "encoding": {"y": {"field": "threshold", "type": "quantitative"}},
        },
    ]
    return base(width=WIDTH, height=170, layer=layers)


def _band(stretches: Sequence[Stretch], variable: str, backtest: Backtest) -> dict[str, Any]:
    rows = [{"time": _iso(first), "until": _iso(last)} for first, last in stretches]
    return {
        "data": {"values": rows},
        "mark": {"type": "rect", "color": STAND_INS[variable], "opacity": 0.22},
        "encoding": {"x": _time_axis(backtest), "x2": {"field": "until"}},
    }


def _closest(headroom: Headroom) -> list[tuple[str, Column]]:
    """The series that came closest to the threshold, with their names."""
    below = headroom.operator in ("<", "<=")

    def worst(item: tuple[Any, Column]) -> float:
        numbers = [value for value in item[1].values if value == value]
        if not numbers:
            return float("inf")
        return min(numbers) if below else -max(numbers)

    ordered = sorted(headroom.values.series.items(), key=worst)
    return [(labels_text(labels), column) for labels, column in ordered[:SERIES]]


def _points(
    name: str, column: Column, history: RuleHistory, headroom: Headroom, backtest: Backtest
) -> Iterator[dict[str, Any]]:
    """Of each stretch of time the worst value; a new part of the line after a gap."""
    grid = history.grid
    width = max(grid.count // POINTS, 1)
    pick = min if headroom.operator in ("<", "<=") else max
    part, last = 0, None
    place = 0
    indexes, values = column.indexes, column.values
    while place < len(indexes):
        bucket = indexes[place] // width
        stop = place
        while stop < len(indexes) and indexes[stop] // width == bucket:
            stop += 1
        found = [value for value in values[place:stop] if value == value and abs(value) != float("inf")]
        if found:
            if last is not None and bucket > last + 1:
                part += 1
            last = bucket
            time = grid.time(bucket * width)
            if backtest.start <= time <= backtest.end:
                yield {"series": name, "part": f"{name} {part}", "time": _iso(time), "value": pick(found)}
        place = stop


# --- sweeps ------------------------------------------------------------------------------------------------


def sweep_chart(alert: SweptAlert) -> dict[str, Any]:
    """Pages per week, time in alert and near misses by setting; crossed ones as a map of pages per week."""
    if len(alert.axes) == 1:
        return _sweep_lines(alert)
    return _sweep_map(alert)


def _sweep_lines(alert: SweptAlert) -> dict[str, Any]:
    order = [one.texts[0] for one in alert.settings]
    panels = []
    for title, color, measure in (
        ("pages per week", "--firing", lambda one: one.history.pages_per_week),
        ("hours firing", "--line-1", lambda one: one.history.time_firing / 3600 / SECOND),
        ("near misses", "--pending", lambda one: float(len(one.history.near_misses))),
    ):
        rows = [
            {"setting": one.texts[0], "value": measure(one), "now": one.is_current} for one in alert.settings
        ]
        encoding = {
            "x": {
                "field": "setting",
                "type": "ordinal",
                "sort": order,
                "title": alert.axes[0].name,
                "axis": {"labelAngle": 0, "labelOverlap": True, "grid": False},
            },
            "y": {"field": "value", "type": "quantitative", "title": None, "axis": {"tickCount": 4}},
        }
        layers = [
            {
                "mark": {
                    "type": "line",
                    "interpolate": "monotone",
                    "color": STAND_INS[color],
                    "point": {"filled": True, "size": 28, "color": STAND_INS[color]},
                },
                "encoding": encoding,
            },
            {
                "transform": [{"filter": "datum.now"}],
                "mark": {"type": "point", "size": 130, "color": STAND_INS["--text"], "strokeWidth": 1.5},
                "encoding": encoding,
            },
        ]
        panels.append(
            {"title": title, "width": 240, "height": 130, "data": {"values": rows}, "layer": layers}
        )
    return base(hconcat=panels, spacing=24)


def _sweep_map(alert: SweptAlert) -> dict[str, Any]:
    first, second = alert.axes[0], alert.axes[1]
    rest = len(alert.axes) > 2
    most = max((one.history.pages_per_week for one in alert.settings), default=0) or 1
    rows = [
        {
            "x": one.texts[0],
            "y": one.texts[1],
            "z": ", ".join(one.texts[2:]),
            "share": one.history.pages_per_week / most,
            "text": f"{one.history.pages_per_week:.3g}",
            "now": one.is_current,
        }
        for one in alert.settings
    ]
    encoding = {
        "x": {
            "field": "x",
            "type": "ordinal",
            "sort": list(first.texts),
            "title": first.name,
            "axis": {"labelAngle": 0},
        },
        "y": {"field": "y", "type": "ordinal", "sort": list(second.texts), "title": second.name},
    }
    layers: list[dict[str, Any]] = [
        {
            "mark": {"type": "rect", "color": STAND_INS["--firing"], "cornerRadius": 2},
            "encoding": {
                **encoding,
                "opacity": {
                    "field": "share",
                    "type": "quantitative",
                    "scale": {"domain": [0, 1], "range": [0.06, 0.75]},
                    "legend": None,
                },
            },
        },
        {"mark": {"type": "text", "fontSize": 11}, "encoding": {**encoding, "text": {"field": "text"}}},
        {
            "transform": [{"filter": "datum.now"}],
            "mark": {"type": "rect", "filled": False, "stroke": STAND_INS["--text"], "strokeWidth": 1.5},
            "encoding": encoding,
        },
    ]
    size = {"width": {"step": 52}, "height": {"step": 30}}
    title = "pages per week"
    if rest:
        facet = {"field": "z", "type": "nominal", "title": alert.axes[2].name, "columns": 2}
        return base(title=title, data={"values": rows}, facet=facet, spec={**size, "layer": layers})
    return base(title=title, data={"values": rows}, layer=layers, **size)


def trade_off_chart(alert: SweptAlert) -> dict[str, Any]:
    """Each setting as a point: pages outside incidents, and the share of incidents caught."""
    best = alert.best
    rows = list(_trade_off_rows(alert.settings, best))
    encoding = {
        "x": {
            "field": "other",
            "type": "quantitative",
            "title": "pages that belong to no incident",
            "axis": {"tickMinStep": 1},
        },
        "y": {
            "field": "caught",
            "type": "quantitative",
            "title": "incidents caught",
            "scale": {"domain": [0, 1]},
            "axis": {"format": "%", "tickCount": 5},
        },
    }
    return base(
        width=560,
        height=220,
        data={"values": rows},
        layer=[
            {
                "mark": {"type": "line", "color": STAND_INS["--line-1"], "opacity": 0.5, "strokeWidth": 1.2},
                "encoding": {**encoding, "order": {"field": "place", "type": "quantitative"}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
                "encoding": {
                    **encoding,
                    "color": {
                        "field": "best",
                        "type": "nominal",
                        "scale": {
                            "domain": [False, True],
                            "range": [STAND_INS["--line-1"], STAND_INS["--line-2"]],
                        },
                        "legend": None,
                    },
                },
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 7, "dy": -7, "fontSize": 11},
                "encoding": {**encoding, "text": {"field": "label"}},
            },
        ],
    )


def _trade_off_rows(settings: Sequence[Setting], best: Setting | None) -> Iterator[dict[str, Any]]:
    """Settings that are in one place share a label: the first and the last of them."""
    places: dict[tuple[float, int], list[tuple[int, Setting]]] = {}
    for number, one in enumerate(settings):
        if one.score is not None:
            key = (one.score.recall or 0.0, one.score.other_pages)
            places.setdefault(key, []).append((number, one))
    for (caught, other), members in places.items():
        labels = [one.label for _, one in members]
        yield {
            "place": members[0][0],
            "caught": caught,
            "other": other,
            "label": labels[0] if len(labels) == 1 else f"{labels[0]} … {labels[-1]}",
            "best": any(one is best for _, one in members),
        }
