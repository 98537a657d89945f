"""Where a project comes from, so that two projects of one name are told apart.

The proof is a random id that the first sync writes into the project's configuration, to be committed.  A checkout
that does not have it yet is recognized by its repository and the folder in it; the one that made the first sync by a
copy beside its backups.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import subprocess
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lokictl.lazy import lazy_pattern
from lokictl.model.files import write_text
from lokictl.records import dataclass

if TYPE_CHECKING:
    from lokictl.project import Configuration

ID = lazy_pattern(r"[A-Za-z0-9_-]{8,64}\Z")
GIT_SECONDS = 5
COPY = Path(".lokictl") / "id"


@dataclass(frozen=True, slots=True)
class Origin:
    """``id`` is the random one, ``repository`` a URL without credentials, ``commit`` the repository's first commit.

    ``folder`` is the project's place in the repository; every part is "" where it is not known.
    """

    id: str = ""
    repository: str = ""
    commit: str = ""
    folder: str = ""

    @property
    def known(self) -> bool:
        """Whether there is anything to compare."""
        return bool(self.id or self.repository or self.commit)

    def is_same(self, other: Origin) -> bool:
        """Whether both are one project, as far as can be told."""
        if self.id and self.id == other.id:
            return True
        if self.folder != other.folder:
            return False
        return bool(self.repository and self.repository == other.repository) or bool(
            self.commit and self.commit == other.commit
        )

    def __str__(self) -> str:
        place = self.repository or (
            f"the repository that began with {self.commit[:10]}" if self.commit else ""
        )
        inside = f"{place}, folder {self.folder}" if place and self.folder else place
        mark = f"id {self.id}" if self.id else "no id"
        return f"{mark} ({inside})" if inside else mark

    def to_data(self) -> dict[str, str]:
        """The parts that are known, for the record."""
        parts = {"id": self.id, "repository": self.repository, "commit": self.commit, "folder": self.folder}
        return {name: value for name, value in parts.items() if value}

    @classmethod
    def from_data(cls, data: Any) -> Origin:
        """Reads what `to_data` wrote; anything else is an unknown origin."""
        if not isinstance(data, dict):
            return cls()
        return cls(*(str(data.get(name) or "") for name in ("id", "repository", "commit", "folder")))


def origin_of(configuration: Configuration) -> Origin:
    """The origin of a project."""
    root = configuration.root
    project_id = str(configuration["id"]) or _copy_of_id(root)
    inside, _, folder = _git(root, "rev-parse", "--is-inside-work-tree", "--show-prefix").partition("\n")
    if inside != "true":
        return Origin(project_id)
    folder = folder.strip("/")
    commits = _git(root, "rev-list", "--max-parents=0", "HEAD").split()
    remote = repository_name(_git(root, "config", "--get", "remote.origin.url"))
    return Origin(project_id, remote, commits[-1] if commits else "", folder)


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else ""


def repository_name(url: str) -> str:
    """The same name for all ways to reach a repository: no scheme, no user, no ``.git``."""
    if not url:
        return ""
    parts = urlsplit(url)
    if parts.hostname:
        port = f":{parts.port}" if parts.port and parts.scheme not in ("ssh", "git+ssh") else ""
        name = f"{parts.hostname}{port}{parts.path}"
    elif found := re.match(r"(?:[^@/]+@)?([^:/]+):(.*)\Z", url):
        name = f"{found[1].lower()}/{found[2].lstrip('/')}"
    else:
        name = url
    return re.sub(r"(\.git)?/*\Z", "", name)


def _copy_of_id(root: Path) -> str:
    try:
        found = (root / COPY).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return found if ID.match(found) else ""


def keep_copy_of_id(root: Path, project_id: str) -> None:
    """Keeps the id of a project beside its backups; where that cannot be done, the configuration has to do."""
    with contextlib.suppress(OSError):
        write_text(root / COPY, f"{project_id}\n")


def new_id() -> str:
    """A random id."""
    return secrets.token_hex(8)


def write_id(configuration: Configuration, project_id: str) -> bool:
    """Writes ``id`` below ``name`` in the configuration file; False where that cannot be done safely."""
    file = configuration.file
    if file is None:
        return False
    try:
        text = file.read_bytes().decode("utf-8")
        line = configuration.position("name").line
        lines = text.splitlines(keepends=True)
        if not line or not re.match(r"\s*\"?name\"?\s*=", lines[line - 1]):
            return False
        end = "\r\n" if lines[line - 1].endswith("\r\n") else "\n"
        lines[line - 1] = lines[line - 1].rstrip("\r\n") + end
        lines.insert(line, f'id = "{project_id}"{end}')
        changed = "".join(lines)
        if _table(changed, file) != {**_table(text, file), "id": project_id}:
            return False
        file.write_bytes(changed.encode("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return False
    return True


def _table(text: str, file: Path) -> dict[str, Any]:
    data = tomllib.loads(text)
    if file.name == "pyproject.toml":
        data = data.get("tool", {}).get("lokictl", {})
    return data
