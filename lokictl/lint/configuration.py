"""``[tool.lokictl.lint]``: which checks run where, how bad their findings are, and their own settings."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from lokictl.diagnostics import LokictlError, Position, Problem, Severity, suggestion
from lokictl.lint.interface import Check, Workspace
from lokictl.lint.registry import READING, all_checks, known_names, matches
from lokictl.logql.units import parse_prometheus_duration
from lokictl.logql.versions import DEFAULT, MAIN, NEWEST, LokiVersion
from lokictl.project.configuration import Configuration
from lokictl.records import dataclass

KEYS = ("select", "ignore", "enable", "loki-version", "baseline", "interval", "checks", "paths", "exclude")
PATH_KEYS = ("ignore",)
CHECK_KEYS = ("enabled", "severity")


@dataclass(frozen=True)
class Settings:
    """What runs.

    ``select`` (empty: everything that is on by default) is run and nothing else; ``enable`` is run besides;
    ``ignore`` is not run.  All three hold names, families (``rule`` or ``rule/*``) or ``*``; a family in ``select``
    means those of its checks that are on by default.  ``checks`` has the settings of single checks,
    ``path_ignores`` pairs of a path pattern and names ignored there.  ``interval`` (nanoseconds) is the ruler's
    evaluation interval for groups without one.  ``names_a_version``: somebody chose ``loki_version``.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    enable: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    checks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    path_ignores: tuple[tuple[str, tuple[str, ...]], ...] = ()
    loki_version: tuple[int, int] = DEFAULT[:2]
    names_a_version: bool = False
    interval: int = 60_000_000_000
    baseline: str = ""
    root: Path | None = None

    @property
    def parses_as(self) -> LokiVersion:
        """The Loki whose LogQL is read: not an older one than the default, so that what it lacks has a finding."""
        return max(DEFAULT, LokiVersion.of_minor(*self.loki_version))

    def runs(self, check: type[Check]) -> bool:
        """Whether a check runs at all."""
        if any(matches(check.name, pattern) for pattern in self.ignore):
            return False
        if check.name in self.select:
            return True
        if self.select and not any(matches(check.name, pattern) for pattern in self.select):
            return False
        own = self.checks.get(check.name, {}).get("enabled")
        if isinstance(own, bool):
            return own
        return check.on_by_default or any(matches(check.name, pattern) for pattern in self.enable)

    def shows(self, name: str, file: str) -> bool:
        """Whether a finding is wanted, given its name and file."""
        if name in READING and any(matches(name, pattern) for pattern in self.ignore if "/" in pattern):
            return False
        if not self.path_ignores:
            return True
        path = self._relative(file)
        return not any(
            path_matches(path, pattern) and any(matches(name, item) for item in names)
            for pattern, names in self.path_ignores
        )

    def excluded(self, file: str) -> bool:
        """Whether a file is left out when a folder is searched."""
        path = self._relative(file)
        return any(path_matches(path, pattern) for pattern in self.exclude)

    def build(self, workspace: Workspace) -> Iterator[Check]:
        """The checks to run, with their settings."""
        for name, check in all_checks().items():
            if self.runs(check):
                own = dict(self.checks.get(name, {}))
                own.pop("enabled", None)
                severity = own.pop("severity", None)
                yield check(workspace, own, Severity(severity) if severity else None)

    def _relative(self, file: str) -> str:
        path = Path(file)
        base = self.root or Path.cwd()
        try:
            return (path if path.is_absolute() else Path.cwd() / path).resolve().relative_to(base).as_posix()
        except ValueError:
            return path.as_posix()


def path_matches(path: str, pattern: str) -> bool:
    """Whether a path is what a pattern means: a folder, a file, or a glob in which ``**`` crosses folders."""
    pattern = pattern.removeprefix("./").rstrip("/")
    if path == pattern or path.startswith(pattern + "/"):
        return True
    return fnmatch.fnmatchcase(path, pattern) or fnmatch.fnmatchcase(path, pattern.replace("**/", ""))


def settings_from(configuration: Configuration) -> Settings:
    """The settings of ``[tool.lokictl.lint]``; raises `LokictlError` with everything wrong in them."""
    reader = _Reader(configuration)
    settings = reader.settings()
    if reader.problems:
        raise LokictlError(reader.problems)
    return settings


def check_patterns(option: str, patterns: tuple[str, ...]) -> None:
    """Raises `LokictlError` for names that are no check and no family."""
    problems = [problem for pattern in patterns for problem in _unknown(option, pattern, Position())]
    if problems:
        raise LokictlError(problems)


def parse_version(text: str) -> tuple[int, int]:
    """``"3.4"`` or ``"3.4.2"`` as (3, 4), ``"main"`` as the one after the newest; raises ValueError."""
    if text.strip() == "main":
        return MAIN[:2]
    found = re.fullmatch(r"v?(\d+)\.(\d+)(?:\.\d+)?", text.strip())
    if not found:
        raise ValueError(f'"{text}" is not a version of Loki: write it like 3.4')
    version = int(found[1]), int(found[2])
    if version > NEWEST[:2]:
        raise ValueError(f"Loki {text} is not known: {NEWEST.minor_text} is the newest, or main")
    return version


def _unknown(what: str, pattern: str, position: Position) -> Iterator[Problem]:
    names = known_names()
    if not any(matches(name, pattern) for name in names):
        hint = suggestion(pattern, names, "`lokictl explain` lists all checks")
        yield Problem("lint/config", f'{what}: unknown check "{pattern}"', position=position, hint=hint)


class _Reader:
    """Reads the table and collects what is wrong with it."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self.table = configuration.table("lint")
        self.problems: list[Problem] = []

    def settings(self) -> Settings:
        for key in self.table:
            if key not in KEYS:
                hint = suggestion(key, KEYS, f"known keys: {', '.join(KEYS)}")
                self.problem(f'unknown key "{key}" in the table lint', key, hint=hint)
        return Settings(
            select=self.names("select"),
            ignore=self.names("ignore"),
            enable=self.names("enable"),
            exclude=self.texts("exclude"),
            checks=self.checks(),
            path_ignores=self.paths(),
            loki_version=self.version(),
            names_a_version=bool(self.table.get("loki-version") or self.configuration["loki_version"]),
            interval=self.interval(),
            baseline=str(self.table.get("baseline", "")),
            root=self.configuration.root,
        )

    def problem(self, message: str, *keys: str, hint: str = "") -> None:
        position = self.configuration.position("lint", *keys)
        self.problems.append(Problem("lint/config", message, position=position, hint=hint))

    def texts(self, key: str) -> tuple[str, ...]:
        value = self.table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.problem(f'"{key}" must be a list of strings', key)
            return ()
        return tuple(value)

    def names(self, key: str) -> tuple[str, ...]:
        names = self.texts(key)
        for name in names:
            self.problems += _unknown(f'"{key}"', name, self.configuration.position("lint", key))
        return names

    def paths(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        found: list[tuple[str, tuple[str, ...]]] = []
        for pattern, table in self._tables("paths"):
            for key in table:
                if key not in PATH_KEYS:
                    self.problem(
                        f'unknown key "{key}" for the path "{pattern}"', "paths", hint="known: ignore"
                    )
            names = table.get("ignore", [])
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                self.problem(f'"ignore" of the path "{pattern}" must be a list of names', "paths")
                continue
            for name in names:
                place = self.configuration.position("lint", "paths")
                self.problems += _unknown(f'the path "{pattern}"', name, place)
            found.append((pattern, tuple(names)))
        return tuple(found)

    def checks(self) -> dict[str, dict[str, Any]]:
        known = all_checks()
        for name, table in self._tables("checks"):
            if name not in known:
                hint = suggestion(name, known, "`lokictl explain` lists all checks")
                self.problem(f'unknown check "{name}"', "checks", hint=hint)
                continue
            for key, value in table.items():
                self._check_setting(known[name], key, value)
        return dict(self._tables("checks", quiet=True))

    def _check_setting(self, check: type[Check], key: str, value: Any) -> None:
        if key == "severity":
            if value not in list(Severity):
                self.problem(f'severity of {check.name} must be "error", "warning" or "info"', "checks")
        elif key == "enabled":
            if not isinstance(value, bool):
                self.problem(f"enabled of {check.name} must be true or false", "checks")
        elif key not in check.options:
            known = (*CHECK_KEYS, *check.options)
            hint = suggestion(key, known, f"known settings: {', '.join(known)}")
            self.problem(f'{check.name} has no setting "{key}"', "checks", hint=hint)
        elif not _same_type(value, check.options[key]):
            wanted = type(check.options[key]).__name__
            words = {"str": "a string", "int": "a number", "float": "a number", "bool": "true or false"}
            words |= {"list": "a list", "tuple": "a list", "dict": "a table"}
            self.problem(f'"{key}" of {check.name} must be {words.get(wanted, wanted)}', "checks")

    def _tables(self, key: str, *, quiet: bool = False) -> Iterator[tuple[str, dict[str, Any]]]:
        value = self.table.get(key, {})
        if not isinstance(value, dict):
            if not quiet:
                self.problem(f'"{key}" must be a table', key)
            return
        for name, table in value.items():
            if isinstance(table, dict):
                yield str(name), table
            elif not quiet:
                self.problem(f'"{key}": "{name}" must be a table', key)

    def version(self) -> tuple[int, int]:
        """The Loki of the linter's table, or else of the project."""
        own = self.table.get("loki-version")
        text = own or self.configuration["loki_version"] or DEFAULT.minor_text
        try:
            return parse_version(str(text))
        except ValueError as error:
            if own is not None:
                self.problem(str(error), "loki-version")
            return DEFAULT[:2]

    def interval(self) -> int:
        text = self.table.get("interval", "1m")
        try:
            return parse_prometheus_duration(str(text))
        except ValueError as error:
            self.problem(f'"interval": {error}', "interval")
            return 60_000_000_000


def _same_type(value: Any, default: Any) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, int | float):
        return isinstance(value, int | float)
    if isinstance(default, list | tuple):
        return isinstance(value, list)
    return isinstance(value, type(default))
