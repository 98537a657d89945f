"""The fields of a sample line, for metrics and traces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from lokictl.model.sample import SampleEntry


def fields_of(entry: SampleEntry) -> Mapping[str, Any]:
    """The fields of a JSON line and its structured metadata; the metadata alone where the line is no JSON object."""
    try:
        found = orjson.loads(entry.line)
    except orjson.JSONDecodeError:
        found = None
    return {**(found if isinstance(found, dict) else {}), **entry.metadata}
