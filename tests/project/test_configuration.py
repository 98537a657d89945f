"""Where a project is found, and what its configuration may say."""

from __future__ import annotations

from pathlib import Path

import pytest

from lokictl.diagnostics import LokictlError
from lokictl.project import find_configuration


def test_the_nearest_configuration_above_counts(write_project, monkeypatch) -> None:
    root = write_project({"lokictl.toml": "", "rules/x/y.py": ""})
    monkeypatch.chdir(root / "rules" / "x")
    found = find_configuration()
    assert (found.root, found.file) == (root, root / "lokictl.toml")
    assert found["rules"] == "rules"
    assert found.table("lint") == {}


def test_pyproject_counts_only_with_our_table(write_project) -> None:
    root = write_project(
        {
            "pyproject.toml": '[tool.lokictl]\nrules = ["a", "b"]\n[tool.lokictl.targets.staging]\nloki = "u"\n',
            "a/x.py": "",
            "b/x.py": "",
            "below/pyproject.toml": "[tool.other]\n",
        }
    )
    found = find_configuration()
    assert found.root == root
    assert found.folders("rules") == ["a", "b"]
    assert found.table("targets") == {"staging": {"loki": "u"}}
    assert found.position("targets", "staging").line == 3


def test_a_folder_without_configuration_counts_when_it_is_named(write_project) -> None:
    root = write_project({"rules/x.py": ""})
    assert find_configuration(root).file is None


CASES = {
    "unknown key": (
        'rulez = "rules"\n',
        ["lokictl.toml:1:1", 'unknown key "rulez"', 'did you mean "rules"?'],
    ),
    "unknown key, nothing near": ("xyzzy = 1\n", ["unknown key", "known keys: services, rules"]),
    "missing folder": ('name = "n"\nrules = "nope"\n', ["lokictl.toml:2:1", "nope, which does not exist"]),
    "wrong type": ("rules = 3\n", ['"rules" must be a folder or a list of folders']),
    "table as text": ('lint = "no"\n', ['"lint" must be a table']),
    "text as table": ("[build]\n", ['"build" must be a string', "lokictl.toml:1:1"]),
    "not TOML": ("name = \n", ["lokictl.toml:1:8", "not valid TOML"]),
    "not TOML at its end": ("name = [\n", ["lokictl.toml:1:1", "not valid TOML"]),
}


@pytest.mark.parametrize("case", CASES)
def test_bad_configurations(case: str, write_project) -> None:
    text, expected = CASES[case]
    write_project({"lokictl.toml": text})
    with pytest.raises(LokictlError) as caught:
        find_configuration()
    shown = "\n".join(f"{p.position} {p.message} {p.hint}" for p in caught.value.problems)
    assert [part for part in expected if part not in shown] == [], shown


def test_all_problems_are_reported_together(write_project) -> None:
    write_project({"lokictl.toml": 'rulez = 1\nrules = "nope"\ntests = 4\n'})
    with pytest.raises(LokictlError) as caught:
        find_configuration()
    assert [problem.position.line for problem in caught.value.problems] == [1, 2, 3]


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_no_project(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(LokictlError, match=r"directory not found|does not contain a content project"):
        find_configuration(tmp_path / name)
