"""Tells the pages of the Python API which classes are dataclasses, so that they show how to call them."""

from __future__ import annotations

from typing import Any

import griffe


class Dataclasses(griffe.Extension):
    """`lokictl.records` makes the dataclasses of the standard library."""

    def on_alias_instance(self, *, alias: griffe.Alias, **_: Any) -> None:
        """Called for each import of a module."""
        if alias.target_path == "lokictl.records.dataclass":
            alias.target_path = "dataclasses.dataclass"
