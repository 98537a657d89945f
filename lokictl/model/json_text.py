"""JSON text as every command writes it."""

from __future__ import annotations

import json
from typing import Any

import orjson

# Values of other types are errors, as they are for the standard library.
_OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME


def json_text(value: Any, *, indent: bool = True) -> str:
    """``value`` as JSON, indented by two spaces or on one line; what is not ASCII is written as it is.

    Half a character (a lone surrogate) exists as an escape only: a value that has one is written in ASCII.  Raises
    TypeError or ValueError for what JSON does not have.
    """
    try:
        return orjson.dumps(value, option=_OPTIONS | (orjson.OPT_INDENT_2 if indent else 0)).decode()
    except orjson.JSONEncodeError:
        pass
    # Also numbers of more than 64 bits, and keys that are not strings.
    layout: dict[str, Any] = {"indent": 2} if indent else {"separators": (",", ":")}
    text = json.dumps(value, ensure_ascii=False, **layout)
    return text if _is_whole(text) else json.dumps(value, **layout)


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
