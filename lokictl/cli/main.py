"""The ``lokictl`` command: a group whose commands are imported only when they are asked for."""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import sys
from typing import TYPE_CHECKING, Any

import click

from lokictl import __version__
from lokictl.cli.logs import add_verbose_option, log_to_stderr
from lokictl.lazy import lazy

if TYPE_CHECKING:
    import difflib

    from lokictl import diagnostics, errors
    from lokictl.cli import common
else:
    # The help needs none of them.
    common, difflib = lazy("lokictl.cli.common"), lazy("difflib")
    diagnostics, errors = lazy("lokictl.diagnostics"), lazy("lokictl.errors")

# name -> (module, one-line help).  The help stands here so that `lokictl --help` need not import the modules.
COMMANDS: dict[str, tuple[str, str]] = {
    "check": ("lokictl.cli.check", "Lint, test and render the whole project."),
    "lint": ("lokictl.cli.lint", "Lint rules, dashboards and data sources, and cross-check them."),
    "test": ("lokictl.cli.test", "Run unit tests for Loki rules."),
    "backtest": ("lokictl.cli.backtest", "Run rules over past logs: when would they have fired?"),
    "render": ("lokictl.cli.render", "Write deployment files: provisioning, rules, Kubernetes, Helm."),
    "sync": ("lokictl.cli.sync", "Upload to Grafana and the Loki ruler: plan, then apply."),
    "diff": ("lokictl.cli.diff", "Show what `sync` would change, without writing anything."),
    "pull": ("lokictl.cli.pull", "Import a live Grafana and Loki into the project as Python."),
    "rollback": ("lokictl.cli.rollback", "Undo the changes of the last `sync`."),
    "query": ("lokictl.cli.query", "Run LogQL over log files, without a server."),
    "upgrade": ("lokictl.cli.upgrade", "Report what a Loki upgrade changes in your files."),
    "conformance": (
        "lokictl.cli.conformance",
        "Compare a LogQL endpoint with recorded answers of a real Loki.",
    ),
    "format": ("lokictl.cli.format", "Pretty-print LogQL."),
    "list": ("lokictl.cli.list", "Show what the project contains."),
    "sample": ("lokictl.cli.sample", "Generate realistic logs of the project's services."),
    "capacity": ("lokictl.cli.capacity", "Compute storage, cost and streams from volume and retention."),
    "explain": ("lokictl.cli.explain", "Explain a lint check."),
    "schema": ("lokictl.cli.schema", "Print the JSON Schema of a file format."),
    "init": ("lokictl.cli.init", "Create a new content project."),
}


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports one when it is run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        # What modules make lives to the end: to search it for garbage is in vain, now and later.
        gc.disable()
        command = importlib.import_module(COMMANDS[cmd_name][0]).command
        gc.freeze()
        gc.enable()
        assert isinstance(command, click.Command)
        add_verbose_option(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            letters = sorted(args[0])
            near = [name for name in COMMANDS if sorted(name) == letters]
            near = near or difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean `{near[0]}`?" if near else " `lokictl --help` lists the commands."
            raise click.UsageError(f"unknown command `{args[0]}`.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with `lokictl init my-project`, or run `lokictl test my_test.yaml` on the rules you have.",
)
@click.option("--debug", is_flag=True, help="Show tracebacks of unexpected errors.")
@click.option(
    "-v", "--verbose", is_flag=True, help="Log modules loaded, servers started and every request to stderr."
)
@click.version_option(__version__, prog_name="lokictl")
@click.pass_context
def cli(ctx: click.Context, debug: bool, verbose: bool) -> None:
    """Grafana and Loki rules as code, tested before you deploy."""
    log_to_stderr(verbose)
    ctx.ensure_object(dict)["debug"] = debug or bool(os.environ.get("LOKICTL_DEBUG"))


def main(arguments: list[str] | None = None) -> Any:
    """The entry point: runs a command and turns every error into one clear message and an exit status.

    0 success, 1 problems found, 2 usage or configuration error.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    # What is left at the end dies with the process: to search it for garbage takes longer than all else there.
    atexit.register(gc.freeze)
    debug = "--debug" in arguments or bool(os.environ.get("LOKICTL_DEBUG"))
    try:
        status = cli.main(arguments, prog_name="lokictl", standalone_mode=False)
    except click.exceptions.Exit as stop:
        status = stop.exit_code
    except click.ClickException as error:
        error.show()
        status = 2
    except (KeyboardInterrupt, click.exceptions.Abort):
        click.echo("interrupted", err=True)
        status = 130
    except BrokenPipeError:
        _silence_stdout()
        status = 0
    except Exception as error:
        if debug:
            raise
        status = _report(error)
    sys.exit(status if isinstance(status, int) else 0)


def _report(error: Exception) -> int:
    if isinstance(error, diagnostics.LokictlError):
        common.print_problems(error.problems, err=True)
        return 2
    if isinstance(error, errors.Error):
        click.echo(f"error: {str(error).strip()}", err=True)
        return 2
    if isinstance(error, OSError):
        target = f"{error.filename}: " if error.filename else ""
        click.echo(f"error: {target}{error.strerror or error}", err=True)
        return 2
    click.echo(f"error: {type(error).__name__}: {error}", err=True)
    click.echo(
        "This is a bug in lokictl. Rerun with --debug and please file an issue with the output.", err=True
    )
    return 2


def _silence_stdout() -> None:
    # The reader (`head`, a pager) has gone; without this the interpreter complains once more at exit.
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())


if __name__ == "__main__":
    main()
