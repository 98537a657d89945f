"""``# lokictl: disable=NAME — reason``: comments that silence a check, and only with a reason.

How far a comment reaches follows from where it stands:

* in YAML: within a rule (or directly above it), that rule; within the head of a group, that group; above the
  first key of the file, the whole file; in a query, that query's rule;
* in Python: within or directly above a statement of the module, that statement; above the first one, the module;
* in a query of a dashboard (``#`` begins a comment in LogQL, too): that query.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import field
from pathlib import Path

from lokictl.diagnostics import Position, Severity, suggestion
from lokictl.lazy import lazy_pattern
from lokictl.lint.interface import Finding
from lokictl.lint.registry import known_names, matches
from lokictl.records import dataclass

_COMMENT = lazy_pattern(
    r"#\s*lokictl:\s*disable\s*=\s*(?P<names>[\w/*.-]+(?:\s*,\s*[\w/*.-]+)*)(?P<rest>[^\n]*)"
)
_REASON = lazy_pattern(r"\s*(?:—|–|--?|:)\s*(?P<reason>\S.*)")
MARK = "lokictl:"
"""What every file with such a comment holds."""

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
    if MARK not in text:
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
            message = "this comment suppresses nothing: it gives no reason"
            hint = f"write: # lokictl: disable={','.join(item.names)} — why it is fine here"
            yield _finding("lint/suppression", message, Severity.WARNING, item, hint)
        for pattern in item.names:
            if not any(matches(name, pattern) for name in names):
                hint = suggestion(pattern, names, "`lokictl explain` lists all checks")
                yield _finding("lint/suppression", f'unknown check "{pattern}"', Severity.WARNING, item, hint)


def unused(suppressions: Iterable[Suppression], ran: set[str]) -> Iterator[Finding]:
    """Comments that suppress nothing although their checks ran."""
    for item in suppressions:
        for pattern in item.names:
            meant = [name for name in known_names() if matches(name, pattern)]
            if item.reason and pattern not in item.used and meant and ran.issuperset(meant):
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

_RULE_START = lazy_pattern(r"^(\s*)-\s+(?:alert|record|expr|uid|title|grafana_alert)\s*:")
_GROUP_START = lazy_pattern(r"^(\s*)-\s+(?:name|interval|rules|limit|orgId)\s*:")


@dataclass(frozen=True, slots=True)
class _Block:
    """Lines ``first`` to ``last`` of a list item whose dash is at ``indent``."""

    first: int
    last: int
    indent: int


def _yaml_scopes(lines: list[str]) -> list[tuple[int, int]]:
    """For each line, the lines that a comment there reaches."""
    blocks = _yaml_blocks(lines)
    first_key = next((n for n, line in enumerate(lines, 1) if _is_code(line) and line != "---"), 1)
    scopes: list[tuple[int, int]] = []
    for number, line in enumerate(lines, 1):
        if _is_code(line) or not line.strip():
            block = _block_of(blocks, number)
            scopes.append((block.first, block.last) if block else (number, number))
        elif number < first_key:
            scopes.append((0, WHOLE_FILE))
        else:
            scopes.append(_comment_scope(lines, blocks, number))
    return scopes


def _comment_scope(lines: list[str], blocks: list[_Block], number: int) -> tuple[int, int]:
    """A comment above an item belongs to it, one deeper than the dash before it to the item before."""
    indent = len(lines[number - 1]) - len(lines[number - 1].lstrip())
    following = next((n for n in range(number + 1, len(lines) + 1) if _is_code(lines[n - 1])), number)
    next_block = _block_of(blocks, following)
    if next_block is not None and next_block.first == following and next_block.indent >= indent:
        return number, next_block.last
    before = next((n for n in range(number - 1, 0, -1) if _is_code(lines[n - 1])), 0)
    own = _block_of(blocks, before)
    if own is not None and indent > own.indent:
        return own.first, max(own.last, number)
    return (number, next_block.last) if next_block is not None else (number, following)


def _is_code(line: str) -> bool:
    text = line.strip()
    return bool(text) and not text.startswith("#")


def _yaml_blocks(lines: list[str]) -> list[_Block]:
    """Each rule, and each group with its rules."""
    blocks: list[_Block] = []
    for number, line in enumerate(lines, 1):
        found = _RULE_START.match(line) or _GROUP_START.match(line)
        if found:
            indent = len(found[1])
            blocks.append(_Block(number, _end_of(lines, number, indent), indent))
    return blocks


def _end_of(lines: list[str], start: int, indent: int) -> int:
    last = start
    for number in range(start + 1, len(lines) + 1):
        line = lines[number - 1]
        if not _is_code(line):
            continue
        if len(line) - len(line.lstrip()) <= indent:
            break
        last = number
    return last


def _block_of(blocks: list[_Block], number: int) -> _Block | None:
    """The innermost block around a line."""
    inside = [block for block in blocks if block.first <= number <= block.last]
    return max(inside, key=lambda block: block.first, default=None)


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
