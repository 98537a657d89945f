"""The commands that talk to servers, over real sockets; and that no secret is ever printed or written."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.sync.fakes.grafana import FakeGrafana
from tests.sync.fakes.http import Server, serving
from tests.sync.fakes.ruler import FakeRuler
from tests.sync.world import alert, rule_group

Lokictl = Callable[..., "Answer"]  # noqa: F821 - tests/cli/conftest.py

TOKEN = "glsa_this-is-the-token-of-grafana"
PASSWORD = "this is/the&password of loki"
SOURCE_PASSWORD = "pass$word-of-the-data-source"

CONFIGURATION = """
name = "shop"

[targets.test.environment]
SOURCE_PASSWORD = {{ env = "SOURCE_PASSWORD" }}

[targets.test.grafana]
url = "{grafana}"
token = {{ env = "GRAFANA_TOKEN" }}

[targets.test.loki]
url = "{loki}"
basic = {{ user = "me", password = {{ file = "password" }} }}
tenants = ["team-a"]
namespaces = ["own"]
"""

SOURCES = """
from lokictl.model import DataSource

SOURCE = DataSource(
    name="Loki", type="loki", uid="loki", url="http://loki", basic_auth=True, basic_auth_user="u",
    secure_json_data={"basicAuthPassword": "$__env{SOURCE_PASSWORD}"},
)
"""

RULES = """
groups:
  - name: g
    rules:
      - alert: A
        expr: vector(1)
"""


@dataclass
class Content:
    """A content project on disk with a Grafana and a Loki that run."""

    root: Path
    grafana: FakeGrafana
    ruler: FakeRuler
    servers: dict[str, Server] = field(default_factory=dict)

    def dashboard(self, title: str) -> None:
        body = {"uid": "errors", "title": title, "panels": []}
        (self.root / "dashboards" / "errors.json").write_text(json.dumps(body))


@pytest.fixture
def content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Content]:
    found = Content(tmp_path, FakeGrafana(token=TOKEN), FakeRuler())
    found.servers = {"grafana": Server(found.grafana), "loki": Server(found.ruler)}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRAFANA_TOKEN", TOKEN)
    monkeypatch.setenv("SOURCE_PASSWORD", SOURCE_PASSWORD)
    for folder in ("dashboards", "rules", "datasources"):
        (tmp_path / folder).mkdir()
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "datasources" / "sources_of_shop.py").write_text(SOURCES)
    (tmp_path / "rules" / "own.yaml").write_text(RULES)
    found.dashboard("Errors")
    with ExitStack() as stack:
        urls = {name: stack.enter_context(serving(server)) for name, server in found.servers.items()}
        (tmp_path / "lokictl.toml").write_text(CONFIGURATION.format(**urls))
        yield found


def test_from_nothing_to_done(content: Content, lokictl: Lokictl) -> None:
    answer = lokictl("sync", "--dry-run")
    assert (answer.status, "test: 4 to create" in answer.output) == (3, True)
    assert not content.grafana.dashboards
    answer = lokictl("sync", "--yes")
    assert answer.status == 0
    assert (
        "[4/4] created rule group own/g (tenant team-a)\ndone: 4 changes\nbackup: .lokictl" in answer.output
    )
    assert content.grafana.data_sources["loki"].secrets == {"basicAuthPassword": SOURCE_PASSWORD}
    for command in (("diff",), ("sync", "--dry-run"), ("sync",)):
        answer = lokictl(*command)
        assert (answer.status, answer.output) == (0, "test: 4 unchanged\n")


def test_diff_shows_the_change(content: Content, lokictl: Lokictl) -> None:
    lokictl("sync", "--yes")
    content.dashboard("Faults")
    answer = lokictl("diff")
    assert answer.status == 3
    assert answer.output == (
        '~ dashboard "Faults" (errors): update\n    ~ title: Errors → Faults\ntest: 1 to update, 3 unchanged\n'
    )
    data = json.loads(lokictl("diff", "--format", "json").output)
    change = next(item for item in data["changes"] if item["action"] == "update")
    assert (data["pending"], data["summary"]["update"], change["name"]) == (True, 1, "errors")
    assert change["differences"] == [{"where": "title", "before": "Errors", "after": "Faults"}]


def test_no_terminal_to_ask_on(content: Content, lokictl: Lokictl) -> None:
    answer = lokictl("sync")
    assert (answer.status, "--yes" in answer.error) == (2, True)
    assert not content.grafana.dashboards


def test_a_conflict_stops_it(content: Content, lokictl: Lokictl) -> None:
    lokictl("sync", "--yes")
    content.grafana.edit_dashboard("errors", title="By hand")
    answer = lokictl("diff")
    assert answer.status == 3
    assert "(- on the server, + in the project)\n    ~ title: By hand → Errors" in answer.output
    assert "last sync by alice at 2026-03-14" in answer.output
    content.dashboard("Ours")
    answer = lokictl("sync", "--yes")
    assert (answer.status, "--on-conflict overwrite" in answer.error) == (1, True)
    answer = lokictl("sync", "--yes", "--on-conflict", "pull")
    assert answer.status == 0
    assert json.loads((content.root / "dashboards" / "errors.json").read_text())["title"] == "By hand"
    assert lokictl("sync", "--yes").status == 0
    assert lokictl("diff").status == 0


def test_many_deletions_need_a_limit(content: Content, lokictl: Lokictl) -> None:
    file = content.root / "rules" / "own.yaml"
    groups = [rule_group(f"g{number}", alert("A")) for number in range(12)]
    file.write_text(json.dumps({"groups": groups}))
    lokictl("sync", "--yes")
    file.write_text(json.dumps({"groups": groups[:1]}))
    assert "11 kept" in lokictl("sync", "--yes").output
    answer = lokictl("sync", "--yes", "--prune")
    assert (answer.status, "--prune-limit 11 allows them" in answer.error) == (1, True)
    assert len(content.ruler.rules["team-a"]["own"]) == 12
    assert lokictl("sync", "--yes", "--prune", "--prune-limit", "11").status == 0
    assert len(content.ruler.rules["team-a"]["own"]) == 1


def test_rollback(content: Content, lokictl: Lokictl) -> None:
    lokictl("sync", "--yes")
    content.dashboard("Second")
    lokictl("sync", "--yes")
    assert lokictl("rollback", "--dry-run").status == 3
    answer = lokictl("rollback", "--yes")
    assert (answer.status, "~ title: Second → Errors" in answer.output) == (0, True)
    assert content.grafana.dashboards["errors"].body["title"] == "Errors"
    assert lokictl("rollback", "--list").output.count("\n") == 3
    first = lokictl("rollback", "--list").output.splitlines()[-1].split()[0]
    assert lokictl("rollback", first, "--yes").status == 0
    assert set(content.grafana.dashboards) == {"lokictl-shop"}
    assert not content.grafana.data_sources
    assert not content.ruler.rules["team-a"]["own"]


def test_a_rollback_without_a_backup(content: Content, lokictl: Lokictl) -> None:
    assert "there is no backup" in lokictl("rollback").error
    assert lokictl("rollback", "--list").output == "no backups found\n"


def test_a_failure_names_the_commands_that_finish_and_undo(
    content: Content, lokictl: Lokictl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["lokictl", "sync", "--yes"])
    content.grafana.folders.clear()
    content.servers["loki"].choose = lambda request: "limited" if request.method == "POST" else ""
    monkeypatch.setattr("lokictl.http.LONGEST_PAUSE", 0.0)
    answer = lokictl("sync", "--yes")
    assert answer.status == 1
    assert (
        "[4/4] FAILED to create rule group own/g (tenant team-a): POST /loki/api/v1/rules/own: 429"
        in answer.output
    )
    assert "not finished: 3 done, 1 failed, 0 not done\nto finish it: lokictl sync --yes\n" in answer.output
    assert "to undo it:   lokictl rollback 20" in answer.output
    content.servers["loki"].choose = lambda request: ""
    assert lokictl("sync", "--yes").status == 0


def test_verbose_shows_every_request(content: Content, lokictl: Lokictl) -> None:
    answer = lokictl("diff", "--verbose")
    lines = [line for line in answer.error.splitlines() if "/api/v1/rules: 404 in " in line]
    assert len(lines) == 1
    assert TOKEN not in answer.error + answer.output
    assert "api/health" not in lokictl("diff").error


def test_a_wrong_token(content: Content, lokictl: Lokictl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAFANA_TOKEN", "glsa_something-else")
    answer = lokictl("diff")
    assert (answer.status, "[targets.test.grafana] were not accepted" in answer.error) == (1, True)
    assert "glsa_something" not in answer.output + answer.error
    monkeypatch.delenv("GRAFANA_TOKEN")
    answer = lokictl("diff")
    assert (answer.status, '"GRAFANA_TOKEN" is not set' in answer.error) == (2, True)


def test_only_one_server(content: Content, lokictl: Lokictl) -> None:
    assert lokictl("sync", "--yes", "--only", "loki").status == 0
    assert (content.grafana.dashboards, list(content.ruler.rules)) == ({}, ["team-a"])
    content.ruler.api = False
    assert lokictl("sync", "--yes", "--only", "grafana").status == 0
    answer = lokictl("sync", "--yes")
    assert (answer.status, "has no ruler API" in answer.error, "lokictl render" in answer.error) == (
        1,
        True,
        True,
    )


def test_pull_into_an_empty_project(content: Content, lokictl: Lokictl) -> None:
    lokictl("sync", "--yes")
    for file in ("dashboards/errors.json", "rules/own.yaml", "datasources/sources_of_shop.py"):
        (content.root / file).unlink()
    answer = lokictl("pull", "--dry-run")
    assert "would write dashboards/errors.py" in answer.output
    assert not (content.root / "dashboards" / "errors.py").exists()
    answer = lokictl("pull")
    assert answer.status == 0
    assert lokictl("diff").status == 0
    assert json.loads(lokictl("pull", "--format", "json").output)["written"] == []


def test_no_secret_is_printed_or_written(
    content: Content, lokictl: Lokictl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every output and every file of runs in which everything goes wrong that can."""
    texts: list[str] = []

    def run(*arguments: str) -> None:
        answer = lokictl(*arguments)
        texts.extend((answer.output, answer.error))

    monkeypatch.setattr("lokictl.http.LONGEST_PAUSE", 0.0)
    # Somebody has put the token into a dashboard by hand, and a server gives it back in an error.
    content.grafana.add_dashboard("leak", title=f"uses {TOKEN}", description=PASSWORD)
    content.dashboard(f"Errors {TOKEN}")
    run("sync", "--yes")
    content.grafana.edit_dashboard("errors", title=f"{TOKEN} by hand", description=SOURCE_PASSWORD)
    for output_format in ("text", "json"):
        run("diff", "--format", output_format, "--verbose")
        run("sync", "--yes", "--format", output_format)
    run("sync", "--yes", "--on-conflict", "overwrite", "--format", "json")
    run("--debug", "rollback", "--yes")
    content.dashboard(f"Other {TOKEN}")
    content.servers["grafana"].choose = lambda request: "broken" if request.method == "POST" else ""
    run("sync", "--yes", "--on-conflict", "overwrite")
    content.servers["grafana"].choose = lambda request: ""
    content.grafana.token = "another"
    run("diff")
    run("rollback", "--list")
    for secret in (TOKEN, PASSWORD, SOURCE_PASSWORD):
        forms = {secret, json.dumps(secret)[1:-1], secret.replace(" ", "%20"), secret.replace("$", "$$")}
        assert not [text for text in texts if any(form in text for form in forms)]
    assert any("***" in text for text in texts)


def test_a_backup_has_no_secret_of_ours(content: Content, lokictl: Lokictl) -> None:
    lokictl("sync", "--yes")
    content.dashboard("Others")
    source = content.root / "datasources" / "sources_of_shop.py"
    source.write_text(source.read_text().replace('url="http://loki"', 'url="http://other"'))
    assert lokictl("sync", "--yes").status == 0
    files = [file for file in (content.root / ".lokictl").rglob("*") if file.is_file()]
    assert len(files) > 5
    for secret in (TOKEN, PASSWORD, SOURCE_PASSWORD):
        assert not [file for file in files if secret in file.read_text()]


def test_a_secret_in_a_dashboard_survives_backup_and_rollback(content: Content, lokictl: Lokictl) -> None:
    content.dashboard(f"Errors {TOKEN}")
    lokictl("sync", "--yes")
    content.dashboard("Errors")
    lokictl("sync", "--yes")
    assert lokictl("rollback", "--yes").status == 0
    assert content.grafana.dashboards["errors"].body["title"] == f"Errors {TOKEN}"


def test_quiet_prints_problems_only(content: Content, lokictl: Lokictl) -> None:
    answer = lokictl("sync", "--yes", "--quiet")
    assert (answer.status, answer.output) == (0, "")
    content.grafana.edit_dashboard("errors", title="By hand")
    answer = lokictl("diff", "--quiet")
    assert (answer.status, answer.output) == (3, "")
    assert answer.error.startswith('! dashboard "Errors" (errors): conflict')


def test_a_backup_that_cannot_be_written_stops_everything(content: Content, lokictl: Lokictl) -> None:
    (content.root / ".lokictl").mkdir()
    (content.root / ".lokictl" / "backups").write_text("")
    answer = lokictl("sync", "--yes")
    assert (answer.status, "cannot write the backup" in answer.error, ".lokictl" in answer.error) == (
        1,
        True,
        True,
    )
    assert not content.grafana.dashboards


@pytest.mark.parametrize("file", ["lokictl.toml", "pyproject.toml"])
def test_hints_name_the_tables_of_the_file_that_is_there(
    content: Content, lokictl: Lokictl, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (content.root / "lokictl.toml").read_text()
    prefix = "tool.lokictl." if file == "pyproject.toml" else ""
    if prefix:
        (content.root / "lokictl.toml").unlink()
        text = "[tool.lokictl]\n" + text.replace("[targets", "[tool.lokictl.targets")
    (content.root / file).write_text(text)
    monkeypatch.setenv("GRAFANA_TOKEN", "glsa_something-else")
    assert f"[{prefix}targets.test.grafana] were not accepted" in lokictl("diff").error
    (content.root / file).write_text(text.partition(f"[{prefix}targets")[0])
    assert f"[{prefix}targets.staging.grafana]" in lokictl("diff").error


def test_a_name_is_needed(content: Content, lokictl: Lokictl) -> None:
    file = content.root / "lokictl.toml"
    file.write_text(file.read_text().replace('name = "shop"\n', ""))
    answer = lokictl("diff")
    assert (answer.status, "needs a name" in answer.error) == (2, True)
    assert "add name = " in answer.error


def test_an_id_is_kept_in_the_project(content: Content, lokictl: Lokictl) -> None:
    answer = lokictl("sync", "--yes")
    text = (content.root / "lokictl.toml").read_text()
    found = text.partition('name = "shop"\nid = "')[2].partition('"')[0]
    assert len(found) == 16
    assert f'wrote id = "{found}" to lokictl.toml; commit it' in answer.error
    (content.root / "lokictl.toml").write_text(text.replace(found, "0123456789abcdef"))
    answer = lokictl("diff")
    assert (answer.status, f"id {found}" in answer.error, "id 0123456789abcdef" in answer.error) == (
        1,
        True,
        True,
    )
    (content.root / "lokictl.toml").write_text(text.replace(f'id = "{found}"\n', ""))
    assert lokictl("diff").status == 0
    (content.root / ".lokictl" / "id").unlink()
    assert f'write id = "{found}" below its name' in lokictl("diff").error


def test_a_wrong_rule_stops_before_anything_is_sent(content: Content, lokictl: Lokictl) -> None:
    (content.root / "rules" / "own.yaml").write_text(RULES.replace("vector(1)", "sum(rate({a=}[5m]))"))
    answer = lokictl("sync", "--yes")
    assert answer.status == 1
    assert "rules/own.yaml:6" in answer.error
    assert not content.grafana.dashboards
    (content.root / "rules" / "own.yaml").write_text(
        RULES + '        annotations: { summary: "{{ $labels.x " }\n'
    )
    assert lokictl("diff").status == 1
    assert lokictl("diff", "--no-check").status == 3


def test_a_broken_query_of_a_dashboard_is_a_warning(content: Content, lokictl: Lokictl) -> None:
    target = {"refId": "A", "expr": '{job="x"} |= ', "datasource": {"type": "loki", "uid": "loki"}}
    panel = {"id": 1, "type": "logs", "title": "Lines", "targets": [target]}
    body = {"uid": "errors", "title": "Errors", "panels": [panel]}
    (content.root / "dashboards" / "errors.json").write_text(json.dumps(body))
    answer = lokictl("sync", "--yes")
    assert answer.status == 0
    assert "warning: dashboards/errors.json:1:" in answer.output
    assert "syntax error" in answer.output
    assert "warning" not in lokictl("diff").output
    assert "warning" not in lokictl("sync", "--yes", "--no-check").output


def test_a_plan_is_saved_and_applied(content: Content, lokictl: Lokictl) -> None:
    answer = lokictl("sync", "--out", "plan.json", "dashboards/errors")
    assert (answer.status, "sync --plan plan.json" in answer.error) == (3, True)
    assert not content.grafana.dashboards
    assert lokictl("sync", "--plan", "plan.json").status == 0
    assert set(content.grafana.dashboards) == {"errors", "lokictl-shop"}
    answer = lokictl("sync", "--plan", "plan.json")
    assert (answer.status, "is out of date" in answer.error) == (1, True)
    assert lokictl("sync", "--plan", "plan.json", "--prune").status == 2


def test_sigterm_ends_a_run_with_its_summary(content: Content) -> None:
    """What is under way is finished, what was done is said, and a rerun does the rest."""
    groups = [rule_group(f"g{number}", alert("A")) for number in range(60)]
    (content.root / "rules" / "own.yaml").write_text(json.dumps({"groups": groups}))
    content.servers["loki"].delay = 0.2
    code = "from lokictl.cli.main import main; main(['sync', '--yes', '--jobs', '2'])"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=content.root
    )
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "created rule group" in line and process.poll() is None:
            process.terminate()
            break
    lines += process.stdout.readlines()
    assert process.wait(120) == 1
    text = "".join(lines)
    assert "interrupted: " in text
    assert "to finish it:" in text
    assert "to undo it:   lokictl rollback 20" in text
    assert text.count("created rule group") == len(content.ruler.rules["team-a"]["own"])
