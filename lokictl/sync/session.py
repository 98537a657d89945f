"""One synchronisation of a project with a target: plan, apply, and what the caller may want to know of both."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lokictl.diagnostics import LokictlError, Problem
from lokictl.sync.apply import Applied, Applier, explained
from lokictl.sync.backup import write_backup
from lokictl.sync.configuration import Access, Target
from lokictl.sync.desired import Desired, desired_state
from lokictl.sync.grafana import Grafana
from lokictl.sync.http import HttpClient, HttpError
from lokictl.sync.interface import Action, Kind, Outcome, Plan
from lokictl.sync.planner import Options, make_plan
from lokictl.sync.ruler import NoRulerError, Ruler
from lokictl.sync.state import Actual, actual_state

if TYPE_CHECKING:
    from lokictl.project import Project

DEFAULT_JOBS = 8
DEFAULT_TIMEOUT = 30.0


@dataclass
class Servers:
    """The connections to a target's servers; None for a server that the target does not have.

    ``new_client`` makes the HTTP client of a server.
    """

    target: Target
    jobs: int = DEFAULT_JOBS
    timeout: float = DEFAULT_TIMEOUT
    read_only: bool = False
    new_client: Callable[[Access], HttpClient] | None = None
    grafana: Grafana | None = field(init=False, default=None)
    ruler: Ruler | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        target = self.target
        if target.grafana is not None:
            client = self._client(target.grafana.access)
            message = f"lokictl sync: {target.project}"
            self.grafana = Grafana(client, target.grafana.organisation, self.jobs, message)
        if target.loki is not None:
            self.ruler = Ruler(self._client(target.loki.access))

    def _client(self, access: Access) -> HttpClient:
        if self.new_client is not None:
            return self.new_client(access)
        redactor = self.target.redactor
        return HttpClient(access, redactor, timeout=self.timeout, read_only=self.read_only)

    def requests_sent(self) -> dict[str, int]:
        """How many requests went out, by method; repetitions count."""
        total: dict[str, int] = {}
        for server in (self.grafana, self.ruler):
            for method, count in server.client.requests_sent.items() if server is not None else ():
                total[method] = total.get(method, 0) + count
        return total


def only_server(target: Target, only: str | None) -> Target:
    """The target without its other server; ``only`` is "grafana", "loki" or None.  Raises `LokictlError`."""
    if only is None:
        return target
    if getattr(target, only) is None:
        raise LokictlError(Problem("sync/target", f'the target "{target.name}" has no {only}'))
    other = {"grafana": "loki", "loki": "grafana"}[only]
    return dataclasses.replace(target, **{other: None})  # type: ignore[arg-type]


@dataclass
class Session:
    """Compares ``project`` with ``target`` and makes the target like the project."""

    project: Project
    target: Target
    servers: Servers
    options: Options = field(default_factory=Options)
    desired: Desired = field(init=False)
    actual: Actual = field(init=False)
    backup: Path | None = field(init=False, default=None)

    def plan(self) -> Plan:
        """What `apply` would do; only reads.  Raises `LokictlError` (`SyncError` where a server fails)."""
        self.desired = desired_state(self.project, self.target)
        with readable_errors(self.target):
            self.actual = actual_state(self.target, self.desired, self.servers.grafana, self.servers.ruler)
            plan = make_plan(self.target, self.desired, self.actual, self.options)
            self._check_ruler(plan)
        return plan

    def _check_ruler(self, plan: Plan) -> None:
        tenants = {change.key.tenant for change in plan.writes if change.key.kind is Kind.RULE_GROUP}
        for tenant in sorted(tenants)[:1]:
            assert self.servers.ruler is not None
            self.servers.ruler.check_writable(tenant)

    def apply(self, plan: Plan, on_outcome: Callable[[Outcome], None] = lambda outcome: None) -> Applied:
        """Applies ``plan``, after a backup of everything that it changes or deletes."""
        writer = None
        changes = [change for change in plan.writes if change.key.kind is not Kind.RECORD]
        if changes:
            writer = write_backup(self.project.root, self.target, changes, self.actual.record, "sync")
            self.backup = writer.path
        applier = Applier(
            self.target,
            self.actual.record,
            self.servers.grafana,
            self.servers.ruler,
            self.servers.jobs,
            writer,
            on_outcome,
        )
        return applier.apply(plan)

    def deletions(self, plan: Plan) -> int:
        """How many resources the plan deletes."""
        return len(plan.of(Action.DELETE))


class SyncError(LokictlError):
    """A server could not do what it was asked."""


class readable_errors:  # noqa: N801 - used as a context manager
    """Turns the errors of a server into a `SyncError` that says what to do."""

    def __init__(self, target: Target) -> None:
        self.target = target

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, HttpError):
            message = f"target {self.target.name}: {explained(error, self.target)}"
            raise SyncError(Problem("sync/server", message)) from None
        if isinstance(error, NoRulerError):
            message = f"target {self.target.name}: {self.target.redactor.text(str(error))}"
            raise SyncError(Problem("sync/ruler", message)) from None
