"""``lokictl format``"""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

import click

from lokictl.cli.common import debug_option, loki_version_option
from lokictl.cli.query import syntax_problem
from lokictl.diagnostics import LokictlError, Position, Problem
from lokictl.logql import LogQLError
from lokictl.logql.grafana_variables import variables
from lokictl.logql.printer import pretty
from lokictl.logql.templated import format_templated
from lokictl.model.files import write_text
from lokictl.model.formatting import FormattedFile, format_rule_file, formatted_query

FILE_NAMES = (".yaml", ".yml", ".rules", ".rule", ".json", ".logql")


@click.command(
    "format",
    epilog="""\b
Examples:
  lokictl format 'sum by(level)(rate({app="api"}|json[5m]))'
  lokictl format 'sum(rate({app=~"$app"}[$__auto]))'
  lokictl format --canonical < query.logql
  lokictl format rules.yaml more-rules.yaml
  lokictl format --check rules.yaml
""",
)
@click.argument("expressions", nargs=-1, metavar="[EXPRESSION | FILE...]")
@click.option("--canonical", is_flag=True, help="Print Loki's canonical form, on one line.")
@click.option("--check", is_flag=True, help="Write no files; exit with 1 if a file would change.")
@click.option("--diff", is_flag=True, help="Write no files; show what would change.")
@loki_version_option
@debug_option
def command(expressions: tuple[str, ...], canonical: bool, check: bool, diff: bool) -> int:
    """Pretty-print a LogQL EXPRESSION (`-` or nothing: standard input), or the expressions in rule FILES, in place.

    Grafana variables are kept.
    """
    if expressions and all(_is_file(text) for text in expressions):
        return _format_files(expressions, canonical, write=not (check or diff), diff=diff)
    if len(expressions) > 1:
        missing = [text for text in expressions if not _is_file(text)]
        raise click.UsageError(f"pass one expression, or files: file not found: {missing[0]}")
    text = expressions[0] if expressions and expressions[0] != "-" else sys.stdin.read()
    if text.endswith(FILE_NAMES) and not any(character in text for character in "{( "):
        raise click.UsageError(f"file not found: {text}")
    try:
        click.echo(format_templated(text, str if canonical else pretty))
    except LogQLError as error:
        raise _problem(text, error) from None
    return 0


def _problem(text: str, error: Exception) -> Exception:
    assert isinstance(error, LogQLError)
    if any(not variable.in_text for variable in variables(text)):
        return LokictlError(Problem("logql/syntax", str(error), position=Position("<query>")))
    return syntax_problem(text, error)


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):
        return False


def _format_files(files: tuple[str, ...], canonical: bool, *, write: bool, diff: bool) -> int:
    done: dict[str, FormattedFile] = {}
    problems: list[Problem] = []
    for file in files:
        try:
            done[file] = _formatted(file, canonical)
        except LokictlError as error:
            problems += error.problems
    if problems:
        raise LokictlError(problems)
    for file, formatted in done.items():
        if diff:
            click.echo(_diff(file, formatted), nl=False)
        if write and formatted.changed:
            write_text(Path(file), formatted.after)
    changed = [file for file, formatted in done.items() if formatted.changed]
    for file, formatted in done.items():
        if formatted.changed:
            verb = "formatted" if write else "would format"
            click.echo(f"{file}: {verb} {_expressions(formatted.changed)}", err=diff)
        if formatted.left:
            left = f"left {_expressions(formatted.left)} as written (comments, placeholders, syntax errors)"
            click.echo(f"{file}: {left}", err=True)
    if not changed:
        click.echo("nothing to format", err=True)
    return 1 if changed and not write else 0


def _formatted(file: str, canonical: bool) -> FormattedFile:
    try:
        text = Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problem = Problem("file/unreadable", f"cannot read the file: {error}", position=Position(file))
        raise LokictlError(problem) from None
    if not file.endswith(".logql"):
        return format_rule_file(text, file, canonical=canonical)
    new = formatted_query(text, one_line=canonical)
    if new is None:
        return FormattedFile(text, text, left=1)
    return FormattedFile(text, new + "\n", changed=int(text != new + "\n"))


def _expressions(count: int) -> str:
    return "1 expression" if count == 1 else f"{count} expressions"


def _diff(file: str, formatted: FormattedFile) -> str:
    before, after = (text.splitlines(keepends=True) for text in (formatted.before, formatted.after))
    return "".join(difflib.unified_diff(before, after, f"a/{file}", f"b/{file}"))
