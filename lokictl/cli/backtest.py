"""``lokictl backtest``"""

from __future__ import annotations

import fnmatch
import os
import shutil
import sys
import time as clock
from collections.abc import Callable, Sequence
from dataclasses import replace
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lokictl.backtest.cache import Cache, default_folder
from lokictl.backtest.capture import parse_moment, save_test
from lokictl.backtest.comparison import compare
from lokictl.backtest.conditions import decide, parse_condition
from lokictl.backtest.connect import open_loki
from lokictl.backtest.evaluation import Settings
from lokictl.backtest.file_history import FileHistory
from lokictl.backtest.incidents import judge, load_incidents
from lokictl.backtest.lines import explore_link, sample_lines, with_lines
from lokictl.backtest.loki_history import LokiHistory
from lokictl.backtest.managed import note_ends
from lokictl.backtest.outputs.charts import check_library, overview_png
from lokictl.backtest.outputs.github import github_lines
from lokictl.backtest.outputs.html import html_page
from lokictl.backtest.outputs.json_output import as_json
from lokictl.backtest.outputs.markdown import markdown
from lokictl.backtest.outputs.report import Report, duration
from lokictl.backtest.outputs.terminal import terminal_text
from lokictl.backtest.rules import load_groups, load_other, select
from lokictl.backtest.session import Session
from lokictl.backtest.sweep import lead_of, parse_axis, sweep
from lokictl.cli.common import (
    debug_option,
    format_option,
    loki_version_option,
    project_option,
    quiet_option,
    wants_color,
    write_json,
)
from lokictl.cli.progress import ProgressBar
from lokictl.diagnostics import LokictlError, Problem
from lokictl.http import access_of
from lokictl.logql.units import parse_bytes, parse_prometheus_duration
from lokictl.model.times import format_time, parse_time
from lokictl.project import load
from lokictl.project.configuration import find_configuration
from lokictl.records import dataclass
from lokictl.sync.configuration import load_target

if TYPE_CHECKING:
    from lokictl.backtest.conditions import Condition
    from lokictl.backtest.history import History
    from lokictl.backtest.incidents import Incident
    from lokictl.backtest.sweep import Axis
    from lokictl.model import RuleGroup

Command = TypeVar("Command", bound=Callable[..., Any])
DEFAULT_SINCE = "7d"


@dataclass(frozen=True)
class Arguments:
    """The options and arguments of one run."""

    paths: tuple[Path, ...]
    loki: str
    target: str
    logs: tuple[str, ...]
    tenant: str
    labels: tuple[str, ...]
    time_field: str
    since: str | None
    start: str | None
    end: str | None
    alerts: tuple[str, ...]
    against: str
    home: str
    axes: tuple[str, ...]
    incidents_file: Path | None
    save_test: str
    output: Path | None
    html: Path | None
    png: Path | None
    fail_if: tuple[str, ...]
    jobs: int
    max_bytes: str
    timeout: float
    cache: Path | None
    no_cache: bool
    evaluation_interval: str
    grafana: str
    datasource: str
    external_url: str
    external_labels: tuple[str, ...]
    verbose: bool
    quiet: bool
    project_root: Path | None
    output_format: str


def source_options(function: Command) -> Command:
    """Where the logs are, and which time range to read."""
    for option in (
        click.option("--time-field", default="", metavar="NAME", help="JSON field with a line's timestamp."),
        click.option("-l", "--labels", multiple=True, metavar="NAME=VALUE",
                     help="Stream label of the lines in --logs; repeatable."),
        click.option("--to", "end", metavar="TIME", help="End of the time range; default: now, or the last line."),
        click.option("--from", "start", metavar="TIME",
                     help="Start of the time range; default: the first line of --logs."),
        click.option("--since", metavar="DURATION",
                     help=f"Use the last DURATION; default with a Loki: {DEFAULT_SINCE}."),
        click.option("--tenant", default="", metavar="NAME", help="Tenant ID (X-Scope-OrgID)."),
        click.option("--logs", multiple=True, metavar="FILE",
                     help="Read log files, plain or compressed; repeatable, globs work."),
        click.option("--target", "-t", default="", metavar="NAME",
                     help="Query the Loki of this target of the project."),
        click.option("--loki", default="", metavar="URL", help="Query this Loki."),
    ):  # fmt: skip
        function = option(function)
    return function


def question_options(function: Command) -> Command:
    """What to report."""
    for option in (
        click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
                     help="File that --save-test writes; default: ALERT_test.yaml."),
        click.option("--save-test", default="", metavar="ALERT@TIME",
                     help="Write a unit test of that moment: few lines, no personal data, passing."),
        click.option("--incidents", "incidents_file", type=click.Path(path_type=Path), metavar="FILE",
                     help="Report which of these known incidents (YAML) were caught, and how soon."),
        click.option("--sweep", "axes", multiple=True, metavar="WHAT=VALUES",
                     help="Try other settings: threshold=2:20:2, for=0s,1m,5m, range=1m,5m; repeat to combine."),
        click.option("--against", default="", metavar="OLD",
                     help="Compare with other rules: git:REV, a file or a directory."),
        click.option("--as", "home", type=click.Choice(["loki", "grafana"]), default="loki", show_default=True,
                     help="Who evaluates the rules; for grafana also where that differs from Loki's ruler."),
        click.option("--alert", "alerts", multiple=True, metavar="NAME",
                     help="Run only rules that match this glob; repeatable."),
    ):  # fmt: skip
        function = option(function)
    return function


def run_options(function: Command) -> Command:
    """How to run, and how to show the result."""
    for option in (
        click.option("--external-label", "external_labels", multiple=True, metavar="NAME=VALUE",
                     help="Set an external label, as in the ruler's configuration; repeatable."),
        click.option("--external-url", default="", metavar="URL",
                     help="Set the external URL, as in the ruler's configuration."),
        click.option("--datasource", default="", metavar="UID", help="Loki data source to use in Explore links."),
        click.option("--grafana", default="", metavar="URL", help="Link episodes to Explore in this Grafana."),
        click.option("--evaluation-interval", default="1m", show_default=True, metavar="DURATION",
                     help="Interval of groups that set none."),
        click.option("--no-cache", is_flag=True, help="Query everything again, and cache nothing."),
        click.option("--cache", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
                     help="Cache directory; default: ~/.cache/lokictl/backtest."),
        click.option("--timeout", type=click.FloatRange(0.1), default=120.0, show_default=True, metavar="SECONDS",
                     help="Time limit of one query."),
        click.option("--max-bytes", default="", metavar="SIZE",
                     help="Refuse to read more than this (50GB), by Loki's estimate."),
        click.option("-j", "--jobs", type=click.IntRange(1, 64), default=4, show_default=True, metavar="N",
                     help="Number of parallel queries; with --logs, of processes (at most one per CPU)."),
        click.option("--fail-if", multiple=True, metavar="CONDITION",
                     help="Exit with 1 if this is true: pages>5, removed>0, recall<1; repeatable."),
        click.option("--png", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
                     help="Write a timeline of all alerts as a PNG image."),
        click.option("--html", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
                     help="Write a self-contained HTML report."),
        click.option("-v", "--verbose", is_flag=True,
                     help="Show every episode with its log lines, and every request on stderr."),
    ):  # fmt: skip
        function = option(function)
    return function


@click.command(
    "backtest",
    epilog="""\b
Examples:
  lokictl backtest --loki http://localhost:3100 --since 7d
  lokictl backtest rules.yaml --logs 'app-*.log.gz' -l app=api -v
  lokictl backtest --target production --since 30d --against git:origin/main --format markdown
  lokictl backtest --logs api.ndjson --alert ApiErrors --sweep threshold=2:20:2 --incidents incidents.yaml
  lokictl backtest --loki http://localhost:3100 --save-test ApiErrors@2026-01-03T10:05:00Z
  lokictl backtest --loki http://localhost:3100 --as grafana
  lokictl backtest --target production --html report.html --fail-if 'pages_per_week>10'
""",
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[RULES]...")
@source_options
@question_options
@run_options
@loki_version_option
@project_option
@format_option("text", "json", "markdown", "github")
@quiet_option
@debug_option
@click.pass_context
def command(context: click.Context, /, **options: Any) -> None:
    """Run rules over past logs: when would they have fired?

    RULES are rule files or directories; default: the rules of the content project. The logs come from a Loki (--loki,
    --target) or from files (--logs).

    Exit status: 0 done, 1 a --fail-if condition is true or cannot be evaluated, 2 usage error or nothing to evaluate.
    """
    run = _Run(Arguments(**options))
    try:
        context.exit(run.status())
    finally:
        run.close()


class _Run:
    """One run of the command."""

    def __init__(self, arguments: Arguments) -> None:
        self.arguments = arguments
        self.history: History | None = None
        self.progress = ProgressBar(not arguments.quiet)

    def close(self) -> None:
        self.progress.end()
        if self.history is not None:
            self.history.close()

    def status(self) -> int:
        arguments = self.arguments
        groups = select(load_groups(arguments.paths, arguments.project_root), arguments.alerts)
        others = (
            load_other(arguments.against, arguments.paths, arguments.project_root)
            if arguments.against
            else []
        )
        if others and arguments.alerts:
            others = [group for group in others if group.rules]
            others = _only(others, {rule.name for group in groups for rule in group.rules}, arguments.alerts)
        axes = self._axes()
        incidents = self._incidents(groups)
        conditions = self._conditions()
        self._check_outputs()
        if arguments.save_test and arguments.home == "grafana":
            raise click.UsageError(
                "--save-test writes tests of the ruler; `lokictl test --as grafana` runs them with Grafana's states"
            )
        session = self._session(groups, others, axes)
        if arguments.save_test:
            return self._save_test(session, groups)
        report = self._report(session, groups, others, axes, incidents, conditions)
        self.progress.end()
        self._show(report)
        session.cache.prune()
        return self._judge(report)

    # --- what was said -----------------------------------------------------------------------------------------

    def _axes(self) -> list[Axis]:
        return [parse_axis(text) for text in self.arguments.axes]

    def _incidents(self, groups: Sequence[RuleGroup]) -> list[Incident]:
        file = self.arguments.incidents_file
        if file is None:
            return []
        known = [] if self.arguments.alerts else [rule.name for group in groups for rule in group.rules]
        return load_incidents(file, known)

    def _conditions(self) -> list[Condition]:
        arguments = self.arguments
        return [
            parse_condition(
                text,
                with_comparison=bool(arguments.against),
                with_incidents=arguments.incidents_file is not None,
            )
            for text in arguments.fail_if
        ]

    def _check_outputs(self) -> None:
        """Checks that the output files can be written, before the work begins."""
        if self.arguments.html or self.arguments.png:
            check_library()
        for file in (self.arguments.html, self.arguments.png):
            if file is not None and not file.resolve().parent.is_dir():
                raise click.UsageError(f"the directory of {file} does not exist")

    # --- the logs ----------------------------------------------------------------------------------------------

    def _session(
        self, groups: Sequence[RuleGroup], others: Sequence[RuleGroup], axes: Sequence[Axis]
    ) -> Session:
        arguments = self.arguments
        self.history = self._history()
        folder = None if arguments.no_cache else arguments.cache or default_folder()
        cache = Cache(folder, self.history.identity)
        start, end, warnings = self._time(cache)
        settings = Settings(
            _duration("--evaluation-interval", arguments.evaluation_interval),
            _pairs("--external-label", arguments.external_labels),
            arguments.external_url,
            self.history.max_series,
        )
        session = Session(
            self.history,
            start,
            end,
            settings,
            cache,
            _size("--max-bytes", arguments.max_bytes),
            self.progress,
        )
        session.warnings += warnings
        self._check_retention(session)
        session.open([*groups, *others])
        session.lead = max(session.lead, lead_of(axes))
        return session

    def _history(self) -> History:
        arguments = self.arguments
        given = [name for name in ("loki", "target", "logs") if getattr(arguments, name)]
        if len(given) != 1:
            names = " and ".join(f"--{name}" for name in given)
            raise click.UsageError(
                f"{names}: use only one"
                if given
                else "no log source: use --loki URL, --target NAME or --logs FILE"
            )
        if arguments.logs:
            return self._files()
        if arguments.loki:
            access, redactor = access_of(arguments.loki)
            return open_loki(
                access,
                tenant=arguments.tenant,
                jobs=arguments.jobs,
                timeout=arguments.timeout,
                redactor=redactor,
            )
        target = self._target()
        if target.loki is None:
            raise click.UsageError(f"the target {target.name} has no Loki")
        tenants = list(target.loki.tenants)
        tenant = arguments.tenant or (tenants[0] if len(tenants) == 1 else "")
        if len(tenants) > 1 and not arguments.tenant:
            raise click.UsageError(
                f"the target {target.name} has several tenants: choose one with --tenant {'|'.join(tenants)}"
            )
        return open_loki(
            target.loki.access,
            tenant=tenant,
            jobs=arguments.jobs,
            timeout=arguments.timeout,
            redactor=target.redactor,
        )

    def _target(self) -> Any:
        return load_target(find_configuration(self.arguments.project_root), self.arguments.target)

    def _files(self) -> History:
        paths: list[str] = []
        for pattern in self.arguments.logs:
            is_glob = any(letter in pattern for letter in "*?[")
            found = sorted(glob(pattern)) if is_glob else [pattern]  # noqa: PTH207 - it may be absolute
            if not found:
                raise click.UsageError(f"no file matches {pattern}")
            paths += found
        for path in paths:
            if not Path(path).is_file():
                raise click.UsageError(f"log file not found: {path}")
        return FileHistory(
            list(dict.fromkeys(paths)),
            _pairs("--labels", self.arguments.labels),
            self.arguments.time_field,
            jobs=min(self.arguments.jobs, os.cpu_count() or 1),
        )

    def _time(self, cache: Any) -> tuple[int, int, list[str]]:
        """Start and end (ns), and remarks about them."""
        arguments, history, now = self.arguments, self.history, clock.time_ns()
        assert history is not None
        if arguments.since and arguments.start:
            raise click.UsageError("--since and --from both set the start; use one of them")
        warnings: list[str] = []
        extent = self._extent(cache)
        end = _moment("--to", arguments.end, now) if arguments.end else extent[1] if extent else now
        if end > now and not extent:
            warnings.append("--to is in the future; using the current time")
            end = now
        if arguments.start:
            start = _moment("--from", arguments.start, now)
        elif arguments.since or extent is None:
            start = end - _duration("--since", arguments.since or DEFAULT_SINCE)
        else:
            start = extent[0]
        if start >= end:
            late = " (that is in the future)" if start > now else ""
            raise click.UsageError(f"the time starts at {_shown(start)}{late} and ends at {_shown(end)}")
        return start, end, warnings

    def _extent(self, cache: Any) -> tuple[int, int] | None:
        history = self.history
        if not isinstance(history, FileHistory):
            return None
        history.prepare(cache.value, cache.keep_value)
        extent = history.extent()
        if extent is None:
            raise LokictlError(Problem("backtest/no-logs", f"no lines in {history.description}"))
        return extent

    def _check_retention(self, session: Session) -> None:
        history = self.history
        if isinstance(history, LokiHistory) and history.retention:
            oldest = session.now - history.retention
            if session.end <= oldest:
                raise click.UsageError(
                    f"{history.description} keeps logs for {duration(history.retention)}: "
                    f"no logs before {_shown(oldest)}"
                )
            session.begin_at(oldest, f"this Loki keeps logs for {duration(history.retention)}")

    # --- the work ----------------------------------------------------------------------------------------------

    def _report(
        self,
        session: Session,
        groups: Sequence[RuleGroup],
        others: Sequence[RuleGroup],
        axes: Sequence[Axis],
        incidents: Sequence[Incident],
        conditions: list[Condition],
    ) -> Report:
        session.prepare([*groups, *others])
        home = self.arguments.home
        on_ruler = session.run(groups) if home == "grafana" and not self.arguments.against else None
        session.home = home
        report = Report(session.run(groups))
        if on_ruler is not None:
            report.comparison = compare(on_ruler, report.backtest, "Loki's ruler")
            note_ends(report.comparison)
        if self.arguments.against:
            report.comparison = compare(session.run(others), report.backtest, self.arguments.against)
        if axes:
            report.sweep = sweep(session, groups, axes, incidents)
        if incidents:
            report.score = judge(report.backtest, incidents)
        for condition in conditions:
            decide(condition, report.backtest, report.comparison, report.score)
        report.conditions = conditions
        self._add_lines(session, report)
        return report

    def _add_lines(self, session: Session, report: Report) -> None:
        base, datasource = self._grafana()
        chosen = list(with_lines(report.backtest.alerts))
        if report.comparison is not None:
            for change in report.comparison.changed:
                for history, episodes in ((change.before, change.removed), (change.after, change.added)):
                    if history is not None:
                        chosen += [(history, episode) for episode in episodes]
        if self.arguments.verbose or self.arguments.html or report.comparison is not None:
            if not (self.arguments.verbose or self.arguments.html):
                chosen = chosen[len(with_lines(report.backtest.alerts)) :]
            report.lines = sample_lines(session, chosen)
        if base:
            report.links = {
                id(episode): explore_link(base, datasource, history, episode) for history, episode in chosen
            }

    def _grafana(self) -> tuple[str, str]:
        arguments = self.arguments
        base = arguments.grafana
        if not base and arguments.target:
            target = self._target()
            base = target.grafana.access.url if target.grafana is not None else ""
        if not base:
            return "", ""
        return base, arguments.datasource or self._project_datasource() or "loki"

    def _project_datasource(self) -> str:
        try:
            found = [one for one in load(self.arguments.project_root).datasources if one.type == "loki"]
        except LokictlError:
            return ""
        return min(found, key=lambda one: not one.is_default).uid if found else ""

    # --- the result --------------------------------------------------------------------------------------------

    def _show(self, report: Report) -> None:
        arguments = self.arguments
        if arguments.png:
            arguments.png.write_bytes(overview_png(report))
        if arguments.html:
            arguments.html.write_text(html_page(report), encoding="utf-8")
        if arguments.output_format == "json":
            write_json(as_json(report))
        elif arguments.output_format == "markdown":
            click.echo(markdown(report, picture=arguments.png.name if arguments.png else ""), nl=False)
        elif arguments.output_format == "github":
            for line in github_lines(report):
                click.echo(line)
        elif not arguments.quiet:
            click.echo(self._text(report))
        for file in (arguments.html, arguments.png):
            if file is not None and not arguments.quiet:
                click.echo(f"wrote {file}", err=True)

    def _text(self, report: Report) -> str:
        encoding = (getattr(sys.stdout, "encoding", "") or "").lower()
        return terminal_text(
            report,
            width=shutil.get_terminal_size((120, 40)).columns,
            color=wants_color(),
            verbose=self.arguments.verbose,
            unicode=encoding.startswith("utf"),
        )

    def _judge(self, report: Report) -> int:
        status = 0
        for condition in report.conditions:
            if condition.failed and condition.value is not None:
                click.echo(f"failed: {condition.text} (it is {condition.value:g})", err=True)
                status = 1
        if report.conditions and report.backtest.is_partial and not status:
            click.echo(
                "failed: part of the time range could not be evaluated, so conditions cannot be", err=True
            )
            status = 1
        return status

    def _save_test(self, session: Session, groups: Sequence[RuleGroup]) -> int:
        arguments = self.arguments
        name, time = parse_moment(arguments.save_test, groups, now=session.now)
        file = arguments.output or Path(f"{name}_test.yaml")
        saved = save_test(session, groups, name, time, file)
        self.progress.end()
        if not arguments.quiet:
            click.echo(f"wrote {file}: {saved.summary}")
        return 0


def _only(groups: Sequence[RuleGroup], names: set[str], patterns: Sequence[str]) -> list[RuleGroup]:
    """The rules of the old groups with the chosen names, or that match the patterns."""
    found = []
    for group in groups:
        rules = tuple(
            rule
            for rule in group.rules
            if rule.name in names or any(fnmatch.fnmatchcase(rule.name, pattern) for pattern in patterns)
        )
        if rules:
            found.append(replace(group, rules=rules))
    return found


def _pairs(option: str, pairs: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        for part in pair.split(","):
            name, equals, value = part.partition("=")
            if not equals or not name.strip():
                raise click.BadParameter(f'"{part}" is not NAME=VALUE', param_hint=option)
            found[name.strip()] = value.strip().strip('"')
    return found


def _moment(option: str, text: str, now: int) -> int:
    try:
        return parse_time(text, now=now)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from None


def _duration(option: str, text: str) -> int:
    try:
        found = parse_prometheus_duration(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from None
    if found <= 0:
        raise click.BadParameter("must be longer than 0", param_hint=option)
    return found


def _size(option: str, text: str) -> int:
    if not text:
        return 0
    try:
        return parse_bytes(text)
    except ValueError:
        raise click.BadParameter(f'invalid size "{text}": use 500MB or 20GB', param_hint=option) from None


def _shown(time: int) -> str:
    return format_time(time // 1_000_000_000 * 1_000_000_000)
