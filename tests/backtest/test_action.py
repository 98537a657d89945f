"""The GitHub action: a backtest becomes a summary and a comment."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
STEP = yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"][-1]

LOKICTL = """#!/bin/sh
printf '%s\\n' "$@" > "$RUNNER_TEMP/lokictl.arguments"
[ "$OUTCOME" = 2 ] || echo "### Backtest"
exit "$OUTCOME"
"""
GH = """#!/bin/sh
printf '%s\\n' "$@" > "$RUNNER_TEMP/gh.arguments"
exit "$GH_OUTCOME"
"""

CASES = {
    # outcome of lokictl, pull request, comment, outcome of gh -> posted, warned
    ("0", "7", "true", "0"): (True, False),
    ("1", "7", "true", "0"): (True, False),
    ("0", "7", "true", "1"): (True, True),
    ("0", "7", "false", "0"): (False, False),
    ("0", "", "true", "0"): (False, False),
    ("2", "7", "true", "0"): (False, False),
}


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not on PATH")
@pytest.mark.parametrize("case", CASES)
def test_a_backtest_is_posted(tmp_path: Path, case: tuple[str, str, str, str]) -> None:
    outcome, pull_request, comment, gh_outcome = case
    for name, text in (("lokictl/bin/lokictl", LOKICTL), ("bin/gh", GH)):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)
    environment = {
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "GITHUB_REPOSITORY": "owner/name",
        "LOKICTL_COMMAND": "backtest",
        "LOKICTL_PATHS": "rules/",
        "LOKICTL_ARGUMENTS": "--loki http://loki --since 7d",
        "LOKICTL_COMMENT": comment,
        "PULL_REQUEST": pull_request,
        "OUTCOME": outcome,
        "GH_OUTCOME": gh_outcome,
    }
    assert set(STEP["env"]) <= set(environment) | {"GH_TOKEN"}
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", STEP["run"]],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    posted, warned = CASES[case]
    assert done.returncode == int(outcome), done.stderr
    asked = (tmp_path / "lokictl.arguments").read_text().split()
    assert asked == ["backtest", "rules/", "--format", "markdown", "--loki", "http://loki", "--since", "7d"]
    assert (tmp_path / "gh.arguments").exists() is posted
    assert ("::warning::" in done.stdout) is warned
    if posted:
        assert "--body-file" in (tmp_path / "gh.arguments").read_text()
        assert "### Backtest" in (tmp_path / "summary.md").read_text()
