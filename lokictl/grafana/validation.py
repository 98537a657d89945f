"""Whether a dashboard's JSON is one that Grafana 9 to 13 takes and shows: a JSON Schema of our own."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files
from typing import Any

from lokictl.diagnostics import Position, Problem


@lru_cache(maxsize=1)
def schema() -> dict[str, Any]:
    """The JSON Schema of dashboards."""
    data: dict[str, Any] = json.loads(
        (files(__package__) / "schema" / "dashboard.json").read_text(encoding="utf-8")
    )
    return data


@lru_cache(maxsize=1)
def _validator() -> Any:
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - slow to import, and only schemas need it

    return Draft202012Validator(schema())


def validate(dashboard: dict[str, Any], *, file: str = "") -> list[Problem]:
    """What the schema says against a dashboard, in the order of its JSON; empty when it is fine."""
    errors = sorted(
        _validator().iter_errors(dashboard), key=lambda error: [str(part) for part in error.absolute_path]
    )
    return [
        Problem(
            "dashboard/schema",
            f"{json_path(error.absolute_path)}: {_message(error)}",
            position=Position(file),
        )
        for error in errors
    ]


def json_path(parts: Iterable[str | int]) -> str:
    """A place in JSON as people write it: ``panels[3].title``."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "the dashboard"


def _message(error: Any) -> str:
    if error.validator == "required":
        return str(error.message).replace("is a required property", "is missing")
    if error.validator == "pattern":
        return f'"{error.instance}" does not fit the pattern {error.validator_value}'
    text = str(error.message)
    return text if len(text) < 200 else f"not allowed here ({error.validator})"
