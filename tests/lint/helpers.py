"""Small rule files and queries for the linter's tests."""

from __future__ import annotations

import textwrap

from lokictl.lint import Settings, lint_text
from lokictl.lint.interface import Finding


def as_file(text: str) -> tuple[str, str]:
    """A snippet as a whole file: (text, file name).  A list of rules or groups gets what belongs around it."""
    text = textwrap.dedent(text).strip("\n")
    if text.startswith(("- alert:", "- record:")):
        return "groups:\n  - name: test\n    rules:\n" + textwrap.indent(text, "      ") + "\n", "rules.yaml"
    if text.startswith("- name:"):
        return "groups:\n" + textwrap.indent(text, "  ") + "\n", "rules.yaml"
    if text.startswith(("groups:", "apiVersion:")):
        return text + "\n", "rules.yaml"
    return text, "query.logql"


def findings(text: str, *names: str, **options: object) -> list[Finding]:
    """What the named checks (default: all that are on) find in a snippet."""
    content, file = as_file(text)
    settings = Settings(select=names, **options)  # type: ignore[arg-type]
    return list(lint_text(content, file, settings).findings)


def names_of(found: list[Finding]) -> list[str]:
    return [finding.name for finding in found]
