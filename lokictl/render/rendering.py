"""The outputs by name, and `render`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lokictl.diagnostics import LokictlError, Problem
from lokictl.model.dashboard_schema import lost_in_classic, to_v2
from lokictl.model.dashboards import written_as_v2
from lokictl.records import dataclass
from lokictl.render.alerting import alerting_notes, folders_of_alerts, render_alerting
from lokictl.render.git_sync import render_git_sync
from lokictl.render.grafana import flat_folder_notes, render_grafana, sidecar_folder_notes
from lokictl.render.helm import release_notes, render_helm
from lokictl.render.kubernetes import render_kubernetes, size_notes
from lokictl.render.operator import operator_notes, render_operator
from lokictl.render.rules import render_rules
from lokictl.render.settings import Settings, settings_of
from lokictl.render.stack import render_stack
from lokictl.render.writing import check_apart, write_files

if TYPE_CHECKING:
    from lokictl.project import Project
    from lokictl.project.objects import Dashboard


@dataclass(frozen=True, slots=True)
class Output:
    """Something that can be rendered: ``files`` gives path -> text, paths relative to the output folder.

    ``applies`` says whether a project has it at all; ``notes`` are sentences for the person who deploys the files.
    """

    name: str
    description: str
    files: Callable[[Project, Settings], Mapping[str, str]]
    applies: Callable[[Project], bool] = lambda project: True
    notes: Callable[[Project, Settings], Iterable[str]] = lambda project, settings: ()


@dataclass(frozen=True, slots=True)
class BuiltDashboard:
    """A dashboard whose JSON has been made; ``origin`` is what it was made from."""

    uid: str
    title: str
    folder: str
    data: dict[str, Any]
    origin: Any = None

    @classmethod
    def of(cls, dashboard: Dashboard) -> BuiltDashboard:
        folder = str(getattr(dashboard, "folder", "") or "")
        return cls(dashboard.uid, dashboard.title, folder, dashboard.to_json(), dashboard)

    def to_json(self) -> dict[str, Any]:
        """The dashboard's JSON model."""
        return self.data

    def to_v2(self) -> dict[str, Any]:
        """The dashboard's spec in schema v2: as it was written, or made from its classic model."""
        written = written_as_v2(getattr(self.origin, "origin", None))
        if written is not None:
            return dict(written)
        spec: dict[str, Any] = self.origin.to_v2() if hasattr(self.origin, "to_v2") else to_v2(self.data)
        return spec


def classic_notes(project: Project) -> Iterator[str]:
    """What dashboards lose in files for Grafana, which takes the classic schema only."""
    for dashboard in project.dashboards:
        if isinstance(dashboard, BuiltDashboard):
            lost = lost_in_classic(dashboard.to_v2())
            if lost:
                yield f"the dashboard {dashboard.uid} is written in the classic schema: {', '.join(lost)}"


@dataclass(frozen=True, slots=True)
class Rendering:
    """What would be written: output name -> path -> text; and notes for the person who deploys it."""

    files: Mapping[str, Mapping[str, str]]
    notes: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """(path, text) of every file, in the order of paths."""
        return iter(sorted(item for paths in self.files.values() for item in paths.items()))


def _grafana() -> Output:
    return Output(
        "grafana",
        "provisioning that a stock Grafana starts from",
        lambda project, settings: {
            **render_grafana(project, settings, folders_of_alerts(project, settings)),
            **render_alerting(project, settings),
        },
        lambda project: bool(project.dashboards or project.datasources or _has_managed_rules(project)),
        lambda project, settings: [
            *alerting_notes(project, settings),
            *classic_notes(project),
            *flat_folder_notes(project, settings),
        ],
    )


def _rules() -> Output:
    return Output(
        "rules",
        "rule files for the ruler's local storage",
        render_rules,
        lambda project: bool(project.rule_files),
    )


def _kubernetes() -> Output:
    return Output(
        "kubernetes",
        "ConfigMaps for the dashboard and rule sidecars",
        render_kubernetes,
        _has_content,
        lambda project, settings: [
            *alerting_notes(project, settings),
            *size_notes(project, settings),
            *sidecar_folder_notes(project, settings),
        ],
    )


def _helm() -> Output:
    return Output(
        "helm",
        "a Helm chart with all of it",
        render_helm,
        _has_content,
        lambda project, settings: [
            *alerting_notes(project, settings),
            *release_notes(project, settings),
            *sidecar_folder_notes(project, settings),
        ],
    )


def _stack() -> Output:
    return Output(
        "stack",
        "the platform: configuration, manifests, and its chart",
        render_stack,
        lambda project: bool(project.components),
    )


def _operator() -> Output:
    return Output(
        "operator",
        "custom resources for the Grafana operator, the Loki operator and Alloy",
        render_operator,
        _has_content,
        operator_notes,
    )


def _git_sync() -> Output:
    return Output(
        "git-sync",
        "dashboards as resources in the layout of Grafana's Git Sync",
        render_git_sync,
        lambda project: bool(project.dashboards),
    )


def _has_managed_rules(project: Project) -> bool:
    default = str(project.config["alerting"])
    if project.managed_groups:
        return True
    return any(group.home(default) == "grafana" for file in project.rule_files for group in file.groups)


def _has_content(project: Project) -> bool:
    return bool(project.dashboards or project.datasources or project.rule_files or project.alerts)


OUTPUTS: dict[str, Callable[[], Output]] = {
    "grafana": _grafana,
    "rules": _rules,
    "kubernetes": _kubernetes,
    "helm": _helm,
    "stack": _stack,
    "operator": _operator,
    "git-sync": _git_sync,
}
"""Name -> the output, imported when it is asked for."""

ON_DEMAND = ("operator", "git-sync")
"""Outputs that are rendered only when they are named."""


def chosen_outputs(project: Project, what: Iterable[str] | None = None) -> list[Output]:
    """The outputs called ``what``; without it those of ``[tool.lokictl.render]``, or all that the project has.

    Raises `LokictlError` for a name that does not exist, and for an output that the project has nothing for.
    """
    names = list(what) if what else list(project.config.table("render").get("what", ()))
    if not names:
        usual = [make for name, make in OUTPUTS.items() if name not in ON_DEMAND]
        return [output for make in usual if (output := make()).applies(project)]
    unknown = [name for name in names if name not in OUTPUTS]
    if unknown:
        raise LokictlError(
            Problem("render/what", f'unknown output "{unknown[0]}"', hint=f"known: {', '.join(OUTPUTS)}")
        )
    outputs = [OUTPUTS[name]() for name in dict.fromkeys(names)]
    for output in outputs:
        if not output.applies(project):
            raise LokictlError(
                Problem(
                    "render/empty",
                    f'the project has nothing for "{output.name}" ({output.description})',
                    hint="`lokictl list` shows what it has",
                )
            )
    return outputs


def rendering(
    project: Project,
    *,
    what: Iterable[str] | None = None,
    grafana_version: str | None = None,
    alerting: str | None = None,
) -> Rendering:
    """Everything that would be written, without writing.  Raises `LokictlError` with what is in the way.

    ``alerting`` ("loki" or "grafana") is who evaluates the rules, instead of who the project says.
    """
    if alerting is not None:
        config = replace(project.config, written={**project.config.written, "alerting": alerting})
        project = replace(project, config=config)
    settings = settings_of(project, grafana_version=grafana_version)
    outputs = chosen_outputs(project, what)
    # Every output asks for the dashboards' JSON, and making it is most of the work.
    project = replace(project, dashboards=tuple(map(BuiltDashboard.of, project.dashboards)))
    files = {output.name: dict(output.files(project, settings)) for output in outputs}
    notes = (note for output in outputs for note in output.notes(project, settings))
    return Rendering(files, tuple(dict.fromkeys(notes)))


def render(
    project: Project,
    output: Path | None = None,
    *,
    what: Iterable[str] | None = None,
    grafana_version: str | None = None,
    alerting: str | None = None,
) -> list[Path]:
    """Writes the files to ship into ``output`` (default: the project's build folder); returns their paths.

    ``what`` are names of `OUTPUTS`; ``alerting`` is that of `rendering`.  Files of an earlier render that are no longer
    wanted are removed, if nobody has changed them.  The same project gives the same bytes.  Raises `LokictlError`.
    """
    result = rendering(project, what=what, grafana_version=grafana_version, alerting=alerting)
    return write(project, result, output)


def write(project: Project, result: Rendering, output: Path | None = None) -> list[Path]:
    """Writes what `rendering` gave."""
    place = Path(output) if output is not None else project.build_folder
    keys = ("services", "rules", "dashboards", "datasources", "stack", "tests")
    content = [project.root / folder for key in keys for folder in project.config.folders(key)]
    check_apart(place, [path for path, _ in result], content)
    return write_files(place, result.files)
