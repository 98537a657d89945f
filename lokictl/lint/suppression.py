"""``# lokictl: disable=NAME — reason``: comments that silence a check, and only with a reason.

How far a comment reaches follows from where it stands:

* in YAML: within a rule (or directly above it), that rule; within the head of a group, that group; above the
  first key of the file, the whole file; in a query, that query's rule;
* in Python: within or directly above a statement of the module, that statement; above the first one, the module;
* in a query of a dashboard (``#`` begins a comment in LogQL, too): that query.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lokictl.diagnostics import Position, Severity
from lokictl.lint.interface import Finding
from lokictl.lint.registry import known_names, matches
from lokictl.model.yaml_source import nearest

_COMMENT = re.compile(
    r"#\s*lokictl:\s*disable\s*=\s*(?P<names>[\w/*.-]+(?:\s*,\s*[\w/*.-]+)*)(?P<rest>[^\n]*)"
)
_REASON = re.compile(r"\s*(?:—|–|--?|:)\s*(?P<reason>\S.*)")
WHOLE_FILE = 1_000_000_000


@dataclass(eq=False)
class Suppression:
    """One comment: the checks it names, and the lines ``first`` to ``last`` that it reaches."""

    names: tuple[str, ...]
    reason: str
    position: Position
    source_line: str
    first: int
    last: int
    used: set[str] = field(default_factory=set)

    def covers(self, finding: Finding) -> bool:
        line = finding.position.line
        if not (self.first <= line <= self.last or (line == 0 and self.last == WHOLE_FILE)):
            return False
        found = [name for name in self.names if matches(finding.name, name)]
        self.used.update(found)
        return bool(found)


def suppressions_in(text: str, file: str) -> list[Suppression]:
    """Every suppressing comment of a file."""
    if "lokictl:" not in text:
        return []
    lines = text.split("\n")
    scopes = _python_scopes(text) if file.endswith(".py") else _yaml_scopes(lines)
    if file.endswith(".json"):
        scopes = [(number, number) for number in range(1, len(lines) + 1)]
    found = []
    for number, line in enumerate(lines, 1):
        match = _COMMENT.search(line.replace("\\n", "\n"))
        if match is None:
            continue
        reason = _REASON.match(match["rest"])
        column = line.index("#", max(line.find("lokictl:") - 20, 0)) + 1
        position = Position(file, number, column, number, min(column + len(match[0]), len(line) + 1))
        names = tuple(name.strip() for name in match["names"].split(","))
        first, last = scopes[number - 1]
        found.append(
            Suppression(
                names, reason["reason"].strip() if reason else "", position, line.rstrip("\r"), first, last
            )
        )
    return found


def problems_of(suppressions: Iterable[Suppression]) -> Iterator[Finding]:
    """Comments that do not work: without a reason, or for a check that does not exist."""
    names = known_names()
    for item in suppressions:
        if not item.reason:
            message = "this comment suppresses nothing, since it gives no reason"
            hint = f"write: # lokictl: disable={','.join(item.names)} — why it is fine here"
            yield _finding("lint/suppression", message, Severity.WARNING, item, hint)
        for pattern in item.names:
            if not any(matches(name, pattern) for name in names):
                guess = nearest(pattern, names)
                hint = f'did you mean "{guess}"?' if guess else "`lokictl explain` lists all checks"
                yield _finding(
                    "lint/suppression", f'there is no check "{pattern}"', Severity.WARNING, item, hint
                )


def unused(suppressions: Iterable[Suppression], ran: set[str]) -> Iterator[Finding]:
    """Comments that suppress nothing although their checks ran."""
    for item in suppressions:
        for pattern in item.names:
            asleep = any(matches(name, pattern) for name in known_names() if name not in ran)
            if item.reason and pattern not in item.used and not asleep:
                message = f'nothing to suppress here: "{pattern}" finds nothing'
                yield _finding("lint/unused-suppression", message, Severity.INFO, item, "remove the comment")


def _finding(name: str, message: str, severity: Severity, item: Suppression, hint: str) -> Finding:
    return Finding(name, message, severity, item.position, hint, item.source_line)


def apply(findings: Iterable[Finding], texts: dict[str, str]) -> tuple[list[Finding], list[Suppression]]:
    """The findings that no comment silences, and all comments; ``texts`` maps files to their text.

    Files that are not in ``texts`` are read.
    """
    known: dict[str, list[Suppression]] = {file: suppressions_in(text, file) for file, text in texts.items()}
    kept = []
    for finding in findings:
        file = finding.position.file
        if file and file not in known:
            known[file] = suppressions_in(_read(file), file)
        # Both are told, so that two comments for one finding are not called unused.
        silenced = [item for item in known.get(file, ()) if item.reason and item.covers(finding)]
        if not silenced or finding.name.startswith("lint/"):
            kept.append(finding)
    return kept, [item for items in known.values() for item in items]


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


# --- how far a comment reaches -----------------------------------------------------------------------------

_RULE_START = re.compile(r"^(\s*)-\s+(?:alert|record|expr)\s*:")
_GROUP_START = re.compile(r"^(\s*)-\s+(?:name|interval|rules|limit)\s*:")


def _yaml_scopes(lines: list[str]) -> list[tuple[int, int]]:
    """For each line, the lines that a comment there reaches."""
    starts = _yaml_blocks(lines)
    scopes: list[tuple[int, int]] = []
    first_key = next(
        (i for i, line in enumerate(lines, 1) if line.strip() and not line.lstrip().startswith(("#", "---"))),
        1,
    )
    for number, line in enumerate(lines, 1):
        comment_only = line.lstrip().startswith("#")
        if comment_only and number < first_key:
            scopes.append((0, WHOLE_FILE))
            continue
        scope = _block_of(starts, _next_code_line(lines, number) if comment_only else number)
        if comment_only and scope is not None and scope[0] > number:
            scope = (number, scope[1])
        scopes.append(scope or (number, number + (1 if comment_only else 0)))
    return scopes


def _next_code_line(lines: list[str], number: int) -> int:
    while number < len(lines) and (
        not lines[number - 1].strip() or lines[number - 1].lstrip().startswith("#")
    ):
        number += 1
    return number


def _yaml_blocks(lines: list[str]) -> list[tuple[int, int]]:
    """(first line, last line) of each rule and of each group's head and body, innermost last."""
    blocks: list[tuple[int, int]] = []
    for number, line in enumerate(lines, 1):
        found = _RULE_START.match(line) or _GROUP_START.match(line)
        if found:
            blocks.append((number, _end_of(lines, number, len(found[1]))))
    return blocks


def _end_of(lines: list[str], start: int, indent: int) -> int:
    last = start
    for number in range(start + 1, len(lines) + 1):
        line = lines[number - 1]
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if len(line) - len(line.lstrip()) <= indent:
            break
        last = number
    return last


def _block_of(blocks: list[tuple[int, int]], number: int) -> tuple[int, int] | None:
    inside = [block for block in blocks if block[0] <= number <= block[1]]
    return max(inside, key=lambda block: block[0], default=None)


def _python_scopes(text: str) -> list[tuple[int, int]]:
    count = text.count("\n") + 1
    try:
        body = ast.parse(text).body
    except SyntaxError:
        return [(number, number) for number in range(1, count + 1)]
    ranges = [(_first_line(node), node.end_lineno or node.lineno) for node in body]
    code = [
        span
        for span, node in zip(ranges, body, strict=True)
        if not isinstance(node, ast.Expr | ast.ImportFrom)
    ]
    first = min((span[0] for span in ranges), default=1)
    scopes = []
    for number in range(1, count + 1):
        inside = next((span for span in ranges if span[0] <= number <= span[1]), None)
        following = next((span for span in code if span[0] > number), None)
        if inside is None and number < first:
            scopes.append((0, WHOLE_FILE))
        elif inside is None and following is not None:
            scopes.append((number, following[1]))
        else:
            scopes.append(inside or (number, number))
    return scopes


def _first_line(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(item.lineno for item in decorators)])
