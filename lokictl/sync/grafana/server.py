"""One Grafana: reads, writes and deletes resources of every kind by uid.

Works with version 9 and later; older ones are served where it costs nothing (numeric ids of folders and data
sources), so that a Grafana 7 can be used, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from lokictl.http import HttpClient, HttpError
from lokictl.sync.grafana.alert_groups import AlertGroups
from lokictl.sync.grafana.aside import giving_way
from lokictl.sync.grafana.connection import Connection
from lokictl.sync.grafana.dashboards import Dashboards
from lokictl.sync.grafana.data_sources import DataSources
from lokictl.sync.grafana.folders import Folders
from lokictl.sync.grafana.library_panels import LibraryPanels
from lokictl.sync.grafana.notifications import ContactPoints, MessageTemplates, MuteTimings, Policies
from lokictl.sync.plan import NOTIFICATIONS, Key, Kind, Live, Resource, Written

# Below this it is cheaper to read dashboards one by one than to list all that the Grafana has.
WORTH_A_LIST = 8


class KindStore(Protocol):
    """What reads and writes the resources of one kind."""

    def read(self, key: Key) -> Live | None: ...
    def write(self, resource: Resource, live: Live | None) -> Written: ...
    def delete(self, live: Live) -> None: ...


class Grafana:
    """One organization of a Grafana; every method may raise `HttpError`.

    ``jobs`` is how many requests it sends at once; ``message`` goes into the history of the dashboards.
    """

    def __init__(
        self, client: HttpClient, organisation: int = 0, jobs: int = 8, message: str = "lokictl sync"
    ) -> None:
        self.client, self.jobs = client, jobs
        self.connection = Connection(client, organisation)
        self.folders = Folders(self.connection)
        self.sources = DataSources(self.connection)
        self.library = LibraryPanels(self.connection)
        self.boards = Dashboards(self.connection, self.folders, message)
        self.alerts = AlertGroups(self.connection)
        self.templates = MessageTemplates(self.connection)
        self.contact_points = ContactPoints(self.connection)
        self.mute_timings = MuteTimings(self.connection)
        self.policies = Policies(self.connection)
        self._stores: dict[Kind, KindStore] = {
            Kind.FOLDER: self.folders,
            Kind.DATA_SOURCE: self.sources,
            Kind.LIBRARY_PANEL: self.library,
            Kind.TEMPLATE: self.templates,
            Kind.CONTACT_POINT: self.contact_points,
            Kind.MUTE_TIMING: self.mute_timings,
            Kind.ALERT_GROUP: self.alerts,
            Kind.POLICY: self.policies,
            Kind.DASHBOARD: self.boards,
            Kind.RECORD: self.boards,
        }

    def connect(self) -> None:
        """Asks for the version; nothing else is known to answer without credentials."""
        self.connection.connect()

    @property
    def version(self) -> str:
        """The version; "" where Grafana hides it."""
        return self.connection.version

    @property
    def titles_are_unique(self) -> bool:
        """Whether a folder holds a title once."""
        return self.connection.titles_are_unique

    # --- reading -----------------------------------------------------------------------------------------

    def read(self, keys: Iterable[Key], unreadable: dict[Key, str] | None = None) -> dict[Key, Live]:
        """Those of ``keys`` that exist, read several at a time.

        What Grafana does not show goes to ``unreadable`` with the reason; without it, that is an error.
        """
        wanted = list(dict.fromkeys(keys))
        dashboards = {key.name: key for key in wanted if key.kind in (Kind.DASHBOARD, Kind.RECORD)}
        if dashboards:
            self.boards.resource_api()  # once, before several threads ask for it
        if any(key.kind in NOTIFICATIONS for key in wanted):
            self.policies.check_set_up()
        found = self.boards.listed(dashboards, unreadable) if len(dashboards) >= WORTH_A_LIST else None
        if found is not None:
            wanted = [key for key in wanted if key.kind not in (Kind.DASHBOARD, Kind.RECORD)]
        found = found or {}

        def read(key: Key) -> Live | None:
            try:
                return self.read_one(key)
            except HttpError as error:
                if unreadable is None or not _concerns_one(error):
                    raise
                unreadable[key] = str(error)
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                if unreadable is None:
                    raise
                unreadable[key] = f"the answer was not understood ({type(error).__name__}: {error})"
            return None

        with ThreadPoolExecutor(max(1, self.jobs)) as pool:
            for key, live in zip(wanted, pool.map(read, wanted), strict=True):
                if live is not None:
                    found[key] = live
        return found

    def read_one(self, key: Key) -> Live | None:
        """One resource as it is now; None if it does not exist."""
        return self._stores[key.kind].read(key)

    def has_folder(self, uid: str) -> bool:
        """Whether there is a folder of this uid."""
        return self.folders.read(Key(Kind.FOLDER, uid)) is not None

    def all_dashboards(self) -> list[dict[str, Any]]:
        """A row (uid, title, folderUid) for every dashboard."""
        return self.connection.searched({"type": "dash-db"})

    def tagged(self, tag: str) -> list[str]:
        """The uids of all dashboards with a tag."""
        return [str(row.get("uid")) for row in self.connection.searched({"type": "dash-db", "tag": tag})]

    # --- writing -----------------------------------------------------------------------------------------

    def write(self, resource: Resource, live: Live | None) -> Written:
        """Creates the resource, or replaces ``live`` if it is still the same version."""
        return self._stores[resource.key.kind].write(resource, live)

    def replace(self, resource: Resource, live: Live) -> Written:
        """Puts the resource in the place of ``live``, which has another uid; at no moment is there neither.

        Grafana has no way to change a uid, and a name or title can be taken: the old one steps aside first.
        """
        there = self.read_one(resource.key)
        if there is None and self._is_unique(resource.key.kind):
            self.step_aside(live)
        written = self.write(resource, there)
        self.delete(live)
        return written

    def step_aside(self, live: Live) -> None:
        """Takes the name or title of a resource away, for another one to have it."""
        aside = giving_way(live)
        if aside.title == live.title:
            return
        if live.key.kind is Kind.DATA_SOURCE:
            self.sources.rename(aside)
        else:
            self.boards.write(Resource(live.key, aside.title, aside.body, live.folder), live)

    def _is_unique(self, kind: Kind) -> bool:
        return kind is Kind.DATA_SOURCE or self.titles_are_unique

    def delete(self, live: Live) -> None:
        """Deletes a resource; it may already be gone."""
        try:
            self._stores[live.key.kind].delete(live)
        except HttpError as error:
            if error.status != 404:
                raise


def _concerns_one(error: HttpError) -> bool:
    """Whether an error is about the one resource that was asked for, and not about the server or the account."""
    return error.status not in (0, 401, 429) and error.status < 502
