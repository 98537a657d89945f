"""Spells queries so that both versions answer as the old one does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lokictl.diagnostics import Severity
from lokictl.lint.findings import Finding
from lokictl.lint.fixes import FixedFile, fix_text
from lokictl.lint.loading import Loaded, load_paths, load_text
from lokictl.lint.runner import files_workspace
from lokictl.logql.versions import LokiVersion
from lokictl.upgrade.changes import changes_in_queries


def fix_files(paths: Iterable[str], old: LokiVersion, new: LokiVersion) -> Iterator[FixedFile]:
    """The files with exact repairs; nothing is written."""
    loaded = load_paths(paths)
    for file, text in sorted(loaded.texts.items()):

        def find(current: str, file: str = file) -> list[Finding]:
            return _repairs(file, current, old, new)

        fixed = fix_text(file, str(getattr(text, "text", text)), find)
        if fixed.count:
            yield fixed


def _repairs(file: str, text: str, old: LokiVersion, new: LokiVersion) -> list[Finding]:
    loaded = Loaded()
    load_text(text, file, loaded)
    return [
        Finding(
            "upgrade/answer",
            change.message,
            severity=Severity.INFO,
            position=place.position,
            edit=place.edit,
            item=place.item,
        )
        for change in changes_in_queries(files_workspace(loaded).rule_and_panel_queries, old, new)
        for place in change.places
        if place.edit is not None
    ]
