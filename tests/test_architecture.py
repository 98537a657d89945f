"""Packages import only packages below them, and modules do not import each other in a circle (docs/design.md)."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "lokictl"

FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors", "lazy", "records"),
    ("diagnostics", "logql", "parallel"),
    ("durations", "reporting", "secrets"),
    ("http", "templates"),
    ("engine", "loki_api", "model"),
    ("backends", "grafana", "log_search", "project", "starter"),
    ("capacity", "conformance", "render", "ruler", "sample", "sync"),
    ("lint", "testing"),
    ("backtest", "checking", "upgrade"),
    ("cli",),
)
"""From the bottom up: a package imports packages of lower floors, and none of its own."""

FLOOR = {name: number for number, names in enumerate(FLOORS) for name in names}

CONTENT = ("services", "rules", "dashboards", "datasources", "stack")
FOR_CONTENT = (
    *("lokictl.durations", "lokictl.grafana", "lokictl.logql", "lokictl.model", "lokictl.sample"),
    # Objects that mount what is rendered: `stack/content.py`.
    *("lokictl.render.config_maps", "lokictl.render.names"),
)
"""The modules that content may import."""

FUNCTION_IMPORTS = 23
"""Imports inside functions, each with its reason. Lower this number when you remove one; never raise it."""


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(file): file for file in PACKAGE.rglob("*.py")}


def nodes(tree: ast.AST, *, typing: bool) -> Iterator[ast.AST]:
    """Every node of a module; without ``typing`` what only type checkers read is left out."""
    for child in ast.iter_child_nodes(tree):
        if not typing and isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for other in child.orelse:
                yield from (other, *nodes(other, typing=typing))
        else:
            yield child
            yield from nodes(child, typing=typing)


def imports(file: Path, *, typing: bool = True) -> Iterator[tuple[str, int]]:
    """Every module of ours that ``file`` imports, anywhere in it, with its line."""
    for node in nodes(ast.parse(file.read_text(encoding="utf-8")), typing=typing):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else node.module for name in inner]
        for name in dict.fromkeys(names):
            if name.split(".")[0] in ("lokictl", *CONTENT):
                yield name, node.lineno  # type: ignore[attr-defined]


def package(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


@pytest.mark.parametrize("name", FLOOR)
def test_imports_point_down(name: str) -> None:
    folder = PACKAGE / name
    files = list(folder.rglob("*.py")) if folder.is_dir() else [PACKAGE / f"{name}.py"]
    assert files
    wrong = []
    for file in files:
        for module, line in imports(file):
            target = package(module)
            if module.split(".")[0] in CONTENT:
                wrong.append(f"{file.relative_to(ROOT)}:{line} imports content: {module}")
            elif target not in ("", name) and FLOOR[target] >= FLOOR[name]:
                wrong.append(f"{file.relative_to(ROOT)}:{line} imports {module}, which is not below {name}")
    assert not wrong, "\n".join(wrong)


def test_every_package_has_a_floor() -> None:
    known = {path.stem for path in PACKAGE.iterdir() if path.is_dir() or path.suffix == ".py"}
    assert known - {"__init__", "__main__", "__pycache__", "py"} == set(FLOOR)


def test_the_design_shows_the_floors() -> None:
    text = (ROOT / "docs/design.md").read_text(encoding="utf-8")
    shown = {
        name: int(number)
        for name, number in re.findall(r"^  (\w+)(?:/|\.py) +layer (\d+)", text, re.MULTILINE)
    }
    assert shown == FLOOR


DESIGN_NAMES = sorted(set(re.findall(r"`(lokictl(?:\.\w+)+)`", (ROOT / "docs/design.md").read_text("utf-8"))))


@pytest.mark.parametrize("name", DESIGN_NAMES)
def test_the_design_names_what_exists(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    assert name in MODULES or hasattr(importlib.import_module(module), attribute)


def test_the_design_names_modules() -> None:
    assert len(DESIGN_NAMES) > 10


def test_the_design_gives_a_reason_for_every_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    wanted = {
        re.split(r"[<>=\[; ]", item)[0] for group in (project["dependencies"], *extras) for item in group
    }
    reasons = (ROOT / "docs/design.md").read_text("utf-8").partition("## Dependencies")[2]
    assert set(re.findall(r"`([\w-]+)`", reasons)) - {"charts"} == wanted


def circles() -> list[set[str]]:
    """The modules that reach each other by imports, at the top and in functions."""
    graph = {name: {target for target, _ in imports(file, typing=False)} for name, file in MODULES.items()}
    graph = {
        name: {target for target in targets & MODULES.keys() if target != name}
        for name, targets in graph.items()
    }
    reached: dict[str, set[str]] = {}
    for start in graph:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            new = graph[waiting.pop()] - seen
            seen |= new
            waiting += new
        reached[start] = seen
    found: list[set[str]] = []
    for name in sorted(graph):
        group = {other for other in reached[name] if name in reached[other]}
        if group and group not in found:
            found.append(group)
    return found


def test_no_circle_of_modules() -> None:
    assert circles() == []


def test_imports_are_at_the_top() -> None:
    """Ruff finds the others (PLC0415); these have a reason, and their number falls."""
    reasons = []
    for folder in (PACKAGE, *(ROOT / name for name in CONTENT)):
        for file in sorted(folder.rglob("*.py")):
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
                if "PLC0415" in line:
                    reasons.append((f"{file.relative_to(ROOT)}:{number}", line.partition("PLC0415")[2]))
    assert [place for place, reason in reasons if not re.fullmatch(r" - \w.{10,}", reason)] == []
    assert len(reasons) <= FUNCTION_IMPORTS
    assert len(reasons) == FUNCTION_IMPORTS, "fewer than before: lower FUNCTION_IMPORTS"


def test_the_language_imports_nothing_of_ours_but_the_lowest_floor() -> None:
    wrong = [
        f"{file.name}:{line} imports {module}"
        for file in (PACKAGE / "logql").rglob("*.py")
        for module, line in imports(file)
        if package(module) not in ("logql", *FLOORS[0], "")
    ]
    assert not wrong, "\n".join(wrong)


def test_dataclasses_are_those_that_cost_little() -> None:
    wrong = [
        f"{file.relative_to(ROOT)}:{node.lineno}"
        for file in PACKAGE.rglob("*.py")
        if file.name != "records.py"
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if (
            (isinstance(node, ast.ImportFrom) and node.module == "dataclasses")
            and any(alias.name == "dataclass" for alias in node.names)
        )
        or (isinstance(node, ast.Attribute) and ast.unparse(node) == "dataclasses.dataclass")
    ]
    assert not wrong, f"take `dataclass` from lokictl.records: {wrong}"


def test_the_engine_knows_no_rules_no_grafana_and_no_http() -> None:
    forbidden = ("model", "grafana", "ruler", "http", "loki_api")
    wrong = []
    for file in (PACKAGE / "engine").rglob("*.py"):
        wrong += [f"{file.name}:{line} imports {m}" for m, line in imports(file) if package(m) in forbidden]
        wrong += [
            f"{file.name} imports requests" for _ in range("import requests" in file.read_text("utf-8"))
        ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("folder", CONTENT)
def test_content_uses_modules_that_are_meant_for_it(folder: str) -> None:
    found = [(file, module, line) for file in (ROOT / folder).rglob("*.py") for module, line in imports(file)]
    own = [item for item in found if item[1].startswith("lokictl")]
    assert own
    wrong = [
        f"{file.relative_to(ROOT)}:{line} imports {module}"
        for file, module, line in own
        if not any(module == name or module.startswith(f"{name}.") for name in FOR_CONTENT)
    ]
    assert not wrong, "\n".join(wrong)
