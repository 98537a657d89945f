"""Which checks there are: every class that a family's package, or an installed package, lists in ``CHECKS``."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from lokictl.diagnostics import LokictlError, Problem
from lokictl.lazy import lazy
from lokictl.lint.interface import Check

if TYPE_CHECKING:
    from importlib import metadata
else:
    metadata = lazy("importlib.metadata")

FAMILIES = ("logql", "rule", "dashboard", "datasource", "managed", "stack", "live")

READING = {
    "file/unreadable": "a file that cannot be read, or is not UTF-8 text",
    "yaml/syntax": "text that is not YAML",
    "yaml/duplicate-key": "a key that is defined twice",
    "json/syntax": "text that is not JSON",
    "rule/syntax": "a rule file in which something essential is missing or of the wrong kind",
    "rule/unknown-key": "a key that Loki does not know: it refuses the file",
    "lint/suppression": "a suppressing comment without a reason, or for a check that does not exist",
    "lint/unused-suppression": "a suppressing comment that suppresses nothing",
    "lint/skipped": "a file that was left out, and why",
}
"""Names of findings that come from reading the files, before any check runs."""


ENTRY_POINTS = "lokictl.checks"
"""The group under which other packages register modules with a tuple ``CHECKS``."""

METADATA = (".dist-info", ".egg-info", ".egg")
"""How the names of folders end that say what an installed package registers."""


@cache
def all_checks() -> dict[str, type[Check]]:
    """Name -> class of every check: ours in the order of the families, then those of installed packages.

    Raises `LokictlError` for a package whose checks cannot be loaded.
    """
    found: dict[str, type[Check]] = {}
    for family in FAMILIES:
        _add(importlib.import_module(f"lokictl.lint.{family}").CHECKS, found, f"lokictl.lint.{family}")
    installed = metadata.entry_points(group=ENTRY_POINTS) if may_be_registered(ENTRY_POINTS) else ()
    for entry in sorted(installed, key=lambda item: item.name):
        try:
            _add(entry.load().CHECKS, found, entry.value)
        except Exception as error:
            message = f"cannot load the checks of {entry.value}: {type(error).__name__}: {error}"
            hint = (
                f'the entry point "{entry.name}" of the group {ENTRY_POINTS} is a module with a tuple CHECKS'
            )
            raise LokictlError(Problem("lint/plugin", message, hint=hint)) from error
    return found


def may_be_registered(group: str) -> bool:
    """Whether a package on ``sys.path`` may register something under ``group``.

    That none does is the rule, and `importlib.metadata` takes long to say so.
    """
    for folder in map(Path, sys.path):
        if not folder.is_dir():
            if folder.exists():
                return True  # an archive
            continue
        with os.scandir(folder) as entries:
            found = [Path(entry.path) for entry in entries if entry.name.endswith(METADATA)]
        if any(_names_group(path, group) for path in found):
            return True
    return False


def _names_group(metadata: Path, group: str) -> bool:
    inner = "EGG-INFO" if metadata.suffix == ".egg" else ""
    try:
        return group.encode() in (metadata / inner / "entry_points.txt").read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return False


def _add(checks: Iterable[type[Check]], found: dict[str, type[Check]], source: str) -> None:
    for check in checks:
        if check.name in found:
            raise ValueError(f"{source} has a second check called {check.name}")
        if "/" not in check.name:
            raise ValueError(f"the check {check.name} of {source} has no family: call it family/{check.name}")
        found[check.name] = check


def families() -> list[str]:
    """The families of all checks, ours first."""
    return list(dict.fromkeys([*FAMILIES, *(name.partition("/")[0] for name in all_checks())]))


def known_names() -> list[str]:
    """Every name that a finding can have."""
    return [*all_checks(), *READING]


def matches(name: str, pattern: str) -> bool:
    """Whether ``pattern`` (``logql/syntax``, ``logql/*``, ``logql``, ``*``) means the check called ``name``."""
    return pattern in ("*", "all", name) or pattern.removesuffix("/*") == name.partition("/")[0]
