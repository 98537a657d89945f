"""Imports a project's Python modules, and turns whatever they raise into one placed problem each."""

from __future__ import annotations

import importlib
import logging
import re
import sys
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from lokictl.diagnostics import LokictlError, Position, Problem, suggestion
from lokictl.project.configuration import display_path
from lokictl.records import dataclass

LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedModule:
    """A module of the project: its dotted name, its file as people read it, and itself."""

    name: str
    path: str
    module: ModuleType


# Files as they were when their modules were imported, so that an edited project is read again (`--watch`).
_stamps: dict[str, tuple[int, int]] = {}


def import_modules(
    root: Path, folders: Mapping[str, list[str]], problems: list[Problem]
) -> dict[str, list[LoadedModule]]:
    """The modules of each kind of folder, in the order of their names; packages after all modules.

    ``problems`` receives one problem for each module that cannot be imported; the others are still loaded.
    """
    names = {kind: list(_names(root, paths)) for kind, paths in folders.items()}
    tops = {name.partition(".")[0] for found in names.values() for name, _ in found}
    _forget_stale(root, tops)
    loaded: dict[str, list[LoadedModule]] = {}
    _make_packages(root, {name for found in names.values() for name, _ in found})
    with _importable(root):
        for kind, found in names.items():
            loaded[kind] = [
                LoadedModule(name, display_path(file), module)
                for name, file in found
                if (module := _import(root, name, file, problems)) is not None
            ]
    return loaded


def _names(root: Path, paths: list[str]) -> Iterator[tuple[str, Path]]:
    for path in paths:
        start = root / path
        # A package may list what its modules define: an object belongs to the module, which comes first.
        files = [start] if start.is_file() else sorted(start.rglob("*.py"), key=_packages_last)
        for file in files:
            parts = file.relative_to(root).with_suffix("").parts
            if file.suffix == ".py" and all(part.isidentifier() for part in parts):
                yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), file


def _packages_last(file: Path) -> tuple[bool, Path]:
    return file.name == "__init__.py", file


def _make_packages(root: Path, names: set[str]) -> None:
    """Packages for folders without ``__init__.py``: otherwise any installed package of that name would win."""
    for name in sorted(names):
        parts = name.split(".")[:-1]
        for count in range(1, len(parts) + 1):
            package, folder = ".".join(parts[:count]), root.joinpath(*parts[:count])
            if package not in sys.modules and not (folder / "__init__.py").exists():
                module = ModuleType(package)
                module.__path__ = [str(folder)]
                sys.modules[package] = module


@contextmanager
def _importable(root: Path) -> Iterator[None]:
    sys.path.insert(0, str(root))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(root))


def _forget_stale(root: Path, tops: set[str]) -> None:
    """Drops modules of the same names that belong to another project, or whose files have changed."""
    # Not `lokictl` itself, should a project keep its content below a folder of that name.
    names = [name for name in sys.modules if name.partition(".")[0] in tops - {"lokictl"}]
    if any(_is_stale(root, sys.modules[name]) for name in names):
        for name in names:
            del sys.modules[name]


def _is_stale(root: Path, module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    if file is None:
        paths = [str(path) for path in getattr(module, "__path__", [])]
        return not any(path == str(root) or path.startswith(f"{root}/") for path in paths)
    if not file.startswith(f"{root}/"):
        return True
    stamp = _stamp(Path(file))
    return stamp is None or _stamps.get(file, stamp) != stamp


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _import(root: Path, name: str, file: Path, problems: list[Problem]) -> ModuleType | None:
    stamp, started = _stamp(file), time.monotonic()
    try:
        module = importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except LokictlError as error:
        problems.extend(error.problems)
        return None
    except BaseException as error:
        problems.append(import_problem(root, file, error))
        return None
    if stamp is not None:
        _stamps[str(file)] = stamp
    LOGGER.info("loaded %s in %.2f s", display_path(file), time.monotonic() - started)
    return module


def import_problem(root: Path, file: Path, error: BaseException) -> Problem:
    """What a content module raised, at the line of the project that led to it."""
    if isinstance(error, SyntaxError) and error.filename:
        position = Position(
            display_path(Path(error.filename)),
            error.lineno or 0,
            error.offset or 0,
            error.end_lineno or 0,
            error.end_offset or 0,
        )
        return Problem(
            "project/import",
            f"not valid Python: {error.msg}",
            position=position,
            source_line=(error.text or "").rstrip("\n"),
        )
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.startswith(f"{root}/") and "/site-packages/" not in frame.filename
    ]
    own = [frame for frame in frames if not frame.filename.startswith(str(Path(__file__).parent.parent))]
    text = str(error).partition(" (/")[0] or "no message"
    message = f"the module cannot be loaded: {type(error).__name__}: {text}"
    if not own:
        return Problem("project/import", message, position=Position(display_path(file)))
    frame = own[-1]
    column = (frame.colno or 0) + 1
    end = (frame.end_colno or 0) + 1 if frame.end_lineno == frame.lineno else 0
    position = Position(display_path(Path(frame.filename)), frame.lineno or 0, column, frame.lineno or 0, end)
    return Problem("project/import", message, position=position, hint=_hint(error))


def _hint(error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"is {error.name} installed, and is the name right?"
    missing = str(getattr(error, "name_from", "") or getattr(error, "name", "") or "")
    if isinstance(error, ImportError):
        found = re.match(r"cannot import name '(\w+)'", str(error))
        missing = found[1] if found else missing
        known = dir(sys.modules.get(str(error.name), None))
    elif isinstance(error, AttributeError):
        known = dir(error.obj)
    else:
        return ""
    return suggestion(missing, known)
