"""Several processes find what one finds, in the same order."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.lint import dashboard, rule_file
from lokictl.lint import lint
from lokictl.project import load

ROOT = Path(__file__).parents[2]
WRONG = """
groups:
  - name: a
    rules:
      - {alert: A, expr: 'sum(rate({a="b"} |= "x" [5m])) > 0'}
      - {alert: A, expr: 'sum(rate({a="b"} |= "x" [5m]) > 0'}
      - {alert: B, expr: 'rate({a=~".*"}[5m]) by (x) > 1', for: 5}
  - name: a
    rules:
      - {record: 'a:b', expr: '{a="b"} | json'}
"""


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    (tmp_path / "good.yaml").write_text(rule_file(60))
    for number in range(4):
        (tmp_path / f"wrong{number}.yaml").write_text(WRONG)
    for number in range(9):
        made = dashboard(number % 3)
        made["panels"][0]["targets"][0]["expr"] += " |"
        made["panels"][1]["gridPos"]["x"] = 20
        (tmp_path / f"d{number}.json").write_text(json.dumps(made))
    return [str(tmp_path)]


@pytest.mark.parametrize("jobs", [2, 3])
def test_files(files: list[str], jobs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    one = lint(files)
    assert len({finding.name for finding in one.findings}) > 5
    monkeypatch.setattr("lokictl.lint.runner.WORTH_A_PROCESS", 1)
    assert lint(files, jobs=jobs) == one


def test_the_content(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    project = load()
    one = lint(project)
    monkeypatch.setattr("lokictl.lint.runner.WORTH_A_PROCESS", 1)
    assert lint(project, jobs=2) == one


def test_examples_of_every_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    paths = ["examples", "tests/golden", "tests/data"]
    one = lint(paths)
    assert one.findings
    monkeypatch.setattr("lokictl.lint.runner.WORTH_A_PROCESS", 1)
    assert lint(paths, jobs=2) == one
