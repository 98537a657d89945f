"""ConfigMaps: their text, their size, and how files are spread over several of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from lokictl.diagnostics import LokictlError, Problem
from lokictl.lazy import lazy_pattern
from lokictl.model.yaml_writer import dump_yaml

APPLY_LIMIT = 262_144
"""Bytes that ``kubectl apply`` can take: it keeps the object in an annotation."""

OBJECT_LIMIT = 1_048_576
"""Bytes of data that a ConfigMap may hold."""

MARGIN = 4_096
"""Bytes left for the object's metadata."""


def config_map(
    name: str,
    data: Mapping[str, str],
    *,
    namespace: str = "",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """A ConfigMap.  Raises `LokictlError` when it cannot hold so much."""
    size = sum(len(key) + len(text.encode()) for key, text in data.items())
    if size > OBJECT_LIMIT:
        raise LokictlError(
            Problem(
                "render/size",
                f"{', '.join(data)} has {size:,} bytes, and a ConfigMap holds {OBJECT_LIMIT:,}",
                hint="split the dashboard, or ship it as a file (--what grafana)",
            )
        )
    metadata: dict[str, Any] = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    if labels:
        metadata["labels"] = dict(labels)
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": dict(data)}


def applied_bytes(manifest: Mapping[str, Any]) -> int:
    """The bytes that ``kubectl apply`` would keep in the object's annotation."""
    return len(json.dumps(manifest, separators=(",", ":"), ensure_ascii=False).encode())


def spread(data: Mapping[str, str], *, limit: int = APPLY_LIMIT - MARGIN) -> list[dict[str, str]]:
    """``data`` in as few maps as fit, in its order; a file that is too large alone gets a map of its own."""
    maps: list[dict[str, str]] = []
    used = 0
    for key, text in data.items():
        size = len(json.dumps({key: text}, ensure_ascii=False).encode())
        if not maps or used + size > limit:
            maps.append({})
            used = 0
        maps[-1][key] = text
        used += size
    return maps


def numbered(name: str, count: int) -> list[str]:
    """``count`` names: ``name``, ``name-2``, ``name-3``, …"""
    return [name if number == 1 else f"{name}-{number}" for number in range(1, count + 1)]


def manifest_text(manifest: Mapping[str, Any]) -> str:
    """A ConfigMap as YAML: every file as a block, so that a change is seen line by line.

    One that ``kubectl apply`` cannot take says so in its first line.
    """
    head = {key: value for key, value in manifest.items() if key != "data"}
    lines = [dump_yaml(head).rstrip("\n"), "data:"]
    size = applied_bytes(manifest)
    if size >= APPLY_LIMIT:
        lines.insert(0, f"# {size:,} bytes: apply it with `kubectl apply --server-side`.")
    for key, text in manifest["data"].items():
        if not text.strip("\n") or text[0] in " \t\n" or NOT_IN_BLOCKS.search(text):
            lines.append(f"  {key}: {_quoted(text)}")
            continue
        ending = "" if text.endswith("\n") else "-"
        body = text.removesuffix("\n").split("\n")
        if body[-1] == "":
            ending = "+"
        lines.append(f"  {key}: |{ending}")
        lines += [f"    {line}" if line else "" for line in body]
    return "\n".join(lines) + "\n"


NOT_IN_BLOCKS = lazy_pattern(
    "[^\\t\\n\\x20-\\x7e\\xa0-\\u2027\\u202a-\\ud7ff\\ue000-\\ufefe\\uff00-\\ufffd\\U00010000-\\U0010ffff]"
)
"""What a YAML block cannot hold: control characters, and the line breaks that only YAML takes for such."""

_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}


def _quoted(text: str) -> str:
    """``text`` as a YAML string in double quotes."""

    def escape(found: re.Match[str]) -> str:
        character = found[0]
        return _ESCAPES.get(character) or f"\\U{ord(character):08x}"

    return '"' + re.sub(rf'["\\\n\t]|{NOT_IN_BLOCKS.pattern}', escape, text) + '"'
