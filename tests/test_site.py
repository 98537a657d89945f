"""The documentation site: it builds without a warning, and the examples of its API page run."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs/api.md").read_text(), re.DOTALL)


@pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="mkdocs is not installed")
@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    page = re.sub(r"<[^>]+>", "", (tmp_path / "api/index.html").read_text(encoding="utf-8"))
    assert re.search(r"AlertingRule\(\s*alert", page), "the page does not say how to call a dataclass"


def test_the_api_page_has_examples() -> None:
    assert len(EXAMPLES) >= 3


@pytest.mark.parametrize("source", EXAMPLES, ids=[example.split("\n")[0] for example in EXAMPLES])
def test_the_examples_of_the_api_page_run(source: str) -> None:
    exec(compile(source, "docs/api.md", "exec"), {})
