"""The small examples of the table of behaviors: asked of the embedded engine, or of a running Loki."""

from __future__ import annotations

import json
import time as clock
from typing import TYPE_CHECKING, Any

from lokictl.durations import SECOND
from lokictl.engine import Engine, EngineError, LogStore
from lokictl.logql.errors import LogQLError
from lokictl.logql.versions import MAIN, NEWEST_PATCH, Behavior, Example, LokiVersion

if TYPE_CHECKING:
    from lokictl.backends.http import LokiClient

NOON = 1_767_268_800 * SECOND
"""When the lines of an example begin."""
VERSIONS = (*(LokiVersion(*minor, patch) for minor, patch in NEWEST_PATCH.items()), MAIN)
"""The newest patch release of every minor version, and main."""
WAIT_SECONDS = 10.0


_TRACE = (("trace.id", "7"),)
_MORE = {
    "or-filters": Example('{app="shop"} |= "card" or "cash"', ("card", "cash", "other")),
    "pattern-filters": Example('{app="shop"} |> "<_> refused <_>"', ("card refused twice", "card paid")),
    "any-case": Example('SUM(COUNT_OVER_TIME({app="shop"} [1m]))', ("one",)),
    "negative-numbers": Example('{app="shop"} | logfmt | x > -1', ("x=1", "x=-5")),
    "petabytes": Example('{app="shop"} | logfmt | size > 1PB', ("size=2PB",)),
    "no-binary-after-blank": Example('{app="shop"} | logfmt | x > 0b1', ("x=1",)),
    "filter-numbers-checked": Example('{app="shop"} | logfmt | x > 0x10', ("x=1",)),
    "variants": Example('variants(count_over_time({app="shop"} [1m])) of ({app="shop"} [1m])', ("one",)),
    "label-replace-of-a-number": Example('label_replace(1, "a", "$1", "b", "(.*)")'),
    "no-instant-log-queries": Example('{app="shop"}', ("one",), instant=True),
    "metadata-tells-apart": Example(
        '{app="shop"}',
        ("one", "one"),
        spacing=0,
        each_metadata=((("user", "ann"),), (("user", "bob"),)),
    ),
    "metadata-names-cleaned": Example(
        'sum by (trace_id) (count_over_time({app="shop"} [1m]))', ("one",), metadata=_TRACE
    ),
    "metadata-names-cleaned-in-log-queries": Example(
        '{app="shop"} | trace_id="7"', ("one",), metadata=_TRACE
    ),
    "metadata-names-are-ascii": Example('{app="shop"} | pr_f="7"', ("one",), metadata=(("prüf", "7"),)),
    "metadata-names-collapse": Example('{app="shop"}', ("one",), metadata=(("a..b", "7"),)),
    "metadata-as-it-is": Example('{app="shop"}', ("one",), metadata=(("said", '"hi"'),)),
    "queries-run-as-parsed": Example(
        'sum by (app) (rate({app="shop"} [1m])) > on (app) group_left () '
        '(sum by (app) (rate({app="shop"} [1m])) / 2)',
        ("one",),
    ),
    "short-group-names": Example('{app="shop"} | regexp "(?<word>[a-z]+)"', ("one",)),
    "short-group-names-in-line-filters": Example('{app="shop"} |~ "(?<word>o)ne"', ("one",)),
    "bare-regex-errors": Example('{app=~"a("}'),
    "group-names-cleaned": Example('{app="shop"} | regexp "(?P<2nd>.)"', ("one",)),
    "broken-values-kept": Example('{app="shop"} | logfmt', ("a=x\ufffdy",)),
    "empty-keys-skipped": Example('{app="shop"} | json', ('{"user":{"":1}}',)),
    "flag-of-functions": Example('{app="shop"} | json --strict'),
    "dot-matches-newline": Example('{app=~"shop.one"}', ("one",), labels=(("app", "shop\none"),)),
    "first-byte-folds": Example('{app="shop"} |~ "(?i)рив"', ("ПРИВЕТ",)),
    "fewer-level-boundaries": Example('{app="shop"}', ("12:00|warning|no card",), detect_levels=True),
}
"""Examples of behaviors that have none in the table, by their names."""


def example_of(behavior: Behavior) -> Example | None:
    """The small example that shows a behavior; None where there is none."""
    return behavior.example or _MORE.get(behavior.name)


def before(version: LokiVersion) -> LokiVersion:
    """The newest known version that is older."""
    return max((other for other in VERSIONS if other < version), default=version)


def versions_of(behavior: Behavior) -> tuple[LokiVersion, LokiVersion]:
    """The last version before a behavior changed, and the first one after."""
    changed = (
        behavior.until if behavior.until is not None and behavior.since <= VERSIONS[0] else behavior.since
    )
    return before(changed), changed


# --- lines -----------------------------------------------------------------------------------------------------------


def _entries(example: Example) -> list[tuple[int, str, dict[str, str]]]:
    return [
        (NOON + index * example.spacing * SECOND, line, example.metadata_of(index))
        for index, line in enumerate(example.lines)
    ]


def _last(example: Example) -> int:
    """The time (ns) at which a query about the lines is asked."""
    seconds = max(len(example.lines) - 1, 0) * example.spacing + example.later
    return NOON + seconds * SECOND


def _reads_lines(example: Example) -> bool:
    return example.query.startswith("{") and not example.instant


# --- the embedded engine ---------------------------------------------------------------------------------------------


def example_answers(behavior: Behavior, version: LokiVersion) -> str:
    """What a version answers to the example of a behavior, on one line."""
    example = example_of(behavior)
    assert example is not None
    store = LogStore(version=version, discover_log_levels=example.detect_levels)
    if example.lines:
        store.push(dict(example.labels), _entries(example))
    engine = Engine(store, version=version)
    last = _last(example)
    try:
        if _reads_lines(example):
            answer = engine.query_range(example.query, start=NOON - SECOND, end=last + 1, direction="forward")
        else:
            answer = engine.query(example.query, time=last)
        return shown(answer.to_loki())
    except (LogQLError, EngineError) as error:
        return _refused(str(error))


# --- a running Loki --------------------------------------------------------------------------------------------------


def real_answers(behavior: Behavior, client: LokiClient) -> str:
    """What the Loki of ``client`` answers, which keeps the lines for the client's tenant.

    The tenant must have no other lines.  Raises `BackendError` where Loki cannot be reached.
    """
    example = example_of(behavior)
    assert example is not None
    if example.lines:
        values = [
            [str(time), line, *([metadata] if metadata else [])] for time, line, metadata in _entries(example)
        ]
        answer = client.push([{"stream": dict(example.labels), "values": values}])
        if not answer.ok:
            raise client.unexpected(answer, "given the lines of an example")
        client.flush()
        _wait(client, example)
    last = _last(example)
    if _reads_lines(example):
        asked = {"start": str(NOON - SECOND), "end": str(last + 1), "direction": "forward", "limit": "100"}
        found = client.request("GET", "/loki/api/v1/query_range", query={"query": example.query} | asked)
    else:
        found = client.request("GET", "/loki/api/v1/query", query={"query": example.query, "time": str(last)})
    return shown(found.json()["data"]) if found.ok else _refused(found.text())


def _wait(client: LokiClient, example: Example) -> None:
    """Waits until the lines of an example can be queried."""
    selector = "{" + ", ".join(f"{name}={_quoted(value)}" for name, value in example.labels) + "}"
    asked = {"query": selector, "start": str(NOON - SECOND), "end": str(_last(example) + SECOND)}
    deadline = clock.monotonic() + WAIT_SECONDS
    while clock.monotonic() < deadline:
        found = client.request("GET", "/loki/api/v1/query_range", query=asked)
        if found.ok and found.json()["data"]["result"]:
            return
        clock.sleep(0.1)


# --- text ------------------------------------------------------------------------------------------------------------


def shown(answer: dict[str, Any]) -> str:
    """An answer of Loki's query API on one line; series and streams are sorted by their labels."""
    result, kind = answer["result"], answer["resultType"]
    if kind == "scalar":
        return _number(result[1])
    if kind == "streams":
        ordered = sorted(result, key=lambda stream: _labels(stream["stream"]))
        parts = [
            f"{_labels(stream['stream'])} " + ", ".join(_quoted(value[1]) for value in stream["values"])
            for stream in ordered
        ]
        return "; ".join(parts) or "no lines"
    values = [(_labels(item["metric"]), item["value"][1]) for item in result]
    return "; ".join(f"{labels} {_number(value)}" for labels, value in sorted(values)) or "nothing"


def _number(value: str) -> str:
    """A value without the digits that differ from machine to machine."""
    return f"{float(value):.12g}"


def _labels(labels: dict[str, str]) -> str:
    return "{" + ", ".join(f"{name}={_quoted(labels[name])}" for name in sorted(labels)) + "}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _refused(text: str) -> str:
    """The first line of an error."""
    return f"error: {text.strip().split(chr(10))[0]}"


__all__ = ["VERSIONS", "before", "example_answers", "example_of", "real_answers", "shown", "versions_of"]
