"""`lokictl render`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

RULES = "groups:\n  - name: g\n    rules:\n      - {record: a, expr: '1'}\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A content project with a dashboard and a rule file."""
    root = tmp_path / "shop"
    files = {
        "lokictl.toml": 'name = "shop"\ntenant = "demo"\n',
        "rules/shop.yaml": RULES,
        "dashboards/orders.json": json.dumps({"uid": "orders", "title": "Orders", "panels": []}),
    }
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


def test_everything(lokictl: Callable[..., Any], shop: Path) -> None:
    answer = lokictl("render", "--project", str(shop))
    assert answer.status == 0
    assert f"files to {shop / 'build'}" in answer.output
    assert (shop / "build/rules/demo/shop.yaml").read_text().startswith("groups:\n")
    assert (shop / "build/grafana/provisioning/dashboards/shop/orders.json").is_file()
    assert (shop / "build/helm/shop/Chart.yaml").is_file()


@pytest.mark.parametrize("what", [("--what", "rules,grafana"), ("--what", "rules", "--what", "grafana")])
def test_some(lokictl: Callable[..., Any], shop: Path, tmp_path: Path, what: tuple[str, ...]) -> None:
    out = tmp_path / "out"
    answer = lokictl("render", "--project", str(shop), "-o", str(out), *what)
    assert answer.status == 0
    assert {path.name for path in out.iterdir() if path.is_dir()} == {"rules", "grafana"}


def test_json_and_quiet(lokictl: Callable[..., Any], shop: Path) -> None:
    data = json.loads(lokictl("render", "--project", str(shop), "--what", "rules", "--format", "json").output)
    assert data == {
        "output": str(shop / "build"),
        "files": [str(shop / "build/rules/demo/shop.yaml")],
        "notes": [],
    }
    assert lokictl("render", "--project", str(shop), "-q").output == ""


def test_notes_go_to_the_error_output(lokictl: Callable[..., Any], shop: Path) -> None:
    board = {"uid": "orders", "title": "Orders", "description": "x" * 300_000}
    (shop / "dashboards/orders.json").write_text(json.dumps(board))
    answer = lokictl("render", "--project", str(shop), "-q")
    assert answer.status == 0
    assert "kubectl apply --server-side" in answer.error


@pytest.mark.parametrize(
    "options, message",
    [
        (("--what", "helmet"), 'unknown output "helmet"'),
        (("--what", "stack"), 'the project has nothing for "stack"'),
        (("--grafana-version", "latest"), '"latest" is not a version of Grafana'),
        (("-o", "lokictl.toml"), "is a file"),
    ],
)
def test_wrong_use(
    lokictl: Callable[..., Any],
    shop: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(shop)
    answer = lokictl("render", *options)
    assert answer.status == 2
    assert message in answer.error


def test_problems_of_the_content_have_a_place(lokictl: Callable[..., Any], shop: Path) -> None:
    (shop / "dashboards/orders.json").write_text(json.dumps({"uid": "orders", "panels": [], "title": ""}))
    answer = lokictl("render", "--project", str(shop))
    assert answer.status == 2
    assert "dashboards/orders.json" in answer.error
    assert "without title" in answer.error


def test_help_has_an_example(lokictl: Callable[..., Any]) -> None:
    text = lokictl("render", "--help").output
    assert "lokictl render -o build --what grafana,rules --grafana-version 11.6" in text
