"""Runs a command again whenever one of the files changes that tests depend on."""

from __future__ import annotations

import subprocess
import time as clock
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from lokictl.diagnostics import LokictlError
from lokictl.testing.loading import load_test_file

SUFFIXES = (".yaml", ".yml", ".py", ".toml", ".log", ".json", ".jsonl", ".ndjson", ".txt")
IGNORED = ("__pycache__", "node_modules", "build", "dist")
PAUSE = 0.3
"""Seconds between two looks at the files."""


def watched_files(paths: Iterable[Path], project_root: Path | None) -> Iterator[Path]:
    """The files below the folders of ``paths``, their ``rule_files``, and the project's."""
    folders = {path if path.is_dir() else path.parent for path in paths}
    for path in paths:
        if path.is_file():
            try:
                file = load_test_file(path)
            except LokictlError:
                continue
            folders |= {(path.parent / pattern.split("*")[0]).parent for pattern in file.rule_files}
    for root in folders or {project_root or Path.cwd()}:
        yield from _files_below(root)


def _files_below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name in IGNORED:
            continue
        if path.is_dir():
            yield from _files_below(path)
        elif path.suffix in SUFFIXES:
            yield path


def state(files: Iterable[Path]) -> dict[Path, int]:
    """When each file was changed last (ns)."""
    found = {}
    for file in files:
        try:
            found[file] = file.stat().st_mtime_ns
        except OSError:
            continue
    return found


def watch(
    command: Sequence[str], paths: Sequence[Path], project_root: Path | None, *, rounds: int | None = None
) -> None:
    """Runs ``command``, and again after each change, until interrupted (or ``rounds`` times)."""
    done = 0
    while True:
        before = state(watched_files(paths, project_root))
        subprocess.run(command, check=False)
        done += 1
        if rounds is not None and done >= rounds:
            return
        print(f"watching {len(before)} files; Ctrl-C ends", flush=True)
        while state(watched_files(paths, project_root)) == before:
            clock.sleep(PAUSE)
        print(flush=True)
