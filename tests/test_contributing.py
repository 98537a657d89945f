"""docs/contributing/: what the pages say is enough, and the files they name exist."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PAGES = ROOT / "docs/contributing"
CONTENT = ("services", "rules", "dashboards", "datasources", "stack")
STEP = re.compile(
    r"\*\*`(?P<path>[\w/.-]+)`\*\*\n\n(?P<fence>`{3,})(?P<language>\w+)\n(?P<block>.*?)(?P=fence)", re.DOTALL
)


def text_of(page: str) -> str:
    return (PAGES / page).read_text(encoding="utf-8")


def changed(text: str, diff: str) -> str:
    """``text`` with the change that a page shows: each run of ``-`` lines becomes the ``+`` lines after it."""
    for found in re.finditer(r"((?:^-.*\n)+)((?:^\+.*\n)+)", diff, re.MULTILINE):
        old, new = (re.sub(r"^[-+]", "", part, flags=re.MULTILINE) for part in found.groups())
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def apply(page: str, root: Path) -> list[str]:
    """Does what a page says below ``root``; the files that it writes or changes."""
    files = []
    for step in STEP.finditer(text_of(page)):
        file = root / step["path"]
        file.write_text(
            changed(file.read_text(), step["block"]) if step["language"] == "diff" else step["block"]
        )
        files.append(step["path"])
    for command in re.findall(r"^(sed .* > ([\w/.-]+))$", text_of(page), re.MULTILINE):
        subprocess.run(command[0], shell=True, check=True, cwd=root)
        files.append(command[1])
    return files


def file_table(page: str) -> list[str]:
    """The files of the page's table."""
    return re.findall(r"^\| `([\w/.-]+)` \|", text_of(page), re.MULTILINE)


def copy(folder: Path) -> None:
    """This project, as far as its content and the tests of its rules go."""
    for name in (*CONTENT, "tests/rules", "docs/runbooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)


def run(folder: Path, *command: str) -> str:
    """What a command says in a project; the modules of its content are its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def with_orbit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This project with the service that the page adds, checked and rendered."""
    folder = tmp_path_factory.mktemp("orbit")
    copy(folder)
    page = "add-a-service.md"
    assert sorted(apply(page, folder)) == sorted(file_table(page))
    assert "5 services" in run(folder, "-m", "lokictl", "check")
    return folder


@pytest.mark.slow
def test_a_fifth_service_is_its_own_files_and_one_list(with_orbit: Path) -> None:
    build = with_orbit / "build"
    loki = yaml.safe_load((build / "stack/loki/loki.yaml").read_text())["limits_config"]
    # The shortest retention is the default, and the others are named.
    assert loki["retention_period"] == "336h"
    assert {'{service="ryot"}', '{service="agents"}'} <= {
        item["selector"] for item in loki["retention_stream"]
    }
    assert 'loki.process "orbit"' in (build / "stack/alloy/config.alloy").read_text()
    jobs = yaml.safe_load((build / "stack/promtail/promtail.yaml").read_text())["scrape_configs"]
    assert "orbit" in {job["job_name"] for job in jobs}
    rules = yaml.safe_load((build / "rules/neurectomy/orbit.yaml").read_text())
    assert len(rules["groups"][0]["rules"]) == 4
    for name in ("overview", "platform-storage", "orbit"):
        (file,) = (build / "grafana/provisioning/dashboards").rglob(f"neurectomy-{name}.json")
        assert "orbit" in file.read_text().lower(), name
    assert "orbit" in run(with_orbit, "-m", "lokictl", "capacity")
    assert '"service":"orbit"' in run(
        with_orbit, "-m", "lokictl", "sample", "--service", "orbit", "--since", "5m"
    )


# The rest of the tests of the content hold for a fifth service, too: none counts to four.
CONTENT_TESTS = (
    *("tests/content/test_services.py", "tests/content/test_rules.py"),
    *("tests/stack/test_capacity.py", "tests/stack/test_pipeline.py"),
)


@pytest.mark.slow
def test_no_test_of_the_content_counts_to_four(with_orbit: Path) -> None:
    for name in ("tests", "docs"):
        shutil.copytree(
            ROOT / name,
            with_orbit / name,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("__pycache__", "testdata"),
        )
    said = run(with_orbit, "-m", "pytest", "-q", "-p", "no:cacheprovider", *CONTENT_TESTS)
    assert " passed" in said


def package(folder: Path) -> None:
    """A copy of the package, its pages and the linter's tests."""
    for name in ("lokictl", "docs/checks", "tests/lint"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("tests/__init__.py", "pyproject.toml", "tests/conftest.py"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, folder / name)


@pytest.mark.slow
def test_a_check_is_four_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = "add-a-check.md"
    package(tmp_path)
    assert sorted(apply(page, tmp_path)) == sorted(file_table(page))
    assert len(file_table(page)) <= 4
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    said = run(tmp_path, "-m", "lokictl", "explain", "logql/count-of-count")
    assert "Where the number of streams is meant." in said
    tests = ("tests/lint/test_logql.py", "tests/lint/test_pages.py")
    assert " passed" in run(
        tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "count-of-count", *tests
    )
    assert " passed" in run(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "every", *tests)


TRIMMED = """
from lokictl import logql
from lokictl.engine import Engine, LogStore

query = '{a="b"} | trim | line_format "<{{ __line__ }}>"'
assert str(logql.parse('{a="b"} | trim')) == '{a="b"} | trim'
store = LogStore()
store.push({"a": "b"}, [(1_000, "  x  ")])
result = Engine(store).query_range(query, start=0, end=2_000, step=1_000).to_loki()
assert result["result"][0]["values"][0][1] == "<x>", result
"""


@pytest.mark.slow
def test_a_stage_is_six_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = "add-a-stage.md"
    package(tmp_path)
    shutil.copytree(ROOT / "tests/logql", tmp_path / "tests/logql")
    assert sorted(apply(page, tmp_path)) == sorted(file_table(page))
    assert len(file_table(page)) <= 6
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    run(tmp_path, "-m", "lokictl.logql.lalr")
    run(tmp_path, "-c", TRIMMED)
    tests = ("tests/logql/test_semantics.py", "tests/logql/test_parser_tables.py")
    assert " passed" in run(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)


# page: (the most files, what is copied beside the package, the tests that hold afterwards)
RECIPES: dict[str, tuple[int, tuple[str, ...], tuple[str, ...]]] = {
    "add-a-panel.md": (
        3,
        ("tests/grafana",),
        ("tests/grafana/test_blocks.py", "-k", "panels_are_valid or nothing_overlaps"),
    ),
    "add-a-log-format.md": (
        3,
        ("tests/model", "docs"),
        ("tests/model/test_log_formats.py", "-k", "pipes or cri"),
    ),
    "add-an-output.md": (3, (), ("tests/lint/test_command.py", "-k", "test_formats")),
    "add-a-command.md": (
        3,
        ("tests/cli",),
        ("tests/cli/test_objectives.py", "tests/cli/test_main.py", "-k", "objectives or nothing_heavy"),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("page", RECIPES)
def test_a_recipe_is_enough(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    most, beside, tests = RECIPES[page]
    package(tmp_path)
    for name in beside:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored, dirs_exist_ok=True)
    assert sorted(apply(page, tmp_path)) == sorted(file_table(page))
    assert len(file_table(page)) <= most
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    assert " passed" in run(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)


@pytest.mark.parametrize("page", sorted(path.name for path in PAGES.glob("*.md")))
def test_files_that_a_page_names_exist(page: str) -> None:
    text = text_of(page)
    written = {
        *(step["path"] for step in STEP.finditer(text)),
        *re.findall(r"^sed .* > ([\w/.-]+)$", text, re.MULTILINE),
    }
    named = set(re.findall(r"`((?:lokictl|services|rules|dashboards|stack|tests|docs)/[\w/.-]+)`", text))
    assert named
    for path in named - written:
        assert (ROOT / path).exists(), path
