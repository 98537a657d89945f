"""Which resources a run is for: all, those of one server, or single ones by name (``rules/shop/errors``)."""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase

from lokictl.diagnostics import LokictlError, Problem, suggestion
from lokictl.records import dataclass
from lokictl.sync.plan import Key, Kind

KINDS = {
    "folders": Kind.FOLDER,
    "datasources": Kind.DATA_SOURCE,
    "library-panels": Kind.LIBRARY_PANEL,
    "dashboards": Kind.DASHBOARD,
    "message-templates": Kind.TEMPLATE,
    "contact-points": Kind.CONTACT_POINT,
    "mute-timings": Kind.MUTE_TIMING,
    "alerts": Kind.ALERT_GROUP,
    "policies": Kind.POLICY,
    "rules": Kind.RULE_GROUP,
}


@dataclass(frozen=True, slots=True)
class Name:
    """What one argument names: a kind, and in it a uid, a namespace or a group; "*" and "?" are wildcards."""

    text: str
    kind: Kind
    name: str = "*"
    group: str = "*"

    def matches(self, key: Key) -> bool:
        """Whether it names this resource."""
        if key.kind is not self.kind:
            return False
        if key.kind is Kind.RULE_GROUP:
            return fnmatchcase(key.namespace, self.name) and fnmatchcase(key.name, self.group)
        if key.kind is Kind.ALERT_GROUP and fnmatchcase(f"{key.namespace}/{key.name}", self.name):
            return True
        return fnmatchcase(key.name, self.name)


@dataclass(frozen=True, slots=True)
class Selection:
    """``only`` is "grafana", "loki" or "" for both; without ``names``, everything is selected."""

    only: str = ""
    names: tuple[Name, ...] = ()

    @property
    def is_partial(self) -> bool:
        """Whether single resources are named."""
        return bool(self.names)

    def covers(self, key: Key) -> bool:
        """Whether the run is for such a resource."""
        if self.only and (self.only == "loki") != (key.kind is Kind.RULE_GROUP):
            return False
        return not self.names or any(name.matches(key) for name in self.names)

    def check(self, keys: Iterable[Key]) -> None:
        """Raises `LokictlError` for names that none of ``keys`` has."""
        known = list(keys)
        problems = [
            Problem("sync/selection", f"nothing is called {name.text}", hint=_hint(name, known))
            for name in self.names
            if not any(name.matches(key) for key in known)
        ]
        if problems:
            raise LokictlError(problems)


def parse_names(texts: Iterable[str]) -> tuple[Name, ...]:
    """Reads arguments.  Raises `LokictlError`."""
    names, problems = [], []
    for text in texts:
        kind, _, rest = text.partition("/")
        if kind not in KINDS or text.endswith("/"):
            hint = suggestion(kind, KINDS, f"write KIND/NAME with one of {', '.join(KINDS)}")
            problems.append(Problem("sync/selection", f"not a resource: {text}", hint=hint))
            continue
        name, _, group = rest.partition("/") if kind == "rules" else (rest, "", "")
        names.append(Name(text, KINDS[kind], name or "*", group or "*"))
    if problems:
        raise LokictlError(problems)
    return tuple(names)


def _hint(name: Name, keys: list[Key]) -> str:
    of_kind = [key for key in keys if key.kind is name.kind]
    words = {key.namespace if key.kind is Kind.RULE_GROUP else key.name for key in of_kind}
    if not words:
        return f"the project has no {name.kind}"
    some = ", ".join(sorted(words)[:8])
    return suggestion(name.name, sorted(words), f"there are: {some}")
