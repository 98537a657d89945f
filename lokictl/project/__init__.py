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

from typing import TYPE_CHECKING

from lokictl.lazy import lazy_names

if TYPE_CHECKING:
    from lokictl.project.configuration import Configuration, find_configuration
    from lokictl.project.loader import load
    from lokictl.project.objects import JsonDashboard, Project

# Commands that only look for a configuration do without the loader and all that it reads.
_MODULES = {
    "Configuration": "configuration",
    "JsonDashboard": "objects",
    "Project": "objects",
    "find_configuration": "configuration",
    "load": "loader",
}

__all__ = ["Configuration", "JsonDashboard", "Project", "find_configuration", "load"]

__getattr__ = lazy_names(__name__, _MODULES)
