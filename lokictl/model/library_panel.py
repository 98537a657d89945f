"""Library panels: panels with a name that several dashboards show."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Any

from lokictl.model.dashboards import ClassicView
from lokictl.model.documents import Cursor, Document
from lokictl.records import dataclass

# What a dashboard says of the panel at its place; everything else comes from the library.
OF_THE_PLACE = ("id", "gridPos", "libraryPanel")
# What Grafana adds to a panel of the library.
ADDED = OF_THE_PLACE


@dataclass(frozen=True)
class LibraryPanel:
    """A panel of Grafana's library: ``model`` is its JSON; ``origin`` the place in its file."""

    uid: str
    name: str
    model: Mapping[str, Any] = field(repr=False)
    path: str = ""
    origin: Cursor | None = field(default=None, compare=False, repr=False)

    @classmethod
    def from_data(cls, data: Mapping[str, Any], path: str = "", origin: Cursor | None = None) -> LibraryPanel:
        """A panel from the form that Grafana's API has.  Raises ValueError."""
        uid, name, model = data.get("uid"), data.get("name"), data.get("model")
        if not isinstance(uid, str) or not uid or not isinstance(name, str) or not name:
            raise ValueError("a library panel needs uid and name")
        if not isinstance(model, Mapping) or not model.get("type"):
            raise ValueError('a library panel needs a "model" with a type')
        return cls(uid, name, {key: value for key, value in model.items() if key not in ADDED}, path, origin)

    def as_dashboard(self) -> tuple[dict[str, Any], Cursor | None]:
        """A dashboard with nothing but this panel, to be checked, and its place in the panel's file."""
        place = {"x": 0, "y": 0, "w": 24, "h": 8}
        model = {
            "uid": self.uid,
            "title": self.name,
            "panels": [{"title": self.name, **self.model, "id": 1, "gridPos": place}],
        }
        if self.origin is None:
            return model, None
        document: Document = self.origin.document
        path = self.origin.path
        places = {(): path, ("title",): (*path, "name"), ("panels", 0): (*path, "model")}
        return model, Cursor(ClassicView(model, document.source, document, places))


def library_references(model: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(uid, name) of every library panel that a classic dashboard shows."""
    for panel in model.get("panels") or ():
        if not isinstance(panel, Mapping):
            continue
        found = panel.get("libraryPanel")
        if isinstance(found, Mapping) and found.get("uid"):
            yield str(found["uid"]), str(found.get("name") or "")
        yield from library_references(panel)


def with_library_panels(model: Mapping[str, Any], panels: Mapping[str, LibraryPanel]) -> dict[str, Any]:
    """A classic dashboard with known library panels written out, for a Grafana that has no such library."""
    found = dict(model)
    if isinstance(model.get("panels"), list):
        found["panels"] = [_written_out(panel, panels) for panel in model["panels"]]
    return found


def _written_out(panel: Any, panels: Mapping[str, LibraryPanel]) -> Any:
    if not isinstance(panel, Mapping):
        return panel
    reference = panel.get("libraryPanel")
    known = panels.get(str(reference.get("uid"))) if isinstance(reference, Mapping) else None
    if known is None:
        return with_library_panels(panel, panels)
    place = {key: panel[key] for key in ("id", "gridPos") if key in panel}
    return {"title": known.name, **known.model, **place}
