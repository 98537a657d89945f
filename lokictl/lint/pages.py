"""The pages of the checks: ``docs/checks`` in the repository, ``lokictl/lint/docs`` in an installed package."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lokictl.diagnostics import LokictlError, Problem, suggestion
from lokictl.lint.check import Check
from lokictl.lint.registry import FAMILIES, READING, all_checks, families

_HERE = Path(__file__).resolve().parent
FOLDERS = (_HERE / "docs", _HERE.parent.parent / "docs" / "checks")


def page(name: str) -> str:
    """The page of a check.  Raises `LokictlError` with the nearest name for one that does not exist."""
    if name in READING:
        return f"# {name}\n\nReported while a file is read, before any check runs: {READING[name]}."
    if name not in all_checks():
        hint = suggestion(name, [*all_checks(), *READING], "`lokictl explain` lists all checks")
        raise LokictlError(Problem("explain", f'unknown check "{name}"', hint=hint))
    check = all_checks()[name]
    for folder in FOLDERS:
        file = folder / f"{name}.md"
        if file.is_file():
            return completed(file.read_text(encoding="utf-8"), check)
    text = inspect.cleandoc(check.__doc__ or check.summary)
    return completed(f"# {name}\n\n{text}\n\nSeverity: **{check.severity}**.", check)


def completed(markdown: str, check: type[Check]) -> str:
    """A page with how to configure (unless it says that itself) and to silence its check."""
    parts = [markdown.rstrip()]
    if "\n## Configure\n" not in markdown:
        parts.append(settings(check))
    parts.append(f"## Silence\n\nWrite `# lokictl: disable={check.name} — reason` above the rule or query.")
    return "\n\n".join(parts)


def settings(check: type[Check]) -> str:
    """How to configure a check, in Markdown."""
    lines = [f"{key} = {_toml(value)}" for key, value in check.options.items()]
    enabled = "true" if check.on_by_default else "false"
    return "\n".join(
        [
            *("## Configure", "", "In `lokictl.toml` (the values shown are the defaults):", "", "```toml"),
            *(
                f'[lint.checks."{check.name}"]',
                f'severity = "{check.severity}"',
                f"enabled = {enabled}",
                *lines,
            ),
            "```",
        ]
    )


def _toml(value: Any) -> str:
    """A default setting as TOML writes it."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_toml(key)} = {_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def listing(family: str | None = None) -> str:
    """One line per check: name, severity, what it finds; those off by default are marked."""
    if family is not None and family not in families():
        hint = suggestion(family, families(), f"families: {', '.join(families())}")
        raise LokictlError(Problem("explain", f'unknown family "{family}"', hint=hint))
    checks = [check for name, check in all_checks().items() if family in (None, name.partition("/")[0])]
    width = max((len(check.name) for check in checks), default=0)
    return "\n".join(
        f"{check.name:<{width}}  {check.severity + ('' if check.on_by_default else ', off'):<12}  {check.summary}"
        for check in checks
    )


def table() -> str:
    """Markdown with a table for each family of lokictl's own checks, linked to their pages."""
    parts = []
    for family in FAMILIES:
        rows = [
            f"| [{name}]({name}.md) | {check.severity}{'' if check.on_by_default else ', off by default'} "
            f"| {check.summary.replace('|', '&#124;')} |"
            for name, check in all_checks().items()
            if name.partition("/")[0] == family
        ]
        parts.append(
            "\n".join([f"## {family}", "", "| Check | Severity | Finds |", "|---|---|---|", *rows, ""])
        )
    return "\n".join(parts)
