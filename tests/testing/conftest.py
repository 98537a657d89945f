"""Test files written for a test, and a run of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lokictl.testing import Report, Suite, discover, run_tests

DATA = Path(__file__).parent / "data"

RULES = """\
groups:
  - name: web
    rules:
      - alert: ManyErrors
        expr: sum by (app) (count_over_time({app="web"} |= "error" [2m])) > 2
        for: 1m
        labels: {severity: page}
        annotations: {summary: "{{ $value }} errors"}
      - record: web:lines:count2m
        expr: sum by (app) (count_over_time({app="web"}[2m]))
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a test file beside ``rules.yaml`` (the rules above by default); gives its path."""

    def write_files(text: str, *, rules: str = RULES, name: str = "web_test.yaml") -> Path:
        (tmp_path / "rules.yaml").write_text(rules, encoding="utf-8")
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        return file

    return write_files


@pytest.fixture
def suite_of(write: Callable[..., Path]) -> Callable[..., Suite]:
    """The suite of one test: the lines below ``tests:`` of a file about ``rules.yaml``."""

    def suite(test: str, *, rules: str = RULES, head: str = "") -> Suite:
        indented = "".join(f"    {line}\n" if line else "\n" for line in test.strip("\n").split("\n"))
        text = f"rule_files: [rules.yaml]\n{head}tests:\n  - name: it\n{indented}"
        return discover([write(text, rules=rules)])

    return suite


@pytest.fixture
def run_one(suite_of: Callable[..., Suite]) -> Callable[..., Report]:
    """Runs one test; see ``suite_of``."""
    return lambda test, **options: run_tests(suite_of(test, **options))
