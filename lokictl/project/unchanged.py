"""Whether everything is as it was when `lokictl check` last had nothing to complain about.

What a run depends on is found in three ways: all files of the project's folder are compared by their content; every
other file and folder that the run opened is noted while it runs; and its surroundings (lokictl's own code, Python, the
installed packages, environment variables, the current folder, the day) are part of the comparison.  A run that starts
a program or opens a connection is never remembered.  The record is one small file that can be deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import field
from pathlib import Path
from typing import Any

from lokictl.project.configuration import FOLDERS, Configuration
from lokictl.records import dataclass

MAX_FILES = 20_000
MAX_BYTES = 200_000_000
"""A larger folder takes longer to compare than to check."""
NO_CONTENT = ("__pycache__", "node_modules")
NO_MATTER = ("_", "COLUMNS", "LINES", "OLDPWD", "SHLVL", "WINDOWID")
"""Environment variables that differ between two runs in one terminal."""
CONNECTED = ("os.exec", "os.posix_spawn", "os.system", "socket.connect", "subprocess.Popen")
"""Events after which the run depends on more than files."""

Rows = list[list[Any]]
"""What a run printed: plain data."""


class TooLargeError(Exception):
    """A folder has more than is worth comparing."""


@dataclass
class Watched:
    """The files and folders that a run opened to read, and whether it depends on anything else."""

    files: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    connected: bool = False

    def note(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Takes one of Python's audit events."""
        if event == "open":
            path, mode, flags = arguments
            reads = not (flags & (os.O_WRONLY | os.O_RDWR)) if mode is None else not set(mode) & set("wax+")
            if reads and isinstance(path, str | bytes | os.PathLike):
                self.files.add(_absolute(path))
        elif event in ("os.listdir", "os.scandir"):
            if isinstance(arguments[0], str | bytes | os.PathLike):
                self.folders.add(_absolute(arguments[0]))
        elif event in CONNECTED:
            self.connected = True


def _absolute(path: str | bytes | os.PathLike[str]) -> str:
    return str(Path(os.fsdecode(path)).absolute())


_watching: list[Watched] = []
_hooked: list[bool] = []


@contextlib.contextmanager
def watched() -> Iterator[Watched]:
    """What is opened in this process in the meantime."""
    if not _hooked:
        # A hook cannot be taken away again.
        sys.addaudithook(lambda event, arguments: _watching[-1].note(event, arguments) if _watching else None)
        _hooked.append(True)
    found = Watched()
    _watching.append(found)
    try:
        yield found
    finally:
        _watching.remove(found)


class LastRun:
    """The record of the last run without complaints of one project into one output folder."""

    def __init__(self, configuration: Configuration, output: Path | None, cache: Path | None = None) -> None:
        self.root = configuration.root.resolve()
        self.output = (output or configuration.root / str(configuration["build"])).resolve()
        names = [name for key in FOLDERS for name in configuration.folders(key)]
        inputs = [self.root, *(self.root / name for name in names)]
        # Nothing that the run writes may count as what it reads.
        self.possible = not any(path.resolve().is_relative_to(self.output) for path in inputs)
        name = hashlib.sha256(f"{self.root}\0{self.output}".encode()).hexdigest()[:32]
        self.file = (cache or cache_folder()) / f"{name}.json"
        self._before = ""

    def recall(self) -> Rows | None:
        """What the run printed, if it would print the same today and its files are still there; else None."""
        try:
            self._before = self._surroundings()
            known = json.loads(self.file.read_text(encoding="utf-8"))
            same = (
                self.possible
                and known["surroundings"] == self._before
                and known["output"] == folder_digest(self.output, hidden=True)
                and all(file_digest(path) == digest for path, digest in known["files"].items())
                and all(listing_digest(path) == digest for path, digest in known["folders"].items())
            )
            return list(known["rows"]) if same else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, TooLargeError):
            return None

    def remember(self, rows: Rows, seen: Watched) -> None:
        """Records a run without complaints that `recall` was asked about before; does nothing where that is unsafe."""
        with contextlib.suppress(OSError, TooLargeError):
            if not self.possible or seen.connected or self._before != self._surroundings():
                return
            record = {
                "surroundings": self._before,
                "output": folder_digest(self.output, hidden=True),
                "files": {path: file_digest(path) for path in sorted(seen.files) if self._is_elsewhere(path)},
                "folders": {
                    path: listing_digest(path) for path in sorted(seen.folders) if self._is_elsewhere(path)
                },
                "rows": rows,
            }
            self.file.parent.mkdir(parents=True, exist_ok=True)
            new = self.file.with_name(f"{self.file.name}.{os.getpid()}")
            new.write_text(json.dumps(record), encoding="utf-8")
            new.replace(self.file)

    def _surroundings(self) -> str:
        package = Path(__file__).resolve().parent.parent
        installed = [listing_digest(path) for path in sys.path if path.endswith("-packages")]
        environment = sorted(item for item in os.environ.items() if item[0] not in NO_MATTER)
        parts = [
            *(sys.version, sys.prefix, str(Path.cwd()), time.strftime("%Y-%m-%d"), installed, environment),
            # lokictl's own project contains lokictl.
            *([] if self._contains(package) else [folder_digest(package)]),
            folder_digest(self.root, skip=self.output),
        ]
        return hashlib.sha256(repr(parts).encode("utf-8", "surrogateescape")).hexdigest()

    def _is_elsewhere(self, path: str) -> bool:
        """Whether a path is not compared anyway, as part of the project, of lokictl or of Python."""
        if "__pycache__" in path or path.endswith(".pyc"):
            return False
        place = Path(path)
        programs = (
            sys.prefix,
            sys.base_prefix,
            Path(__file__).parent.parent,
            self.output,
            "/dev",
            "/proc",
            "/sys",
        )
        if any(place.is_relative_to(program) for program in programs):
            return False
        return not self._contains(place.parent)

    def _contains(self, folder: Path) -> bool:
        """Whether a folder is compared as part of the project."""
        if not folder.is_relative_to(self.root) or folder.is_relative_to(self.output):
            return False
        return not any(map(_is_skipped, folder.relative_to(self.root).parts))


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/lokictl/check``, by default below ``~/.cache``."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "lokictl" / "check"


def file_digest(path: str) -> str:
    """A digest of a file's content; "" where it cannot be read."""
    try:
        return hashlib.sha256(_content(path)).hexdigest()
    except OSError:
        return ""


def _content(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - thousands of files: a `Path` costs as much as reading
        return file.read()


def listing_digest(path: str) -> str:
    """A digest of the names in a folder; "" where it cannot be read."""
    try:
        return hashlib.sha256(repr(sorted(item.name for item in Path(path).iterdir())).encode()).hexdigest()
    except OSError:
        return ""


def folder_digest(root: Path, *, skip: Path | None = None, hidden: bool = False) -> str:
    """A digest of the names and contents of all files below a folder, but those in ``skip``.

    Without ``hidden``, folders whose name begins with a dot and those of `NO_CONTENT` are left out.  Raises `OSError`
    for what cannot be read, and `TooLargeError`.
    """
    total = hashlib.sha256()
    size = 0
    for count, (path, is_folder) in enumerate(_entries(str(root), str(skip), hidden, set())):
        data = b"" if is_folder else _content(path)
        size += len(data)
        if count >= MAX_FILES or size > MAX_BYTES:
            raise TooLargeError
        name = path.removeprefix(str(root))
        total.update(f"{name}\0{-1 if is_folder else len(data)}\0".encode("utf-8", "surrogateescape"))
        total.update(data)
    return total.hexdigest()


def _entries(folder: str, skip: str, hidden: bool, visited: set[str]) -> Iterator[tuple[str, bool]]:
    """Every file and folder below, and whether it is a folder: an empty one may be looked for, too."""
    real = str(Path(folder).resolve())
    if real in visited or not Path(folder).is_dir():
        return
    visited.add(real)
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.is_dir():
            if entry.path != skip and (hidden or not _is_skipped(entry.name)):
                yield entry.path, True
                yield from _entries(entry.path, skip, hidden, visited)
        elif entry.is_file():
            yield entry.path, False


def _is_skipped(name: str) -> bool:
    return name.startswith(".") or name in NO_CONTENT
