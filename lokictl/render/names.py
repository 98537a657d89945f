"""Names that Kubernetes, Grafana and file systems take."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from lokictl.diagnostics import LokictlError, Problem


def slug(text: str, *, length: int = 40) -> str:
    """``text`` in lower-case letters, digits and hyphens: a DNS label, a folder uid, a file name."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:length].strip("-") or "project"


def object_name(*parts: str) -> str:
    """The name of a Kubernetes object, at most 63 characters."""
    return slug("-".join(parts), length=63)


def file_name(text: str, suffix: str) -> str:
    """A file name that is also a ConfigMap key: letters, digits, ``-``, ``_`` and ``.``, not hidden."""
    stem = text.removesuffix(suffix)
    return re.sub(r"[^-._a-zA-Z0-9]", "-", stem).lstrip(".") + suffix


def check_unique(what: str, names: Iterable[tuple[str, str]]) -> None:
    """Raises `LokictlError` where two things (owner, name) would be written under one name."""
    owners: dict[str, str] = {}
    for owner, name in names:
        if name in owners:
            raise LokictlError(
                Problem(
                    "render/name",
                    f'{what} "{owners[name]}" and "{owner}" would both be written as {name}',
                    hint="rename one of them: names may differ in more than case and punctuation",
                )
            )
        owners[name] = owner
