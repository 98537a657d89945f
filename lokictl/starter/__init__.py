"""A content project to start from: small, whole, and green at once."""

from __future__ import annotations

import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from lokictl.diagnostics import LokictlError, Position, Problem
from lokictl.model.files import write_text

# Names of the files in this package that cannot stand there under their own.
_RENAMED = {"gitignore": ".gitignore"}


def starter_files(project: str, service: str) -> dict[str, str]:
    """Path -> text of a new content project with one service."""
    module = re.sub(r"\W", "_", service)
    values = {
        "project": project,
        "service": service,
        "module": module if not module[:1].isdigit() else f"_{module}",
        "title": "".join(part.capitalize() for part in re.split(r"[^A-Za-z0-9]+", service)) or "Service",
    }
    found: dict[str, str] = {}
    _collect(files(__package__) / "files", "", values, found)
    return dict(sorted(found.items()))


def _collect(folder: Traversable, prefix: str, values: dict[str, str], found: dict[str, str]) -> None:
    for item in folder.iterdir():
        if item.is_dir():
            _collect(item, f"{prefix}{item.name}/", values, found)
        elif item.name.endswith(".txt"):
            name = item.name.removesuffix(".txt")
            name = _RENAMED.get(name, name.replace("module.", f"{values['module']}."))
            text = item.read_text(encoding="utf-8")
            found[prefix + name] = (
                text if name == ".gitignore" or name.endswith(".toml") else text.format(**values)
            )
            if name.endswith(".toml"):
                found[prefix + name] = text.replace("{project}", values["project"])


def start(folder: Path, *, service: str = "shop") -> list[Path]:
    """Writes a new content project into ``folder`` and returns the files.

    Raises `LokictlError` where the folder has one already, or a file that would be overwritten.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", service):
        hint = "use letters, digits, - and _, a letter first"
        raise LokictlError(Problem("init/service", f'"{service}" cannot be the name of a service', hint=hint))
    wanted = starter_files(folder.resolve().name, service)
    existing = [
        name for name in wanted if (folder / name).exists() and name not in (".gitignore", "README.md")
    ]
    if existing:
        raise LokictlError(
            Problem(
                "init/exists",
                f"{existing[0]} exists already, and nothing is overwritten",
                position=Position(str(folder / existing[0])),
                hint="choose another folder: lokictl init my-project",
            )
        )
    written = []
    for name, text in wanted.items():
        if not (folder / name).exists():
            write_text(folder / name, text)
            written.append(folder / name)
    return written
