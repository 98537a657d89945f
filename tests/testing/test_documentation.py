"""What docs/testing.md shows is what happens."""

from __future__ import annotations

import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from lokictl.testing import Suite, discover, run_mutations, run_tests
from lokictl.testing.reports import failure_text, mutation_text
from lokictl.testing.schema import schema

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "testing.md").read_text(encoding="utf-8")
RULES, TESTS = (re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL))[:2]
SHOWN = re.findall(r"```\n((?:FAIL|changes) .*?)\n```", TEXT, re.DOTALL)


def suite(folder: Path, rules: str, monkeypatch: pytest.MonkeyPatch) -> Suite:
    (folder / "api-rules.yaml").write_text(rules)
    (folder / "api_test.yaml").write_text(TESTS)
    monkeypatch.chdir(folder)
    return discover(["api_test.yaml"])


def test_the_example_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = suite(tmp_path, RULES, monkeypatch)
    assert run_tests(found).passed
    assert mutation_text(run_mutations(found)).partition(", in ")[0] == SHOWN[1].partition(", in ")[0]


def test_the_failure_looks_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report = run_tests(suite(tmp_path, RULES.replace(">= 3", "> 3"), monkeypatch))
    assert failure_text(report.results[0]).rstrip() == SHOWN[0]


def parts() -> list[tuple[str, str]]:
    """(key of a test, YAML) of the pieces that show one part of the format."""
    found = re.findall(r"```yaml\n((input_streams|\w+_test):\n.*?)```", TEXT, re.DOTALL)
    return [(name, text) for text, name in found]


@pytest.mark.parametrize("name, text", parts(), ids=[name for name, _ in parts()])
def test_the_pieces_fit_the_schema(name: str, text: str) -> None:
    jsonschema.validate({"tests": [yaml.safe_load(text)]}, schema())


def test_every_key_is_explained() -> None:
    keys = {
        key
        for definition in (schema(), *schema()["definitions"].values())
        for key in definition.get("properties", {})
    }
    assert sorted(key for key in keys if key not in TEXT) == []


def test_action_and_hooks_name_commands_that_exist() -> None:
    from lokictl.cli.main import COMMANDS

    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert {hook["entry"].split()[1] for hook in hooks} <= set(COMMANDS)
    action = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    assert action["inputs"]["command"]["default"] in COMMANDS
    # Inputs must not be pasted into the script.
    assert all("inputs." not in step.get("run", "") for step in action["runs"]["steps"])
