"""The declared dependencies: what is imported is declared, and the lock satisfies every range."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKED = {
    canonicalize_name(name): version
    for name, version in re.findall(
        r"^([\w.-]+)==([^\s;\\]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE
    )
}


def requirements() -> Iterator[Requirement]:
    """Every requirement of the project: its own, those of its extras and of its dependency groups."""
    project = PROJECT["project"]
    groups = [
        project["dependencies"],
        *project.get("optional-dependencies", {}).values(),
        *PROJECT["dependency-groups"].values(),
    ]
    for group in groups:
        for text in group:
            if isinstance(text, str) and not text.startswith("lokictl"):
                yield Requirement(text)


@pytest.mark.parametrize("requirement", sorted(set(requirements()), key=str), ids=str)
def test_the_lock_satisfies(requirement: Requirement) -> None:
    name = canonicalize_name(requirement.name)
    assert name in LOCKED, f"{name} is not in requirements.lock: run `make lock`"
    assert requirement.specifier.contains(LOCKED[name], prereleases=True)


def imported_packages(folder: str) -> set[str]:
    """The top-level modules that the files below ``folder`` import, wherever in the file."""
    found = set()
    for file in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names


OWN = {"lokictl", "services", "rules", "dashboards", "datasources", "stack", "tests", "pytest", "_pytest"}


def test_what_is_imported_is_declared_and_the_other_way_round() -> None:
    declared = {
        canonicalize_name(Requirement(text).name)
        for texts in [
            PROJECT["project"]["dependencies"],
            *PROJECT["project"].get("optional-dependencies", {}).values(),
        ]
        for text in texts
    }
    distributions = packages_distributions()
    imported = {
        canonicalize_name(distribution)
        for module in imported_packages("lokictl") - OWN
        for distribution in distributions.get(module, [module])[:1]
    }
    assert imported == declared


ACTIONS = sorted(
    {
        (file.name, use)
        for file in [*(ROOT / ".github/workflows").glob("*.yml"), ROOT / "action.yml"]
        for use in re.findall(r"uses: (\S+)", file.read_text())
    }
)


@pytest.mark.parametrize("file, use", ACTIONS)
def test_actions_are_pinned_by_hash(file: str, use: str) -> None:
    assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", use), f"{file}: pin {use} to a commit"
