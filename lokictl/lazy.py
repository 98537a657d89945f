"""Modules that are imported when something of theirs is first used: `--help` of a command needs none of its work."""

from __future__ import annotations

import importlib
from typing import Any


class LazyModule:
    """Stands for a module; reading any of its names imports it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self._name), attribute)


def lazy(name: str) -> Any:
    """The module ``name``, not yet imported.  Under `TYPE_CHECKING` write the real import beside it."""
    return LazyModule(name)
