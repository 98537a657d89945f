"""The page "LogQL by version": the table of behaviors as Markdown.

``python -m lokictl.upgrade.page > docs/versions.md``
"""

from __future__ import annotations

from collections.abc import Iterator

from lokictl.logql.versions import BEHAVIORS, FIRST, MAIN, Behavior, LokiVersion
from lokictl.upgrade.configuration_keys import REMOVED
from lokictl.upgrade.examples import before, example_answers

HEAD = """# LogQL by version

The Loki you run decides what a query means. `loki_version = "3.4"` in the project's configuration, or
`--loki-version 3.4` on `test`, `query`, `backtest`, `format` and `lint`, makes lokictl behave like that Loki; the
default is 3.7. `lokictl upgrade --from 3.0 --to 3.8` says what a change of versions does to your rules, dashboards and
tests, and to Loki's own configuration: what is refused, what changes its answer (with an example), what is gone.
`--fix` spells queries so that the answer stays, where that is exact; rule tests run under both versions. It exits with
0 where nothing changes and with 3 where something does. A Loki that `lokictl test --engine URL` meets is asked for its
version; one that is not the configured one is a warning.

This page is made from the table that the engine itself asks (`lokictl/logql/versions.py`). Recorded answers of real
Lokis prove an entry where it says so (`recorded`): of 2.9.17, 3.2.1, 3.7.6 and main. Versions 3.0, 3.1, 3.3 to 3.6 and
3.8 were never run: their entries follow changelogs. Where only recordings of two versions show a change, its date is
bracketed by them, not proved.
"""


def page() -> str:
    """The whole page."""
    lines = [HEAD]
    dated = [behavior for behavior in BEHAVIORS if behavior.since > FIRST or behavior.until is not None]
    for version in sorted(
        {behavior.since for behavior in dated} | {b.until for b in dated if b.until}, reverse=True
    ):
        lines += _of_version(version, dated)
    lines += ["## Loki's configuration", "", "Keys that a Loki no longer starts with:", ""]
    lines += ["| key | gone since | instead |", "|---|---|---|"]
    lines += [f"| `{key.path}` | {key.gone.minor_text} | {key.instead} |" for key in REMOVED]
    return "\n".join(lines) + "\n"


def _of_version(version: LokiVersion, behaviors: list[Behavior]) -> Iterator[str]:
    yield f"## {'After 3.8 (main)' if version >= MAIN else version.minor_text}"
    yield ""
    for behavior in behaviors:
        if behavior.since == version:
            proof = f"recorded: {behavior.recording}" if behavior.recording else behavior.source
            yield f"- **{behavior.what}** Before: {_lower(behavior.otherwise)} ({proof})"
            yield from _example(behavior, version)
        if behavior.until == version:
            yield f"- {behavior.otherwise} Before: {_lower(behavior.what)}"
    yield ""


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def _example(behavior: Behavior, version: LokiVersion) -> Iterator[str]:
    if behavior.example is None:
        return
    earlier = before(version)
    yield ""
    yield "  ```text"
    metadata = "".join(f" {name}={value}" for name, value in behavior.example.metadata)
    yield f"  {behavior.example.query}"
    yield from (
        f"    {line}{'   # metadata' + metadata if metadata else ''}" for line in behavior.example.lines
    )
    yield f"  {earlier.minor_text}: {example_answers(behavior, earlier)}"
    yield f"  {version.minor_text}: {example_answers(behavior, version)}"
    yield "  ```"
    yield ""


if __name__ == "__main__":
    print(page(), end="")
