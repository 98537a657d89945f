"""Samples of flat JSON lines that are read many at a time are those of the stages."""

from __future__ import annotations

import json
import random

import pytest

from lokictl.engine import Engine, EngineError, LogStore, extraction, flat_json
from lokictl.engine.flat_json import shape_of

T = 1_767_225_600_000_000_000
SECOND = 1_000_000_000

FILTERS = (
    "",
    "| n > 5",
    "| n >= 5 | n < 8",
    "| f <= 0.5",
    "| n != 3",
    '| level="error"',
    '| level!="error"',
    '| level=~"err.*|warn"',
    '| level="error" or n > 5',
    '| level="error", n > 5',
    "| s > 5",
    "| missing > 5",
    '| missing=""',
    '| job="a"',
    '| job_extracted="x"',
    "| n > 1s",
    "| n > 1KB",
    '| n="5"',
    '| ok="true"',
    '| __error__=""',
    '| __error__!=""',
    '| __error__="" | n > 5',
    '| n > 5 | __error__=""',
    '| __error__="" or n > 5',
    "| job > 5",
    '| job=~"a|x", n > 2',
)
SAMPLES = (
    'sum by ({by}) (count_over_time({{job=~".+"}} {line} | json {filter} [10s]))',
    'sum by ({by}) (rate({{job=~".+"}} {line} | json {filter} [10s]))',
    'sum by ({by}) (bytes_over_time({{job=~".+"}} {line} | json {filter} [10s]))',
    'sum(count_over_time({{job=~".+"}} {line} | json {filter} [10s]))',
    'sum by ({by}) (sum_over_time({{job=~".+"}} {line} | json {filter} | unwrap {value} [10s]))',
    'avg_over_time({{job=~".+"}} {line} | json {filter} | unwrap {value} | __error__="" [10s]) by ({by})',
    'quantile_over_time(0.9, {{job=~".+"}} {line} | json {filter} | unwrap {value} | __error__="" [10s]) by ({by})',
    'max_over_time({{job=~".+"}} {line} | json {filter} | unwrap duration({value}) | __error__="" [10s]) by ({by})',
    'max_over_time({{job=~".+"}} {line} | json {filter} | unwrap {value} | {value} > 3 [10s]) by ({by})',
    'max_over_time({{job=~".+"}} {line} | json {filter} | unwrap {value} [10s])',
    'count_over_time({{job=~".+"}} {line} | json {filter} [10s])',
)
BY = ("level", "level, ok", "n", "job", "missing", "f", "s, level", "job_extracted", "__error__")


def made_line(chance: random.Random) -> str:
    values = {
        "level": chance.choice(("error", "warn", "info", "", "é", 'q"uote', "tab\t")),
        "n": chance.choice((chance.randrange(12), chance.randrange(12), -3, 0, 10**17, "7", None, True, 1.5)),
        "f": chance.choice((0.5, 0.25, 1e-7, 1.0, -0.125, 1e22, 3, "x")),
        "s": chance.choice(("5", "6", "x", "", "7s", "2KB")),
        "ok": chance.choice((True, False, None)),
    }
    if chance.random() < 0.1:
        values["job"] = "x"
    if chance.random() < 0.05:
        values["__error__"] = chance.choice(("", "x"))
    if chance.random() < 0.05:
        values["nested"] = {"level": "error"}
    if chance.random() < 0.05:
        values["list"] = [1]
    names = list(values)
    if chance.random() < 0.2:
        chance.shuffle(names)
    names = [name for name in names if chance.random() < 0.97]
    text = json.dumps(
        {name: values[name] for name in names},
        separators=chance.choice(((",", ":"), (", ", ": "))),
        ensure_ascii=chance.random() < 0.5,
    )
    odd = chance.random()
    if odd < 0.02:
        return text[: chance.randrange(len(text) + 1)]
    if odd < 0.04:
        return text.replace("{", '{"level":"error",', 1)
    if odd < 0.06:
        return text + chance.choice((" ", "x", "\n", "{}"))
    if odd < 0.08:
        return text.replace("0.5", chance.choice(("0.50", "5e-1", "00.5", "-0", ".5")))
    return text


@pytest.mark.parametrize("seed", range(12))
def test_the_stages_agree(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr(flat_json, "CHUNK", chance.choice((3, 16, 256)))
    monkeypatch.setattr(flat_json, "MAX_KNOWN", chance.choice((2, 65_536)))
    lines = [made_line(chance) for _ in range(120)]
    if chance.random() < 0.5:
        # All of one shape: read as chunks.
        lines = [
            f'{{"level":"error","n":{chance.randrange(9)},"f":0.5,"s":"5","ok":true}}' for _ in range(100)
        ] + lines[:20]
    store = LogStore()
    for job in ("a", "b"):
        store.push({"job": job}, [(T + number * SECOND // 3, line) for number, line in enumerate(lines)])
    for _ in range(40):
        query = chance.choice(SAMPLES).format(
            by=chance.choice(BY),
            filter=" ".join(chance.choice(FILTERS) for _ in range(chance.randrange(3))),
            line=chance.choice(("", "", '|= "error"', '!= "warn"')),
            value=chance.choice(("n", "f", "s", "missing", "job")),
        )
        answers = []
        for few in (0, 1_000_000):
            monkeypatch.setattr(extraction, "FEW_LINES", few)
            try:
                result = Engine(store).query_range(query, start=T, end=T + 50 * SECOND, step=5 * SECOND)
                answers.append(json.dumps(result.to_loki(), sort_keys=True))
            except EngineError as error:
                answers.append(str(error))
        assert answers[0] == answers[1], query


FLAT = (
    '{"a":"x","n":1}',
    '{"a": "x", "n": -12.5, "t": true, "z": null}',
    '{"only":""}',
)
NOT_FLAT = (
    "",
    "{}",
    "[1]",
    '{"a":"x"',
    '{"a":"x"} ',
    '{"a":"x","a":"y"}',
    '{"a":"\\u0061"}',
    '{"a":{"b":1}}',
    '{"a":[1]}',
    '{"a":01}',
    '{"a":1e5}',
    '{"a":-0}',
    '{"a":1.50}',
    '{"a":tru}',
    '{"a.b":1}',
    '{"":1}',
    '{"a":"é"}',
    '{"a":1,}',
    '{"a" :1}',
    '{"a":1}\n',
)


@pytest.mark.parametrize("line", FLAT)
def test_flat_lines_match_their_shape(line: str) -> None:
    shape = shape_of(line.encode(), frozenset({"a", "n", "t", "z", "only"}))
    assert shape is not None
    assert shape.every.fullmatch(line.encode())
    assert shape.every.findall(line.encode())


@pytest.mark.parametrize("line", NOT_FLAT)
def test_other_lines_have_no_shape(line: str) -> None:
    assert shape_of(line.encode(), frozenset({"a"})) is None
