"""Settings, path patterns and baselines."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lokictl.diagnostics import LokictlError, Severity
from lokictl.lint import Settings, lint, lint_text, settings_from
from lokictl.lint.baseline import read_baseline, without_baseline, write_baseline
from lokictl.lint.configuration import parse_version, path_matches
from lokictl.lint.pages import listing, page
from lokictl.lint.registry import all_checks
from lokictl.project.configuration import find_configuration

NEVER = 'groups:\n  - name: g\n    rules:\n      - alert: A\n        expr: sum(count_over_time({app="a"}[5m])) == 0\n'


def settings(folder: Path, table: str) -> Settings:
    (folder / "lokictl.toml").write_text(table, encoding="utf-8")
    return settings_from(find_configuration(folder))


SELECTIONS = [
    ({}, "logql/never-true", True),
    ({}, "rule/missing-for", False),
    ({"enable": ("rule/missing-for",)}, "rule/missing-for", True),
    ({"enable": ("rule",)}, "rule/missing-for", True),
    ({"select": ("rule",)}, "logql/never-true", False),
    ({"select": ("rule",)}, "rule/missing-for", False),
    ({"select": ("rule/missing-for",)}, "rule/missing-for", True),
    ({"select": ("logql/*",)}, "logql/never-true", True),
    ({"ignore": ("logql",)}, "logql/never-true", False),
    ({"select": ("*",), "ignore": ("logql/never-true",)}, "logql/never-true", False),
    ({"checks": {"logql/never-true": {"enabled": False}}}, "logql/never-true", False),
    ({"checks": {"rule/missing-for": {"enabled": True}}}, "rule/missing-for", True),
]


@pytest.mark.parametrize("options, name, runs", SELECTIONS)
def test_what_runs(options: dict[str, object], name: str, runs: bool) -> None:
    assert Settings(**options).runs(all_checks()[name]) is runs  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "path, pattern, fits",
    [
        ("rules/a.yaml", "rules", True),
        ("rules/a.yaml", "rules/", True),
        ("rules/a.yaml", "./rules/a.yaml", True),
        ("rules/a.yaml", "*.yaml", True),
        ("rules/old/a.yaml", "rules/**/a.yaml", True),
        ("rules/a.yaml", "rules/**/a.yaml", True),
        ("rulesets/a.yaml", "rules", False),
        ("rules/a.yaml", "*.json", False),
    ],
)
def test_path_patterns(path: str, pattern: str, fits: bool) -> None:
    assert path_matches(path, pattern) is fits


def test_all_tables(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        '[lint]\nselect = ["rule", "logql"]\nignore = ["rule/for"]\nenable = ["rule/missing-for"]\n'
        'loki-version = "2.9"\ninterval = "30s"\nbaseline = "base.json"\nexclude = ["old"]\n'
        '[lint.checks."rule/name"]\npattern = "[A-Z].*"\nseverity = "error"\n'
        '[lint.paths."legacy"]\nignore = ["*"]\n',
    )
    assert found.loki_version == (2, 9)
    assert found.interval == 30_000_000_000
    assert found.baseline == "base.json"
    assert found.excluded(str(tmp_path / "old" / "x.yaml"))
    assert not found.shows("rule/name", str(tmp_path / "legacy" / "x.yaml"))
    assert found.shows("rule/name", str(tmp_path / "rules" / "x.yaml"))
    text = NEVER.replace("alert: A", "alert: a")
    (name,) = [item for item in lint_text(text, "rules.yaml", found).findings if item.name == "rule/name"]
    assert name.severity == Severity.ERROR


WRONG = [
    ('[lint]\nselct = ["rule"]\n', 'unknown key "selct"', 'did you mean "select"?'),
    ('[lint]\nselect = ["rules"]\n', 'unknown check "rules"', ""),
    ('[lint]\nignore = ["logql/never-tru"]\n', "unknown check", "logql/never-true"),
    ("[lint]\nselect = 5\n", "must be a list of strings", ""),
    ('[lint]\nloki-version = "new"\n', "not a version", ""),
    ('[lint]\ninterval = "soon"\n', "interval", ""),
    ('[lint.checks."rule/nam"]\n', "unknown check", "rule/name"),
    ('[lint.checks."rule/name"]\npatern = "x"\n', "no setting", "pattern"),
    ('[lint.checks."rule/name"]\npattern = 5\n', "must be a string", ""),
    ('[lint.checks."rule/name"]\nseverity = "bad"\n', "severity of rule/name", ""),
    ('[lint.checks."rule/name"]\nenabled = "yes"\n', "true or false", ""),
    ('[lint.paths."x"]\nselect = ["rule"]\n', "unknown key", ""),
    ('[lint.paths."x"]\nignore = ["nothing"]\n', "unknown check", ""),
]


@pytest.mark.parametrize("table, message, hint", WRONG)
def test_wrong_settings(table: str, message: str, hint: str, tmp_path: Path) -> None:
    with pytest.raises(LokictlError) as caught:
        settings(tmp_path, table)
    (problem,) = caught.value.problems
    assert message in problem.message
    assert hint in problem.hint
    assert problem.position.line > 0


def test_all_wrong_settings_are_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(LokictlError) as caught:
        settings(tmp_path, "".join(table for table, _, _ in WRONG[5:8]))
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize("text, version", [("3.4", (3, 4)), ("v2.9.10", (2, 9))])
def test_versions(text: str, version: tuple[int, int]) -> None:
    assert parse_version(text) == version


def test_a_baseline_passes_over_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(NEVER, encoding="utf-8")
    baseline = tmp_path / "base.json"
    old = lint([str(file)]).findings
    assert write_baseline(baseline, old) == len(old) > 0
    # Lines move, and one more rule comes.
    file.write_text("# moved\n\n" + NEVER + NEVER.split("rules:\n")[1].replace("alert: A", "alert: B"))
    new = lint([str(file)]).findings
    kept, stale = without_baseline(new, read_baseline(baseline), tmp_path)
    assert {item.item for item in kept} == {"alert B"}
    assert stale == 0
    file.write_text(NEVER.replace("== 0", "> 5"))
    kept, stale = without_baseline(lint([str(file)]).findings, read_baseline(baseline), tmp_path)
    assert kept == []
    assert stale == 1


@pytest.mark.parametrize("text", ["", "[]", '{"findings": [{}]}'])
def test_what_is_not_a_baseline(text: str, tmp_path: Path) -> None:
    (tmp_path / "base.json").write_text(text)
    with pytest.raises(LokictlError, match="not a baseline file"):
        read_baseline(tmp_path / "base.json")
    with pytest.raises(LokictlError, match="cannot read"):
        read_baseline(tmp_path / "nowhere.json")


def test_a_baseline_is_plain_json(tmp_path: Path) -> None:
    write_baseline(tmp_path / "base.json", lint(run_file(tmp_path)).findings)
    value = json.loads((tmp_path / "base.json").read_text(encoding="utf-8"))
    assert value["version"] == 1
    assert {entry["file"] for entry in value["findings"]} == {"rules.yaml"}


def run_file(folder: Path) -> list[str]:
    (folder / "rules.yaml").write_text(NEVER, encoding="utf-8")
    return [str(folder / "rules.yaml")]


PLUGIN = '''
from lokictl.diagnostics import Severity
from lokictl.lint.interface import QueryCheck


class NoProduction(QueryCheck):
    """Production is looked at elsewhere."""

    name = "acme/no-production"
    severity = Severity.WARNING
    summary = "a query of production"

    def check(self, query):
        if 'env="prod"' in query.text:
            yield self.finding(query.place(), "this asks production")


CHECKS = (NoProduction,)
'''


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installed package with a check; its module can be changed before the checks are loaded."""
    info = tmp_path / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[lokictl.checks]\nacme = acme_checks\n")
    (tmp_path / "acme_checks.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(str(tmp_path))
    all_checks.cache_clear()
    yield tmp_path / "acme_checks.py"
    all_checks.cache_clear()
    sys.modules.pop("acme_checks", None)


def test_an_installed_package_adds_checks(plugin: Path) -> None:
    text = 'sum(rate({app="a", env="prod"}[5m]))'
    assert [item.message for item in lint_text(text, "q.logql", Settings(select=("acme",))).findings] == [
        "this asks production"
    ]
    assert "acme/no-production" in listing("acme")
    assert "Production is looked at elsewhere." in page("acme/no-production")
    assert lint_text(text, "q.logql", Settings(ignore=("acme/no-production",))).findings == ()


def test_the_check_in_the_documentation_works(plugin: Path) -> None:
    text = (Path(__file__).parents[2] / "docs/linting.md").read_text(encoding="utf-8")
    example = text.partition("## Checks of your own")[2].partition("```python\n")[2].partition("```")[0]
    plugin.write_text(example)
    names = {
        'sum(rate({app="a"}[5m]))': ["acme/namespace"],
        'sum(rate({app="a", namespace="b"}[5m]))': [],
    }
    for query, expected in names.items():
        findings = lint_text(query, "q.logql", Settings(select=("acme",))).findings
        assert [item.name for item in findings] == expected
    assert "read the logs of all environments" in page("acme/namespace")


def test_a_package_whose_checks_cannot_be_loaded_is_named(plugin: Path) -> None:
    plugin.write_text("raise RuntimeError('no')")
    with pytest.raises(LokictlError, match="cannot load the checks of acme_checks: RuntimeError: no"):
        all_checks()


def test_two_checks_of_one_name_are_refused(plugin: Path) -> None:
    plugin.write_text(PLUGIN.replace("acme/no-production", "logql/syntax"))
    with pytest.raises(LokictlError, match="a second check called logql/syntax"):
        all_checks()
