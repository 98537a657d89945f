"""``lokictl.toml`` and ``[tool.lokictl]``: where things are, and the tables that other parts read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lokictl.diagnostics import LokictlError, Position, Problem, suggestion
from lokictl.lazy import lazy
from lokictl.records import dataclass

if TYPE_CHECKING:
    import tomllib
else:
    # Where there is no configuration, nothing is read.
    tomllib = lazy("tomllib")

FOLDERS = {
    "services": "services",
    "rules": "rules",
    "dashboards": "dashboards",
    "datasources": "datasources",
    "library_panels": "library-panels",
    "alerts": "alerts",
    "stack": "stack",
    "tests": "tests/rules",
}
TEXTS = {
    "name": "",
    "id": "",
    "build": "build",
    "tenant": "fake",
    "alerting": "loki",
    "alert_folders": "project",
    "loki_version": "",
}
TABLES = ("targets", "lint", "test", "render", "sync", "check", "capacity", "sample", "grafana", "loki")
KNOWN = (*FOLDERS, *TEXTS, *TABLES)

FILE_NAME = "lokictl.toml"


@dataclass(frozen=True)
class Configuration(Mapping[str, Any]):
    """The keys as written, with defaults for the folders: read it like a dictionary.

    ``root`` is the project's folder; ``file`` the file that the keys come from, None if there is none.
    """

    root: Path
    file: Path | None = None
    written: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, key: str) -> Any:
        if key in self.written:
            return self.written[key]
        return {**FOLDERS, **TEXTS}[key]

    def __iter__(self) -> Iterator[str]:
        return iter({**FOLDERS, **TEXTS, **self.written})

    def __len__(self) -> int:
        return len({**FOLDERS, **TEXTS, **self.written})

    def folders(self, key: str) -> list[str]:
        """The folders or files that ``key`` names, relative to ``root``."""
        value = self[key]
        return [value] if isinstance(value, str) else list(value)

    def table(self, name: str) -> dict[str, Any]:
        """The table ``[tool.lokictl.<name>]``; empty if there is none."""
        return dict(self.written.get(name, {}))

    def position(self, *keys: str) -> Position:
        """Where a key is in the file, as far as that can be told from its text."""
        if self.file is None:
            return Position()
        return key_position(self.file, keys)


def find_configuration(root: Path | None = None) -> Configuration:
    """The configuration in ``root``; without it, in the current folder or the nearest one above.

    Raises `LokictlError` if there is none, or when it is wrong.
    """
    if root is not None:
        found = _configuration_in(root.resolve())
        if found is not None:
            return found
        if not root.is_dir():
            raise LokictlError(
                Problem("project/missing", "directory not found", position=Position(str(root)))
            )
        if any((root / folder).is_dir() for folder in FOLDERS.values()):
            return Configuration(root.resolve())
        raise _no_project(f"{root} does not contain a content project")
    here = Path.cwd()
    for folder in (here, *here.parents):
        found = _configuration_in(folder)
        if found is not None:
            return found
    raise _no_project("there is no content project here or in a folder above")


def _no_project(message: str) -> LokictlError:
    hint = (
        f"start one with `lokictl init`, add {FILE_NAME} or [tool.lokictl] in pyproject.toml, "
        "or name the files to work on"
    )
    return LokictlError(Problem("project/missing", message, hint=hint))


def _configuration_in(folder: Path) -> Configuration | None:
    own = folder / FILE_NAME
    if own.is_file():
        return _checked(Configuration(folder, own, _read(own)))
    pyproject = folder / "pyproject.toml"
    if pyproject.is_file():
        table = _read(pyproject).get("tool", {}).get("lokictl")
        if table is not None:
            return _checked(Configuration(folder, pyproject, table))
    return None


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at line (\d+), column (\d+)\)", str(error))
        end = len(file.read_text(encoding="utf-8").splitlines())
        line, column = (int(found[1]), int(found[2])) if found else (end, 1)
        message = f"not valid TOML: {str(error).partition(' (at')[0]}"
        raise LokictlError(
            Problem("project/config", message, position=Position(display_path(file), line, column))
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise LokictlError(
            Problem("project/config", f"cannot read the file: {error}", position=Position(display_path(file)))
        ) from None


def _checked(configuration: Configuration) -> Configuration:
    problems = list(_problems(configuration))
    if problems:
        raise LokictlError(problems)
    return configuration


def _problems(configuration: Configuration) -> Iterator[Problem]:
    for key, value in configuration.written.items():
        position = configuration.position(key)
        if key not in KNOWN:
            hint = suggestion(key, KNOWN, f"known keys: {', '.join(KNOWN)}")
            yield Problem("project/config", f'unknown key "{key}"', position=position, hint=hint)
        elif key in TABLES and not isinstance(value, dict):
            yield Problem("project/config", f'"{key}" must be a table', position=position)
        elif key in TEXTS and not isinstance(value, str):
            yield Problem("project/config", f'"{key}" must be a string', position=position)
        elif key in FOLDERS and not _is_texts(value):
            yield Problem(
                "project/config", f'"{key}" must be a folder or a list of folders', position=position
            )
        elif key in FOLDERS:
            yield from _missing_folders(configuration, key)


def _missing_folders(configuration: Configuration, key: str) -> Iterator[Problem]:
    for folder in configuration.folders(key):
        if not (configuration.root / folder).exists():
            message = f'"{key}" names {folder}, which does not exist'
            yield Problem(
                "project/config",
                message,
                position=configuration.position(key),
                hint=f"create it, or remove the key (its default is {FOLDERS[key]})",
            )


def _is_texts(value: Any) -> bool:
    return isinstance(value, str) or (
        isinstance(value, list) and all(isinstance(item, str) for item in value)
    )


def key_position(file: Path, keys: tuple[str, ...]) -> Position:
    """Where a dotted key or the table of that name is in a TOML file; only the file when not found."""
    lines = file.read_text(encoding="utf-8").splitlines()
    prefix = ("tool", "lokictl") if file.name == "pyproject.toml" else ()
    table = ".".join((*prefix, *keys))
    parent = ".".join((*prefix, *keys[:-1]))
    current = ""
    for number, line in enumerate(lines, 1):
        header = re.match(r"\s*\[\s*([^\]]+?)\s*\]", line)
        if header:
            current = header[1]
            if current == table or current.startswith(table + "."):
                return Position(display_path(file), number, line.index("[") + 1)
        elif current == parent and (found := re.match(rf'\s*"?{re.escape(keys[-1])}"?\s*[.=]', line)):
            column = len(line) - len(line.lstrip()) + 1
            return Position(display_path(file), number, column, number, found.end())
    return Position(display_path(file))


def display_path(path: Path) -> str:
    """A path as people want to read it: relative to the current folder where it lies below it."""
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
