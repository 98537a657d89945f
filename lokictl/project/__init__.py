"""Finds and loads a content project: Python modules, rule files and dashboard files, found by a configuration.

A content project is a folder with a ``lokictl.toml``, or a ``pyproject.toml`` that has ``[tool.lokictl]``.  The
configuration names folders (each with its default): ``services``, ``rules``, ``dashboards``, ``datasources``,
``tests``.  In those folders

* every module-level object counts that has the right type (`Service`, `RuleGroup` or `RuleFile`, a dashboard,
  `DataSource`), alone or in a list, tuple or dictionary; names that begin with ``_`` are private;
* ``rules/*.yaml`` are rule files, ``dashboards/*.json`` are dashboards, ``datasources/*.yaml`` are Grafana
  provisioning files;
* the namespace of a `RuleGroup` is the name of its module.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from lokictl.project.configuration import Configuration, find_configuration

if TYPE_CHECKING:
    from lokictl.project.loader import JsonDashboard, Project, load

__all__ = ["Configuration", "JsonDashboard", "Project", "find_configuration", "load"]


def __getattr__(name: str) -> Any:
    # Commands that only look for a configuration do without the loader and all that it reads.
    if name not in ("JsonDashboard", "Project", "load"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module("lokictl.project.loader"), name)
    globals()[name] = value
    return value
