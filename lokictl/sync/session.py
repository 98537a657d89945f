"""One sync of a project with a target: plan, apply, and what the caller may want to know of both."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from lokictl.diagnostics import LokictlError, Position, Problem
from lokictl.http import Access, HttpClient, HttpError
from lokictl.logql.versions import configured_target
from lokictl.loki_api import disagreement
from lokictl.model.rule_validation import group_problems
from lokictl.project.configuration import display_path as display_path
from lokictl.records import dataclass
from lokictl.sync.apply import Applied, Applier, explained
from lokictl.sync.backup import write_backup
from lokictl.sync.configuration import Target
from lokictl.sync.desired import Desired, desired_state
from lokictl.sync.errors import SyncError
from lokictl.sync.grafana.server import Grafana
from lokictl.sync.notifications import POLICY_KEY
from lokictl.sync.origin import Origin, keep_copy_of_id, new_id, origin_of, write_id
from lokictl.sync.plan import Action, Key, Kind, Outcome, Plan
from lokictl.sync.planner import Options, make_plan
from lokictl.sync.record import Record
from lokictl.sync.ruler import NoRulerError, Ruler
from lokictl.sync.selection import parse_names
from lokictl.sync.state import Actual, find_under_old_name, owner_mark, read_grafana, recorded_state, recover

if TYPE_CHECKING:
    from lokictl.project import Configuration, Project

DEFAULT_JOBS = 8
DEFAULT_TIMEOUT = 30.0


@dataclass
class Servers:
    """The connections to a target's servers; None for a server that the target does not have, or that is left alone.

    ``keeper`` is the Grafana that keeps the record, also where only rules are synced.  ``new_client`` makes the HTTP
    client of a server.
    """

    target: Target
    jobs: int = DEFAULT_JOBS
    timeout: float = DEFAULT_TIMEOUT
    read_only: bool = False
    new_client: Callable[[Access], HttpClient] | None = None
    grafana: Grafana | None = field(init=False, default=None)
    ruler: Ruler | None = field(init=False, default=None)
    keeper: Grafana | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        target = self.target
        if target.grafana is not None:
            client = self._client(target.grafana.access)
            message = f"lokictl sync: {target.project}"
            self.keeper = Grafana(client, target.grafana.organisation, self.jobs, message)
            self.grafana = self.keeper if target.only != "loki" else None
        if target.loki is not None and target.only != "grafana":
            self.ruler = Ruler(self._client(target.loki.access))

    def _client(self, access: Access) -> HttpClient:
        if self.new_client is not None:
            return self.new_client(access)
        redactor = self.target.redactor
        return HttpClient(access, redactor, timeout=self.timeout, read_only=self.read_only)

    def requests_sent(self) -> dict[str, int]:
        """How many requests went out, by method; repetitions count."""
        total: dict[str, int] = {}
        for server in (self.keeper, self.ruler):
            for method, count in server.client.requests_sent.items() if server is not None else ():
                total[method] = total.get(method, 0) + count
        return total


def only_server(target: Target, only: str | None) -> Target:
    """The target without its other server; ``only`` is "grafana", "loki" or None.  Raises `LokictlError`."""
    if only is None:
        return target
    if getattr(target, only) is None:
        raise LokictlError(Problem("sync/target", f'the target "{target.name}" has no {only}'))
    return dataclasses.replace(target, selection=dataclasses.replace(target.selection, only=only))


def only_named(target: Target, texts: Iterable[str]) -> Target:
    """The target for a run that is for single resources.  Raises `LokictlError`."""
    selection = dataclasses.replace(target.selection, names=parse_names(texts))
    return dataclasses.replace(target, selection=selection)


@dataclass
class Session:
    """Compares ``project`` with ``target`` and makes the target like the project.

    ``strict``: a resource that the server does not show stops everything; otherwise the others are done without it.
    """

    project: Project
    target: Target
    servers: Servers
    options: Options = field(default_factory=Options)
    strict: bool = False
    desired: Desired = field(init=False)
    actual: Actual = field(init=False)
    backup: Path | None = field(init=False, default=None)
    notes: list[str] = field(init=False, default_factory=list)

    def plan(self) -> Plan:
        """What `apply` would do; only reads.  Raises `LokictlError` (`SyncError` where a server fails)."""
        self.desired = desired_state(self.project, self.target)
        with readable_errors(self.target):
            self._warn_of_version()
            self.actual = self._recorded()
            own = origin_of(self.project.config)
            self._find_under_old_name(own)
            self.origin = checked_origin(own, self.project.config, self.target, self.actual.record)
            self._keep_folder()
            self._fit_schema()
            self.target.selection.check((*self.desired.resources, *self.actual.record.entries))
            if self.servers.grafana is not None:
                recover(self.target, self.origin, self.servers.grafana, self.actual)
                self._choose_branches()
                self.servers.grafana.folders.with_permissions = frozenset(
                    r.key.name for r in self.desired.of(Kind.FOLDER) if "permissions" in r.body
                )
                read_grafana(self.target, self.desired, self.servers.grafana, self.actual)
                self._keep_renamed_folders()
            self._check_readable()
            plan = make_plan(self.target, self.desired, self.actual, self.options)
            self._check_ruler(plan)
            return self._with_logins(plan)

    def _warn_of_version(self) -> None:
        """Says that the target's Loki is not of the version that the project is for."""
        wanted = configured_target()
        if wanted is None or self.servers.ruler is None:
            return
        warning = disagreement(self.servers.ruler.version(), wanted)
        if warning:
            self.desired.warnings.append(warning)

    def _choose_branches(self) -> None:
        """With policies = "branches", routes are ours that lead to contact points of ours."""
        assert self.servers.grafana is not None
        policy = self.desired.resources.get(POLICY_KEY)
        if self.target.policies != "branches":
            return
        keys = [*self.desired.resources, *self.actual.record.entries]
        own = frozenset(key.name for key in keys if key.kind is Kind.CONTACT_POINT)
        self.servers.grafana.policies.branches_to = own
        if policy is not None:
            body = {**policy.body, "receivers": sorted(own)}
            resource = dataclasses.replace(policy, body=body)
            self.desired.resources[POLICY_KEY] = resource
            self._warn_of_branches()

    def _warn_of_branches(self) -> None:
        """Says what the project's routes do not get in a tree that is not theirs."""
        assert self.servers.grafana is not None
        assert self.project.notifications is not None
        name = self.project.notifications.route.receiver
        self.desired.warnings.append(
            f'policies = "branches": the root of the project\'s routes ("{name}") is not uploaded; what none of its '
            "routes takes, Grafana's own root takes"
        )
        for route in self.servers.grafana.policies.others():
            takes_all = not any(
                route.get(key) for key in ("matchers", "object_matchers", "match", "match_re")
            )
            if takes_all and not route.get("continue"):
                self.desired.warnings.append(
                    f'a route to "{route.get("receiver")}" takes every alert before the routes of this project'
                )

    def _with_logins(self, plan: Plan) -> Plan:
        """The plan with people by their logins in the reasons of conflicts."""
        grafana = self.servers.grafana
        changes = list(plan.changes)
        for index, change in enumerate(changes):
            found = re.search(r"by (user:\S+)", change.reason)
            if (
                change.action is not Action.CONFLICT
                or found is None
                or grafana is None
                or change.live is None
            ):
                continue
            login = grafana.boards.login_of_editor(change.live)
            if login:
                reason = change.reason.replace(found[1], login)
                changes[index] = dataclasses.replace(change, reason=reason)
        return dataclasses.replace(plan, changes=tuple(changes))

    def check(self) -> None:
        """Checks LogQL and templates of all rules as Loki would.  Raises `SyncError` with every problem found."""
        if self.target.loki is None or self.target.only == "grafana":
            return
        problems = [problem for file in self.project.rule_files for problem in group_problems(file.groups)]
        if problems:
            raise SyncError(problems)

    def _find_under_old_name(self, own: Origin) -> None:
        keeper = self.servers.keeper
        if keeper is None:
            return
        find_under_old_name(own, keeper, self.actual)
        previous = self.actual.record.previous
        if previous is not None:
            name = previous.title.removeprefix("lokictl: ")
            note = f'the project was called "{name}"; the resources it created under that name are kept'
            self.desired.warnings.append(note)

    def _recorded(self) -> Actual:
        servers = self.servers
        dashboards = [d for d in self.desired.of(Kind.DASHBOARD) if self.target.selection.covers(d.key)]
        if servers.grafana is not None or servers.keeper is None:
            return recorded_state(self.target, dashboards, servers.grafana, servers.ruler)
        try:
            actual = recorded_state(self.target, (), servers.keeper, servers.ruler)
            if actual.record.live is None:
                servers.keeper = None
        except HttpError as error:
            # Rules can be synced while Grafana is away; what it knows of them is missing then.
            warning = f"cannot read lokictl's record in Grafana, so changed rules count as conflicts: {error}"
            self.desired.warnings.append(warning)
            servers.keeper = None
            actual = recorded_state(self.target, (), None, servers.ruler)
        return actual

    def _keep_folder(self) -> None:
        """A folder whose title changes in the configuration is renamed, not left for a new one."""
        known = self.actual.record.place
        if (
            self.target.only == "loki"
            or known is None
            or self.target.has_fixed_folder
            or known.folder in ("", self.target.folder_uid)
        ):
            return
        key = Key(Kind.FOLDER, known.folder)
        if self.actual.record.get(key) is None or key in self.desired.resources:
            return
        self.desired = self.desired.with_folder(self.target.folder_uid, known.folder)
        self.target = dataclasses.replace(self.target, folder_uid=known.folder)

    def _keep_renamed_folders(self) -> None:
        """A folder that is named by its title and has another one now keeps its uid, and all that is set for it."""
        lives, desired = self.actual.lives, self.desired
        for uid in sorted(desired.named_folders):
            key = Key(Kind.FOLDER, uid)
            if key not in desired.resources or key in lives or self.actual.record.get(key) is not None:
                continue
            inside = {r.key for r in desired.of(Kind.DASHBOARD) if r.folder == uid}
            before = {live.folder for k in inside if (live := lives.get(k)) and self.actual.record.get(k)}
            old = Key(Kind.FOLDER, before.pop()) if len(before) == 1 else key
            known = self.actual.record.get(old) is not None and old not in desired.resources
            moves = {k for k, live in lives.items() if k.kind is Kind.DASHBOARD and live.folder == old.name}
            if known and old in lives and moves & set(desired.resources) <= inside:
                self.desired = desired = desired.with_folder(uid, old.name)

    def _fit_schema(self) -> None:
        grafana = self.servers.grafana
        has_new = any(resource.schema for resource in self.desired.resources.values())
        if grafana is None or not has_new or grafana.boards.serves_v2:
            return
        if self.target.schema == "v2":
            version = f"Grafana {grafana.version}".rstrip()
            message = f'target {self.target.name}: schema = "v2", but {version} does not serve it'
            raise SyncError(
                Problem("sync/schema", message, hint='Grafana 12.2 and later do; use schema = "v1"')
            )
        self.desired = self.desired.as_classic()

    def _check_readable(self) -> None:
        if self.strict and self.actual.unreadable:
            problems = [
                Problem("sync/server", f"target {self.target.name}: {key}: {reason}")
                for key, reason in self.actual.unreadable.items()
            ]
            raise SyncError(problems)

    def _check_ruler(self, plan: Plan) -> None:
        tenants = {change.key.tenant for change in plan.writes if change.key.kind is Kind.RULE_GROUP}
        for tenant in sorted(tenants)[:1]:
            assert self.servers.ruler is not None
            self.servers.ruler.check_writable(tenant)

    def validate(self, plan: Plan) -> None:
        """Lets Grafana check every dashboard of ``plan`` without writing it.

        Raises `SyncError` with all that it refuses.
        """
        grafana = self.servers.grafana
        kinds = (Action.CREATE, Action.UPDATE, Action.REPLACE)
        changes = [change for change in plan.of(*kinds) if change.key.kind is Kind.DASHBOARD]
        if grafana is None or not changes:
            return
        new = {c.key.name for c in plan.of(Action.CREATE) if c.key.kind is Kind.FOLDER}
        problems = []
        for change in changes:
            assert change.desired is not None
            # A folder that this very plan creates is not there yet.
            folder = "" if change.desired.folder in new else change.desired.folder
            resource = dataclasses.replace(change.desired, folder=folder)
            live = change.live if change.replaced is None else None
            try:
                if not grafana.boards.validate(resource, live):
                    plan_note = "this Grafana cannot check dashboards without writing them (12 and later can)"
                    self.notes.append(plan_note)
                    return
            except HttpError as error:
                place = Position(change.desired.source)
                message = f"{change.key}: {explained(error, self.target)}"
                problems.append(Problem("sync/validate", message, position=place))
        if problems:
            raise SyncError(problems)

    def apply(self, plan: Plan, on_outcome: Callable[[Outcome], None] = lambda outcome: None) -> Applied:
        """Applies ``plan``, after a backup of everything that it changes or deletes."""
        writer = None
        self._name_origin(plan)
        changes = [change for change in plan.writes if change.key.kind is not Kind.RECORD]
        if changes:
            folders = {
                key.name: live.title for key, live in self.actual.lives.items() if key.kind is Kind.FOLDER
            }
            writer = write_backup(
                self.project.root, self.target, changes, self.actual.record, "sync", folders
            )
            self.backup = writer.path
        if self.servers.grafana is not None:
            self.servers.grafana.sources.owner = owner_mark(self.target, self.origin)
        applier = Applier(
            self.target,
            self.actual.record,
            self.servers.grafana,
            self.servers.ruler,
            self.servers.jobs,
            writer,
            on_outcome,
            keeper=self.servers.keeper,
            origin=self.origin,
            strict=self.strict,
        )
        return applier.apply(plan)

    def _name_origin(self, plan: Plan) -> None:
        """Gives the project its id with the first sync, or the one that the record has already."""
        configuration = self.project.config
        if configuration["id"] or not plan.writes:
            return
        chosen = self.actual.record.origin.id or self.origin.id or new_id()
        keep_copy_of_id(configuration.root, chosen)
        self.origin = dataclasses.replace(self.origin, id=chosen)
        if configuration.file is None:
            return
        file = display_path(configuration.file)
        if write_id(configuration, chosen):
            self.notes.append(
                f'wrote id = "{chosen}" to {file}; commit it, it marks what belongs to this project'
            )
        else:
            self.notes.append(
                f'add id = "{chosen}" below the name in {file}: it marks what belongs to this project'
            )

    def deletions(self, plan: Plan) -> int:
        """How many resources the plan deletes."""
        return len(plan.of(Action.DELETE))


def checked_origin(ours: Origin, configuration: Configuration, target: Target, record: Record) -> Origin:
    """The project's origin.  Raises `SyncError` when the record on the server is that of another project."""
    recorded = record.origin
    if not recorded.known:
        return ours
    if ours.is_same(recorded):
        # What the record says stays, so that every checkout of the project writes the same.
        return dataclasses.replace(recorded, id=recorded.id or ours.id)
    message = (
        f'target {target.name}: another project named "{target.project}" is synced there: {recorded}; '
        f"this one has {ours}"
    )
    hint = "give this project another name"
    if recorded.id:
        hint += f'; if it is the same project, write id = "{recorded.id}" below its name'
    raise SyncError(Problem("sync/origin", message, position=configuration.position("name"), hint=hint))


@contextlib.contextmanager
def readable_errors(target: Target) -> Iterator[None]:
    """Turns the errors of a server into a `SyncError` that says what to do."""
    try:
        yield
    except HttpError as error:
        message = f"target {target.name}: {explained(error, target)}"
        raise SyncError(Problem("sync/server", message)) from None
    except NoRulerError as error:
        message = f"target {target.name}: {target.redactor.text(str(error))}"
        raise SyncError(Problem("sync/ruler", message)) from None
