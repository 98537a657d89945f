"""The pages of the checks: ``docs/checks`` in the repository, ``lokictl/lint/docs`` in an installed package."""

from __future__ import annotations

import inspect
from pathlib import Path

from lokictl.diagnostics import LokictlError, Problem, suggestion
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
    for folder in FOLDERS:
        file = folder / f"{name}.md"
        if file.is_file():
            return file.read_text(encoding="utf-8").rstrip()
    check = all_checks()[name]
    return (
        f"# {name}\n\n{inspect.cleandoc(check.__doc__ or check.summary)}\n\nSeverity: **{check.severity}**."
    )


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
