"""The arrows between the floors point down (see docs/design.md)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "lokictl"

FLOORS = {
    "errors": 0,
    "diagnostics": 0,
    "reporting": 0,
    "logql": 1,
    "durations": 1,
    "secrets": 1,
    "http": 1,
    "loki_api": 1,
    "engine": 2,
    "templates": 2,
    "model": 2,
    "grafana": 3,
    "backends": 3,
    "log_search": 3,
    "ruler": 3,
    "project": 3,
    "sample": 3,
    "starter": 3,
    "capacity": 4,
    "conformance": 4,
    "checking": 4,
    "lint": 4,
    "testing": 4,
    "upgrade": 4,
    "backtest": 4,
    "render": 4,
    "sync": 4,
    "cli": 5,
}
CONTENT = ("services", "rules", "dashboards", "datasources", "stack")
FORBIDDEN_FOR_CONTENT = ("lokictl.cli", "lokictl.sync")


def imports(file: Path) -> Iterator[tuple[str, int]]:
    """Every module of ours that ``file`` imports, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            continue
        for name in names:
            if name.split(".")[0] in ("lokictl", *CONTENT):
                yield name, node.lineno


def floor(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


@pytest.mark.parametrize("name", FLOORS)
def test_arrows_point_down(name: str) -> None:
    folder = PACKAGE / name
    files = folder.rglob("*.py") if folder.is_dir() else [PACKAGE / f"{name}.py"]
    wrong = []
    for file in files:
        for module, line in imports(file):
            target = floor(module)
            if target in FLOORS and target != name and FLOORS[target] > FLOORS[name]:
                wrong.append(f"{file.relative_to(ROOT)}:{line} imports {module}")
            if module.split(".")[0] in CONTENT:
                wrong.append(f"{file.relative_to(ROOT)}:{line} imports content: {module}")
    assert not wrong, "\n".join(wrong)


def test_every_package_has_a_floor() -> None:
    known = {path.stem for path in PACKAGE.iterdir() if path.is_dir() or path.suffix == ".py"}
    assert known - set(FLOORS) <= {"__init__", "__main__", "__pycache__", "py"}


def test_the_language_imports_nothing_of_ours_but_the_root_exception() -> None:
    wrong = [
        f"{file.name}:{line} imports {module}"
        for file in (PACKAGE / "logql").rglob("*.py")
        for module, line in imports(file)
        if floor(module) not in ("logql", "errors", "")
    ]
    assert not wrong, "\n".join(wrong)


def test_the_engine_knows_no_rules_no_grafana_and_no_http() -> None:
    wrong = []
    for file in (PACKAGE / "engine").rglob("*.py"):
        source = file.read_text(encoding="utf-8")
        wrong += [
            f"{file.name}:{line} imports {m}"
            for m, line in imports(file)
            if floor(m) in ("model", "grafana", "ruler")
        ]
        wrong += [f"{file.name} imports requests" for _ in range("import requests" in source)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", CONTENT)
def test_content_uses_public_modules_only(package: str) -> None:
    wrong = []
    for file in (ROOT / package).rglob("*.py"):
        for module, line in imports(file):
            private = any(part.startswith("_") for part in module.split(".") if part != "__init__")
            if module.startswith(FORBIDDEN_FOR_CONTENT) or private:
                wrong.append(f"{file.relative_to(ROOT)}:{line} imports {module}")
    assert not wrong, "\n".join(wrong)
