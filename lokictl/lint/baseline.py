"""A baseline: the findings that a project has made its peace with, so that only new ones count."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from lokictl.diagnostics import LokictlError, Position, Problem
from lokictl.lint.interface import Finding
from lokictl.model.files import write_text

VERSION = 1
Key = tuple[str, str, str, str]


def key_of(finding: Finding, root: Path | None = None) -> Key:
    """What makes a finding the same one after lines have moved: check, file, subject and message."""
    return finding.name, _relative(finding.position.file, root), finding.item, finding.message


def write_baseline(path: Path, findings: Iterable[Finding], root: Path | None = None) -> int:
    """Writes the findings as a baseline; returns how many."""
    counted = Counter(key_of(finding, root or path.resolve().parent) for finding in findings)
    entries = [
        {"check": name, "file": file, "item": item, "message": message, "count": count}
        for (name, file, item, message), count in sorted(counted.items())
    ]
    text = json.dumps({"version": VERSION, "findings": entries}, indent=2, ensure_ascii=False)
    write_text(path, text + "\n")
    return sum(counted.values())


def read_baseline(path: Path) -> Counter[Key]:
    """How often each finding is accepted.  Raises `LokictlError` for a file that is not a baseline."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
        entries = value["findings"]
        return Counter(
            {
                (entry["check"], entry["file"], entry["item"], entry["message"]): int(entry["count"])
                for entry in entries
            }
        )
    except OSError as error:
        message = f"cannot read the baseline: {error.strerror or error}"
    except (ValueError, KeyError, TypeError):
        message = "not a baseline file"
    hint = "write one with `lokictl lint --write-baseline FILE`"
    raise LokictlError(Problem("lint/baseline", message, position=Position(str(path)), hint=hint))


def without_baseline(
    findings: Iterable[Finding], accepted: Counter[Key], root: Path | None = None
) -> tuple[list[Finding], int]:
    """The findings that are not in the baseline, and how many entries of it are no longer needed."""
    left = Counter(accepted)
    kept = []
    for finding in findings:
        key = key_of(finding, root)
        if left[key] > 0:
            left[key] -= 1
        else:
            kept.append(finding)
    return kept, sum(count for count in left.values() if count > 0)


def _relative(file: str, root: Path | None) -> str:
    try:
        return Path(file).resolve().relative_to(root or Path.cwd()).as_posix() if file else ""
    except ValueError:
        return Path(file).as_posix()
