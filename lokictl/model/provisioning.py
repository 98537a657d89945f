"""Dollar signs in Grafana's provisioning files of alerting: some strings are filled with variables, others are not.

Filled are names, titles, labels, contact points with their settings, policies, and what rules say of notifications;
annotations, queries, mute timings and message templates are taken as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def escaped(text: str) -> str:
    """A string of a provisioning file in which Grafana fills variables."""
    return text.replace("$", "$$")


def all_escaped(value: Any) -> Any:
    """As `escaped`, for every string inside a value."""
    return _mapped(value, "$", "$$")


def all_filled(value: Any) -> Any:
    """The opposite of `all_escaped`: what Grafana makes of a value without variables."""
    return _mapped(value, "$$", "$")


def _mapped(value: Any, old: str, new: str) -> Any:
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, Mapping):
        return {key: _mapped(item, old, new) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_mapped(item, old, new) for item in value]
    return value
