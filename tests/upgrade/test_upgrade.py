"""``lokictl upgrade``, and the table of behaviors that it reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lokictl.engine import Engine, LogStore
from lokictl.logql.units import quote
from lokictl.logql.versions import BEHAVIORS, DEFAULT, FIRST, MAIN, NEWEST_PATCH, LokiVersion, changed
from lokictl.upgrade.page import page
from lokictl.upgrade.spellings import alternatives

Lokictl = Callable[..., Any]

RULES = """groups:
  - name: g
    rules:
      - alert: A
        expr: {}
"""


def test_names_of_behaviors_are_unique_and_strings_are_sentences() -> None:
    names = [behavior.name for behavior in BEHAVIORS]
    assert len(set(names)) == len(names)
    assert BEHAVIORS
    for behavior in BEHAVIORS:
        for text in (behavior.what, behavior.otherwise):
            assert text.endswith(".")
            # Each is shown without the other: before or after, in an upgrade or in a downgrade.
            assert text.partition(" ")[0] not in ("It", "They", "Such", "Its", "This")
        assert behavior.source


def test_a_version_is_read_from_text() -> None:
    assert LokiVersion.parse("3.4") == LokiVersion(3, 4, NEWEST_PATCH[3, 4])
    assert LokiVersion.parse("v3.4.2") == LokiVersion(3, 4, 2)
    assert LokiVersion.parse("main") == MAIN
    assert FIRST < DEFAULT < MAIN
    assert not changed(DEFAULT, DEFAULT)


def test_the_page_in_the_docs_is_the_table() -> None:
    written = Path(__file__).parent.parent.parent / "docs" / "versions.md"
    assert written.read_text(encoding="utf-8") == page()


@pytest.mark.parametrize(
    "query, old, new, says",
    [
        ('count_over_time({a="b"}[5m]) > 1', "3.1", "3.2", "window-end"),
        ('count_over_time({a="b"}[5m]) > 1', "3.2", "3.8", ""),
        ('{a="b"} | json', "3.6", "3.7", "metadata-first"),
        ('rate_counter({a="b"} | logfmt | unwrap x [5m])', "3.8", "main", "rate-counter-units"),
        ('rate({a="b"}[5m])', "3.8", "main", ""),
        ('0 < rate({a="b"}[5m])', "2.9", "3.0", "number-on-the-left"),
    ],
)
def test_what_changes_is_found(
    tmp_path: Path, lokictl: Lokictl, query: str, old: str, new: str, says: str
) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(RULES.format(json.dumps(query)))
    answer = lokictl("upgrade", "--from", old, "--to", new, "--format", "json", str(file))
    found = [change.get("behavior") for change in json.loads(answer.output)["changes"]]
    assert (says in found) if says else not found
    assert answer.status == (3 if says else 0)


def test_functions_of_alert_templates(tmp_path: Path, lokictl: Lokictl) -> None:
    file = tmp_path / "rules.yaml"
    template = "        annotations: {summary: '{{ urlQueryEscape \"a b\" }}'}\n"
    file.write_text(RULES.format('rate({a="b"}[5m])') + template)
    later = lokictl("upgrade", "--from", "3.5", "--to", "3.6", str(file))
    assert 'Loki 3.5 refuses the rule: function "urlQueryEscape" not defined' in later.output
    assert "works only afterwards" in later.output
    back = lokictl("upgrade", "--from", "3.6", "--to", "3.5", str(file))
    assert back.status == 3
    assert "rules.yaml:6:" in back.output


@pytest.mark.parametrize(
    "old, new, setting, says",
    [
        ("3.1", "3.2", "query_offset: 1m", "Loki 3.1 refuses the file: field query_offset not found"),
        ("3.4", "3.5", "labels: {a: b}", "Loki 3.4 refuses the file: field labels not found"),
        (
            "3.5",
            "3.6",
            "rules: [{record: a-b, expr: vector(1)}]",
            "Loki 3.6 refuses the rule: invalid recording rule",
        ),
        ("3.4", "3.6", "rules: [{record: a-b, expr: vector(1)}]", ""),
    ],
)
def test_what_a_rule_file_may_have(
    tmp_path: Path, lokictl: Lokictl, old: str, new: str, setting: str, says: str
) -> None:
    file = tmp_path / "rules.yaml"
    rules = "" if setting.startswith("rules") else "    rules: [{alert: A, expr: vector(1)}]\n"
    file.write_text(f"groups:\n  - name: a\n    {setting}\n{rules}")
    answer = lokictl("upgrade", "--from", old, "--to", new, str(file))
    assert (says in answer.output) if says else "refuses" not in answer.output
    assert answer.status == (3 if f"Loki {new} refuses" in says else 0)


def test_patch_releases_are_told_apart(tmp_path: Path, lokictl: Lokictl) -> None:
    file = tmp_path / "q.logql"
    file.write_text('{a="b"} | logfmt | level=~"`.*`"')
    answer = lokictl("upgrade", "--from", "3.6.4", "--to", "3.6.5", str(file))
    assert answer.status == 3
    assert "1 change from Loki 3.6.4 to 3.6.5" in answer.output
    assert lokictl("upgrade", "--from", "3.6.5", "--to", "3.6.12", str(file)).status == 0


def test_refused_and_newly_accepted_queries(tmp_path: Path, lokictl: Lokictl) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(RULES.format(json.dumps('count_over_time({a="b"} |= "x" or "y" [5m]) > 1')))
    later = lokictl("upgrade", "--from", "2.9", "--to", "3.0", str(file))
    assert "Loki 2.9 refuses it" in later.output
    back = lokictl("upgrade", "--from", "3.0", "--to", "2.9", str(file))
    assert back.status == 3
    assert "Loki 2.9 refuses it" in back.output
    assert "rules.yaml:5:" in back.output


def test_exact_repairs_are_written(tmp_path: Path, lokictl: Lokictl) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(RULES.format("max(rate({a='b'}[5m])) without () > 0".replace("'", '"')))
    lokictl("upgrade", "--from", "2.9", "--to", "3.8", "--fix", "--no-tests", str(file))
    assert 'expr: max(rate({a="b"}[5m])) > 0\n' in file.read_text()
    file.write_text(RULES.format('max without () (rate({a="b"}[5m]))'))
    lokictl("upgrade", "--from", "2.9", "--to", "3.8", "--fix", "--no-tests", str(file))
    assert 'expr: max (rate({a="b"}[5m]))\n' in file.read_text()
    file.write_text(RULES.format('max(rate({a="b"}[5m])) without ()'))
    lokictl("upgrade", "--from", "2.9", "--to", "3.8", "--fix", "--no-tests", str(file))
    assert 'expr: max(rate({a="b"}[5m]))\n' in file.read_text()


@pytest.mark.parametrize(
    "query, older",
    [
        ('{a="b"} |= "x" or "y.z"', '{a="b"} |~ "x|y\\\\.z"'),
        ('{a="b"} |= "x" or "y" |= "u" or "v"', '{a="b"} |~ "x|y" |~ "u|v"'),
        ('{a="b"} |> "<_>x"', ""),
    ],
)
def test_a_downgrade_is_respelled_where_the_meaning_stays(
    tmp_path: Path, lokictl: Lokictl, query: str, older: str
) -> None:
    file = tmp_path / "q.logql"
    file.write_text(query)
    lokictl("upgrade", "--from", "3.0", "--to", "2.9", "--fix", str(file))
    assert file.read_text() == (older or query)


@pytest.mark.parametrize(
    "query, old, new, better",
    [
        ('{a="b"} |~ "x|y"', "2.9", "3.0", '|= "x" or "y"'),
        ('{a="b"} |~ "(?:x|y\\\\.z)"', "2.9", "3.8", '|= "x" or "y.z"'),
        ('{a="b"} |~ "x.|y"', "2.9", "3.0", ""),
        ('{a="b"} |~ "x|"', "2.9", "3.0", ""),
        ('{a="b"} |~ "(?i)x|y"', "2.9", "3.0", ""),
        (r'{a="b"} |~ `x\d|y`', "2.9", "3.0", ""),
        ('{a="b"} !~ "x|y"', "2.9", "3.0", ""),
        ('{a="b"} |~ "x|y"', "3.0", "3.8", ""),
        ('{a="b"} | logfmt | size > 2000TB', "3.8", "main", "size > 2PB"),
        ('{a="b"} | logfmt | size > 2TB', "3.8", "main", ""),
    ],
)
def test_new_and_better_spelling(
    tmp_path: Path, lokictl: Lokictl, query: str, old: str, new: str, better: str
) -> None:
    file = tmp_path / "q.logql"
    file.write_text(query)
    answer = lokictl("upgrade", "--from", old, "--to", new, "--format", "json", str(file))
    found = [change for change in json.loads(answer.output)["changes"] if "spelling" in change["kind"]]
    assert [change["places"][0]["note"].rpartition("→  ")[2] for change in found] == (
        [better] if better else []
    )
    assert answer.status == 0


PATTERNS = ("x|y", "(x|yz)", "(?:x|y\\.z)", "a b|c", "x\\||y")
LINES = ("x", "y", "yz", "y.z", "y-z", "a b", "x|", "X", "", "c")


@pytest.mark.parametrize("pattern", PATTERNS)
def test_both_spellings_find_the_same_lines(pattern: str) -> None:
    store = LogStore()
    store.push({"a": "b"}, [(second * 1_000_000_000, line) for second, line in enumerate(LINES, 1)])
    texts = alternatives(pattern)
    assert texts
    found = []
    for spelled in (f"|~ {quote(pattern)}", "|= " + " or ".join(map(quote, texts))):
        found.append(Engine(store).query_range('{a="b"} ' + spelled, start=0, end=10**12).to_loki()["result"])
    assert found[0] == found[1] != []


def test_rule_tests_run_under_both_versions(tmp_path: Path, lokictl: Lokictl) -> None:
    (tmp_path / "rules.yaml").write_text(RULES.format(json.dumps('sum(count_over_time({a="b"}[2m])) > 1')))
    (tmp_path / "edge_test.yaml").write_text(
        "rule_files: [rules.yaml]\n"
        "tests:\n"
        "  - name: edge\n"
        "    input_streams: [{labels: {a: b}, entries: [{at: 1m, line: x}, {at: 2m, line: y}]}]\n"
        "    alert_rule_test: [{eval_time: 2m, alertname: A, exp_alerts: [{}]}]\n"
    )
    answer = lokictl("upgrade", "--from", "3.1", "--to", "3.2", str(tmp_path))
    assert "the test fails on Loki 3.1 and passes on 3.2" in answer.output
    assert "edge" in answer.output
