"""Reading an entry of ``datasources:``: its strings, its links to other data sources, its derived fields."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import unquote

from lokictl.lazy import lazy, lazy_pattern
from lokictl.lint.findings import Path

if TYPE_CHECKING:
    import re2
else:
    re2 = lazy("re2")

ESCAPED = lazy_pattern(r"\$\$")
MARKED = lazy_pattern(r"\$__(?:env|file|vault)\{[^}]*\}")
ENVIRONMENT = lazy_pattern(r"\$\{[A-Z][A-Z0-9_]*\}|\$[A-Z][A-Z0-9_]*")
WITH_DEFAULT = lazy_pattern(r"\$\{[A-Za-z_]\w*:?[-=?+][^}]*\}")
"""A default value as shells know it; Grafana does not."""

TRACING = ("jaeger", "tempo", "zipkin")
LOGS, METRICS = "loki", "prometheus"


class Source(Protocol):
    """An entry of ``datasources:``."""

    @property
    def data(self) -> Mapping[str, Any]: ...


class Link(NamedTuple):
    """A setting that names another data source by its uid."""

    path: Path
    uid: str
    purpose: str


def texts(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """(path, text) of every string value; Grafana fills variables in values only, never in keys."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from texts(item, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from texts(item, (*path, index))


def is_reference(text: str) -> bool:
    """Whether a string is filled from the environment, a file or a vault."""
    rest = ESCAPED.sub("", text)
    return any(form.search(rest) for form in (MARKED, ENVIRONMENT, WITH_DEFAULT))


def read(text: str) -> str:
    """A string as Grafana holds it: ``$$`` is ``$``."""
    return text.replace("$$", "$")


def settings(source: Source) -> Mapping[str, Any]:
    """``jsonData``; empty when it is missing or no mapping."""
    return as_dict(source.data.get("jsonData"))


def links(source: Source) -> Iterator[Link]:
    """Every link to another data source."""
    data = settings(source)
    for index, entry in enumerate(as_list(data.get("derivedFields"))):
        field = ("jsonData", "derivedFields", index)
        yield from _link(entry, (*field, "datasourceUid"), "derived field")
        yield from _url(entry, (*field, "url"), "derived field")
    for index, entry in enumerate(as_list(data.get("exemplarTraceIdDestinations"))):
        destination = ("jsonData", "exemplarTraceIdDestinations", index)
        yield from _link(entry, (*destination, "datasourceUid"), "exemplars")
        yield from _url(entry, (*destination, "url"), "exemplars")
    for key, purpose in _LINKED.items():
        yield from _link(data.get(key), ("jsonData", key, "datasourceUid"), purpose)
    yield from _link(data, ("jsonData", "alertmanagerUid"), "alerts")
    for index, entry in enumerate(as_list(source.data.get("correlations"))):
        yield from _link(entry, ("correlations", index, "targetUID"), "correlation")


_LINKED = {
    "tracesToLogsV2": "traces to logs",
    "tracesToLogs": "traces to logs",
    "tracesToMetrics": "traces to metrics",
    "tracesToProfiles": "traces to profiles",
    "serviceMap": "service map",
    "lokiSearch": "search in Loki",
}


_EXPLORE = lazy_pattern(r'"datasource":"([A-Za-z0-9_-]+)"')


def _url(owner: Any, path: Path, purpose: str) -> Iterator[Link]:
    """The data source that a URL opens in Explore."""
    url = as_dict(owner).get(str(path[-1]))
    found = _EXPLORE.search(unquote(url)) if isinstance(url, str) else None
    if found:
        yield Link(path, found[1], purpose)


def _link(owner: Any, path: Path, purpose: str) -> Iterator[Link]:
    uid = as_dict(owner).get(str(path[-1]))
    if isinstance(uid, str) and uid and "$" not in uid:
        yield Link(path, uid, purpose)


def derived_fields(source: Source) -> list[tuple[Path, Mapping[str, Any]]]:
    """(path, entry) of every derived field of a Loki data source."""
    listed = as_list(settings(source).get("derivedFields"))
    return [
        (("jsonData", "derivedFields", index), entry)
        for index, entry in enumerate(listed)
        if isinstance(entry, Mapping)
    ]


class Pattern(Protocol):
    """A compiled regular expression, RE2's or Python's."""

    @property
    def groups(self) -> int: ...

    def search(self, text: str, /) -> object: ...


def compiled(pattern: str) -> Pattern | None:
    """A JavaScript regular expression as far as RE2's, or else Python's, can stand for it; None where they cannot."""
    translated = re.sub(r"\(\?<([A-Za-z_]\w*)>", r"(?P<\1>", pattern)
    options = re2.Options()
    options.log_errors = False
    try:
        found: Pattern = re2.compile(translated, options)
    except re2.error:
        pass
    else:
        return found
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            return re.compile(translated)
    except (re.error, RecursionError, OverflowError):
        return None


def as_list(value: Any) -> list[Any]:
    """The list, or an empty one for anything else."""
    return list(value) if isinstance(value, list | tuple) else []


def as_dict(value: Any) -> Mapping[str, Any]:
    """The mapping, or an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}
