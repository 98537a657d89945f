"""Which rules a backtest is about: files, folders, the project's; as they are, or as they were in git."""

from __future__ import annotations

import fnmatch
import io
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from lokictl.diagnostics import LokictlError, Position, Problem, suggestion
from lokictl.model import RuleFile, RuleGroup, load_rule_files
from lokictl.model.contents import contents_of, is_worth_reading
from lokictl.model.yaml_source import load_documents
from lokictl.project import load

YAML_SUFFIXES = (".yaml", ".yml")
GIT = "git:"


def load_groups(paths: Sequence[Path], project_root: Path | None = None) -> list[RuleGroup]:
    """The rule groups of files and folders, or those of the content project.

    Raises `LokictlError` for rules that cannot be read, and if there are none.
    """
    if not paths:
        project = load(project_root)
        files: Iterable[RuleFile] = project.rule_files
        where = f"the project {project.name}"
    else:
        files = [found for path in paths for found in _files(path)]
        where = ", ".join(map(str, paths))
    groups = [group for file in files for group in file.groups if group.rules]
    if not groups:
        hint = (
            "a rule file has `groups:`; without a path, the rules of the content project are meant"
            if paths
            else ""
        )
        raise LokictlError(Problem("backtest/no-rules", f"there are no rules in {where}", hint=hint))
    return groups


def _files(path: Path) -> Iterator[RuleFile]:
    if path.is_dir():
        for file in sorted(found for found in path.rglob("*") if found.suffix in YAML_SUFFIXES):
            if _has_rules(file):
                yield from load_rule_files(file)
    elif path.exists():
        yield from load_rule_files(path)
    else:
        raise LokictlError(
            Problem("file/unreadable", "file or directory not found", position=Position(str(path)))
        )


def _has_rules(file: Path) -> bool:
    try:
        text = file.read_text(encoding="utf-8")
        documents = load_documents(text, str(file)) if is_worth_reading(text) else []
    except (OSError, UnicodeDecodeError, LokictlError):
        return False
    # Test files have `tests:` and name their rules; they are not rules.
    return any(
        bool(contents_of(one).rules)
        for one in documents
        if not (isinstance(one.value, dict) and "tests" in one.value)
    )


def select(groups: Sequence[RuleGroup], patterns: Sequence[str]) -> list[RuleGroup]:
    """The groups with only the rules whose names fit a pattern (a glob); all without patterns.

    Raises `LokictlError` for a pattern that no rule fits.
    """
    if not patterns:
        return list(groups)
    names = sorted({rule.name for group in groups for rule in group.rules})
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            hint = suggestion(pattern, names, f"the rules have: {', '.join(names[:12])}")
            raise LokictlError(Problem("backtest/no-rule", f'no rule is called "{pattern}"', hint=hint))
    found = []
    for group in groups:
        rules = tuple(
            rule
            for rule in group.rules
            if any(fnmatch.fnmatchcase(rule.name, pattern) for pattern in patterns)
        )
        if rules:
            found.append(replace(group, rules=rules))
    return found


def load_other(text: str, paths: Sequence[Path], project_root: Path | None = None) -> list[RuleGroup]:
    """The rules to compare with: ``git:REVISION`` of the same files or project, or a file or folder.

    Raises `LokictlError`.
    """
    if not text.startswith(GIT):
        return load_groups([Path(text)])
    revision = text.removeprefix(GIT) or "HEAD"
    start = project_root or (paths[0] if paths else Path.cwd())
    folder = start if start.is_dir() else start.parent
    root = Path(_git(folder, "rev-parse", "--show-toplevel").decode().strip())
    _git(folder, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", revision=revision)
    with _checkout(root, revision) as copy:
        if paths:
            return load_groups([_in_copy(path, root, copy, revision) for path in paths])
        return load_groups((), copy / folder.resolve().relative_to(root.resolve()))


def _in_copy(path: Path, root: Path, copy: Path, revision: str) -> Path:
    try:
        inner = path.resolve().relative_to(root.resolve())
    except ValueError:
        message = f"{path} is not in the git repository {root}"
        raise LokictlError(Problem("backtest/git", message)) from None
    if not (copy / inner).exists():
        hint = "name the file as it was called then: --against FILE"
        raise LokictlError(Problem("backtest/git", f"{revision} has no {inner}", hint=hint))
    return copy / inner


@contextmanager
def _checkout(root: Path, revision: str) -> Iterator[Path]:
    archive = _git(root, "archive", "--format=tar", revision)
    with tempfile.TemporaryDirectory(prefix="lokictl-") as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(folder, filter="data")
        yield Path(folder)


def _git(folder: Path, *arguments: str, revision: str = "") -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, check=False)
    except OSError:
        raise LokictlError(Problem("backtest/git", "git is not installed")) from None
    if done.returncode:
        words = done.stderr.decode("utf-8", "replace").strip().removeprefix("fatal: ")
        message = f'git knows no revision "{revision}"' if revision else f"git: {words}"
        hint = "fetch it first (in CI: fetch-depth: 0)" if revision else ""
        raise LokictlError(Problem("backtest/git", message, hint=hint))
    return done.stdout
