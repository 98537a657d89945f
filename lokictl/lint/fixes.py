"""Repairs: edits that cannot change an answer, shown as a diff, and proved before they are written."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterable

from lokictl.lint.interface import Edit, Finding
from lokictl.lint.loading import Loaded, load_text
from lokictl.lint.runner import files_workspace
from lokictl.model.yaml_source import SourceText
from lokictl.records import dataclass

PASSES = 10


@dataclass(frozen=True)
class FixedFile:
    """A file before and after its repairs; ``count`` is their number."""

    file: str
    before: str
    after: str
    count: int

    def diff(self) -> str:
        """The change as a unified diff."""
        lines = difflib.unified_diff(
            self.before.splitlines(keepends=True),
            self.after.splitlines(keepends=True),
            f"a/{self.file}",
            f"b/{self.file}",
        )
        return "".join(
            line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines
        )


def fix_text(file: str, text: str, find: Callable[[str], Iterable[Finding]]) -> FixedFile:
    """Applies the repairs of ``find(text)`` until there are none left.

    An edit is only kept if the file, read again, differs in nothing but that query, and this is what the edit
    meant it to be.  One pass makes at most one edit to a query.
    """
    current, count = text, 0
    refused: set[Edit] = set()
    for _ in range(PASSES):
        edits = [edit for edit in _one_per_query(find(current)) if edit not in refused]
        together = _apply_all(current, edits)
        if together is not None and _proved(file, current, together, edits):
            current, count = together, count + len(edits)
        else:
            for edit in edits:
                attempt = _apply_all(current, [edit])
                if attempt is not None and _proved(file, current, attempt, [edit]):
                    current, count = attempt, count + 1
                else:
                    refused.add(edit)
        if not edits:
            break
    return FixedFile(file, text, current, count)


def _apply_all(text: str, edits: list[Edit]) -> str | None:
    """All edits, from the last to the first; None when one does not apply."""
    current: str | None = text
    for edit in sorted(edits, key=lambda edit: edit.position, reverse=True):
        current = apply_edit(current, edit) if current is not None else None
    return current


def apply_edit(text: str, edit: Edit) -> str | None:
    """The text with the edit made; None when the place no longer holds what the edit replaces."""
    source = SourceText(text)
    position = edit.position
    if not 1 <= position.end_line <= len(source.line_starts):
        return None
    start = source.line_starts[position.line - 1] + position.column - 1
    end = source.line_starts[position.end_line - 1] + position.end_column - 1
    if text[start:end] != edit.old:
        return None
    return text[:start] + edit.new + text[end:]


def _one_per_query(findings: Iterable[Finding]) -> list[Edit]:
    chosen: dict[tuple[str, str], Edit] = {}
    for finding in findings:
        if finding.edit is not None:
            chosen.setdefault((finding.item, finding.edit.query_before), finding.edit)
    return list(chosen.values())


def _proved(file: str, before: str, after: str, edits: list[Edit]) -> bool:
    expected = Counter(_queries(file, before))
    for edit in edits:
        if edit.query_before:
            expected[edit.query_before] -= 1
            expected[edit.query_after] += 1
    return Counter(_queries(file, after)) == +expected and len(_findings(file, after)) <= len(
        _findings(file, before)
    )


def _findings(file: str, text: str) -> list[Finding]:
    loaded = Loaded()
    load_text(text, file, loaded)
    return loaded.findings


def _queries(file: str, text: str) -> list[str]:
    loaded = Loaded()
    load_text(text, file, loaded)
    return [query.text for query in files_workspace(loaded).rule_and_panel_queries]
