"""The JSON Schema of the test format."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any


def schema_text(name: str = "test") -> str:
    """The schema's text, as shipped; ``name`` is "test"."""
    if name != "test":
        raise ValueError(f"there is no schema {name!r}")
    return (files("lokictl.testing") / "schema.json").read_text(encoding="utf-8")


def schema(name: str = "test") -> dict[str, Any]:
    """The schema as a dictionary."""
    value = json.loads(schema_text(name))
    assert isinstance(value, dict)
    return value
