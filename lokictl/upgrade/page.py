"""The page "LogQL by version": the table of behaviors as Markdown.

``python -m lokictl.upgrade.page > docs/versions.md``
"""

from __future__ import annotations

from collections.abc import Iterator

from lokictl.logql.versions import BEHAVIORS, FIRST, MAIN, Behavior, LokiVersion
from lokictl.upgrade.configuration_keys import DEFAULTS, REMOVED
from lokictl.upgrade.examples import before, example_answers, example_of

HEAD = """# LogQL by version

The Loki that you run decides what a query means. Tell lokictl which one it is:

```toml
# lokictl.toml
loki_version = "3.4"
```

`--loki-version 3.4` says so for one run. Both work for `test`, `query`, `backtest`, `format`, `lint`, `check`, `sync`
and `diff`; the default is 3.7. Parser, engine, ruler and templates then behave like that Loki. A Loki that a command
talks to is asked for its version (`/loki/api/v1/status/buildinfo`); another minor version than the configured one is a
warning, because tests can pass here and be wrong there.

What most people notice:

- **2.9 to 3.0**: chains of line filters (`|= "a" or "b"`) and pattern filters (`|>`) are new; number filters drop lines
  that could not be parsed; `0 < rate(…)` keeps its values; every stream gets a label `service_name`; many keys of the
  configuration are gone.
- **3.1 to 3.2**: a line at the very end of a window counts, so that tests with round times see one line more.
- **3.5 to 3.6**: of two equal names in a line, the first counts; a parsed field replaces structured metadata of its
  name.
- **3.6 to 3.7**: a parsed field with the name of structured metadata becomes `name_extracted`.
- **3.8 to main**: `rate_counter` gives other numbers; `variants` is gone, and so are BoltDB and every index store but
  `tsdb`.

Before you change versions, run `lokictl upgrade --from 3.0 --to 3.8`: it names the queries, tests and configuration
keys that are concerned. See [Upgrading Loki](upgrade.md).

This page is made from the table that the engine itself asks (`lokictl/logql/versions.py`). Where it says `recorded`,
answers of real Lokis prove the entry: 2.9.17, 3.0.1, 3.1.2, 3.2.1, 3.3.4, 3.4.6, 3.5.12, 3.6.12, 3.7.6 and main were
asked the same 5,900 queries, and the date is the minor version where the answers change; the version named is the last
that still answers in the old way. 3.8 was not run. The answers in the examples are those of the embedded engine; the
test suite compares them with real Lokis of both versions where it finds them on PATH.
"""

CONFIGURATION = """## Loki's configuration

Each key was tried on real Lokis: the version before takes it, the named one does not start with it. Versions 2.9.17,
3.0.1, 3.1.2, 3.2.1, 3.3.4, 3.4.6, 3.5.12, 3.6.12, 3.7.6 and main were run, 3.8 was not: what is dated "main" may be
gone in 3.8 already. Main ignores unknown keys of `limits_config` instead of refusing them.

Main has no index store but `tsdb`: with a period of `boltdb-shipper`, `boltdb`, `aws`, `bigtable`, `cassandra` or `gcp`
in the schema it does not start ("unsupported index type"), even if the period is long over. Up to 3.7 these stores work
and are deprecated.
"""


def page() -> str:
    """The whole page."""
    lines = [HEAD]
    dated = [behavior for behavior in BEHAVIORS if behavior.since > FIRST or behavior.until is not None]
    for version in _versions(dated):
        lines += _of_version(version, dated)
    lines += [CONFIGURATION, "| key | gone since | instead |", "|---|---|---|"]
    lines += [f"| `{key.path}` | {key.gone.minor_text} | {key.instead} |" for key in REMOVED]
    lines += ["", "Defaults that changed, for configurations that do not set them:", ""]
    lines += ["| key | since | before | now | effect |", "|---|---|---|---|---|"]
    lines += [
        f"| `{default.path}` | {default.since.minor_text} | {default.before} | {default.now} | {default.effect} |"
        for default in DEFAULTS
    ]
    return "\n".join(lines) + "\n"


def _versions(behaviors: list[Behavior]) -> list[LokiVersion]:
    """The versions in which something changes, the newest first."""
    found = {behavior.since for behavior in behaviors if behavior.since > FIRST}
    found |= {behavior.until for behavior in behaviors if behavior.until is not None}
    return sorted(found, reverse=True)


def _of_version(version: LokiVersion, behaviors: list[Behavior]) -> Iterator[str]:
    yield f"## {'After 3.8 (main)' if version >= MAIN else _date(version)}"
    yield ""
    for behavior in behaviors:
        if behavior.since == version:
            yield from _entry(behavior, version, behavior.what, behavior.otherwise)
        if behavior.until == version:
            yield from _entry(behavior, version, behavior.otherwise, behavior.what)
    yield ""


def _date(version: LokiVersion) -> str:
    """A version as a date: the patch release counts where it is not the first."""
    return str(version) if version.patch else version.minor_text


def _entry(behavior: Behavior, version: LokiVersion, now: str, earlier: str) -> Iterator[str]:
    proof = f"recorded: {behavior.recording}" if behavior.recording else behavior.source
    if behavior.syntax and "refused" not in now:
        if now.startswith("A syntax error"):
            yield f"- **Gone:** {earlier} ({proof})"
        else:
            yield f"- **New:** {now} Before, Loki refuses it. ({proof})"
    else:
        yield f"- **{now}** Before: {_lower(earlier)} ({proof})"
    yield from _example(behavior, version)


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def _example(behavior: Behavior, version: LokiVersion) -> Iterator[str]:
    example = example_of(behavior)
    if example is None:
        return
    earlier = before(version)
    yield ""
    yield "  ```text"
    for index, line in enumerate(example.lines):
        metadata = ", ".join(f"{name}={value}" for name, value in example.metadata_of(index).items())
        yield f"  line  {line}" + (f"   (structured metadata: {metadata})" if metadata else "")
    yield f"  query {example.query}" + ("   (at the time of the last line)" if not example.later else "")
    for one in (earlier, version):
        yield f"  {_date(version) if one == version else one.minor_text:<5} {example_answers(behavior, one)}"
    yield "  ```"
    yield ""


if __name__ == "__main__":
    print(page(), end="")
