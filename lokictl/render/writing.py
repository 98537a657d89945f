"""Writes rendered files, and takes away those of an earlier render."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from lokictl.diagnostics import LokictlError, Position, Problem
from lokictl.model.files import write_text

RECORD = ".lokictl-render.json"
"""What was written, with a hash of each file: only these are ever removed, and only unchanged."""


def write_files(output: Path, files: Mapping[str, Mapping[str, str]]) -> list[Path]:
    """Writes ``files`` (output name -> path -> text) below ``output``; the paths, in order.

    Each file is written under a temporary name and renamed.  Files that an earlier render of the same output
    made and this one does not are removed, unless somebody has changed them since.
    """
    _check_place(output)
    record = _read_record(output)
    kept = {path for name, paths in record.items() if name not in files for path in paths}
    wanted = {path: text for paths in files.values() for path, text in paths.items()}
    for path in sorted(wanted):
        write_text(output / path, wanted[path])
    for name in files:
        for path, digest in record.get(name, {}).items():
            if path not in wanted and path not in kept:
                _remove(output, path, digest)
    record |= {
        name: {path: _digest(text.encode()) for path, text in sorted(paths.items())}
        for name, paths in files.items()
    }
    write_text(output / RECORD, json.dumps(dict(sorted(record.items())), indent=1) + "\n")
    return [output / path for path in sorted(wanted)]


def check_apart(output: Path, paths: Iterable[str], content: Iterable[Path]) -> None:
    """Raises `LokictlError` when one of ``paths`` below ``output`` would lie among a project's own modules."""
    folders = [folder.resolve() for folder in content if folder.is_dir()]
    tops = {output.resolve() / Path(path).parts[0] for path in paths}
    for folder in folders:
        if any(top == folder or folder in top.parents for top in tops):
            raise LokictlError(
                Problem(
                    "render/output",
                    f"rendering into {output} would mix files with the project's content in {folder.name}/",
                    hint="render into a separate directory: -o build",
                )
            )


def _check_place(output: Path) -> None:
    if output.exists() and not output.is_dir():
        raise LokictlError(
            Problem("render/output", "the output must be a folder", position=Position(str(output)))
        )


def _read_record(output: Path) -> dict[str, dict[str, str]]:
    try:
        value = json.loads((output / RECORD).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise LokictlError(
            Problem(
                "render/record",
                f"cannot read what was rendered before: {error}",
                position=Position(str(output / RECORD)),
                hint="delete this file; the next render then removes nothing",
            )
        ) from None
    if not isinstance(value, dict):
        return {}
    return {
        str(name): {str(path): str(digest) for path, digest in paths.items()}
        for name, paths in value.items()
        if isinstance(paths, dict)
    }


def _remove(output: Path, path: str, digest: str) -> None:
    file = output / path
    if ".." in Path(path).parts or Path(path).is_absolute() or file.is_symlink() or not file.is_file():
        return
    if _digest(file.read_bytes()) != digest:
        return
    file.unlink()
    for folder in file.parents:
        if folder == output or any(folder.iterdir()):
            break
        folder.rmdir()


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
