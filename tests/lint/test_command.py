"""``lokictl lint`` and ``lokictl explain`` as commands: what they print, and how they end."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from lokictl.cli.main import main

GOOD = """groups:
  - name: g
    rules:
      - alert: A
        expr: sum(count_over_time({app="a"}[5m])) > 5
        labels: {severity: warning}
        annotations: {summary: Errors}
"""
BAD = GOOD.replace("> 5", "== 0")
FIXABLE = GOOD.replace('{app="a"}', '{app=~"a"} |~ "x"')


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.chdir(tmp_path)
    for name, text in {"good.yaml": GOOD, "bad.yaml": BAD, "fixable.yaml": FIXABLE}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")

    def call(*arguments: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8"))
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        output = capsys.readouterr()
        return int(ended.value.code or 0), output.out, output.err

    return call


STATUS = [
    (("lint", "good.yaml"), 0, "1 rule, 1 query checked: no problems"),
    (("lint", "bad.yaml"), 1, "bad.yaml:5:15: warning: `== 0` is never true"),
    (("lint", "bad.yaml", "--fail-on", "error"), 0, "1 warning"),
    (("lint", "fixable.yaml"), 0, "2 notes"),
    (("lint", "fixable.yaml", "--fail-on", "info"), 1, "2 notes"),
    (("lint", "fixable.yaml", "--severity", "warning"), 0, "no problems"),
    (("lint", "bad.yaml", "--ignore", "logql/never-true"), 0, "no problems"),
    (("lint", "bad.yaml", "--select", "rule"), 0, "no problems"),
    (("lint", "bad.yaml", "--select", "rule, logql/never-true"), 1, "1 warning"),
    (("lint", "good.yaml", "--enable", "rule/missing-for"), 0, "1 note"),
    (("lint", "good.yaml", "bad.yaml", "-q"), 1, "never true"),
    (("lint", "."), 1, "3 rules"),
    (("explain",), 0, "logql/syntax"),
    (("explain", "rule"), 0, "rule/for"),
    (("explain", "logql/syntax"), 0, "# logql/syntax"),
]


@pytest.mark.parametrize("arguments, status, text", STATUS)
def test_status(run, arguments: tuple[str, ...], status: int, text: str) -> None:
    ended, output, _ = run(*arguments)
    assert ended == status
    assert text in output


WRONG_USE = [
    (("lint", "nowhere.yaml", "neither.yaml"), "neither.yaml: error: file or directory not found"),
    (("lint", "good.yaml", "--select", "rul"), '--select: unknown check "rul"'),
    (("lint", "good.yaml", "--loki-version", "new"), "--loki-version"),
    (("lint", "good.yaml", "--baseline", "none.json"), "cannot read the baseline"),
    (("lint", "good.yaml", "--format", "xml"), "--format"),
    (("lint", "--fix"), "--fix needs files"),
    (("lint", "-", "--fix"), "standard input"),
    (("lint", "good.yaml", "--loki", "http://x", "--since", "soon"), "--since"),
    (("lint", "--project", "nowhere"), "nowhere"),
    (("explain", "rule/nam"), 'did you mean "rule/name"?'),
    (("explain", "rul"), "unknown family"),
]


@pytest.mark.parametrize("arguments, message", WRONG_USE)
def test_wrong_use(run, arguments: tuple[str, ...], message: str) -> None:
    ended, output, errors = run(*arguments)
    assert ended == 2
    assert output == ""
    assert message in errors
    assert "Traceback" not in errors


def test_standard_input(run) -> None:
    ended, output, _ = run("lint", "-", "--stdin-filename", "my.yaml", stdin=BAD)
    assert ended == 1
    assert output.startswith("my.yaml:5:15: warning:")
    ended, output, _ = run("lint", "-", stdin='rate({app="a"})')
    assert ended == 1
    assert "[5m]" in output


@pytest.mark.parametrize("name", ["json", "sarif", "github", "junit", "checkstyle"])
def test_formats(run, name: str) -> None:
    ended, output, _ = run("lint", "bad.yaml", "--format", name)
    assert ended == 1
    assert "logql" in output
    if name in ("json", "sarif"):
        json.loads(output)


def test_fix_shows_the_diff_and_writes(run, tmp_path: Path) -> None:
    _, output, errors = run("lint", "fixable.yaml", "--fix", "--diff")
    assert '-        expr: sum(count_over_time({app=~"a"} |~ "x"[5m])) > 5' in output
    assert "2 repairs possible" in errors
    assert (tmp_path / "fixable.yaml").read_text(encoding="utf-8") == FIXABLE
    ended, output, errors = run("lint", "fixable.yaml", "--fix")
    assert (ended, "2 repairs made" in errors) == (0, True)
    assert (tmp_path / "fixable.yaml").read_text(encoding="utf-8") == FIXABLE.replace(
        '{app=~"a"} |~ "x"', '{app="a"} |= "x"'
    )


def test_a_baseline(run, tmp_path: Path) -> None:
    assert run("lint", "bad.yaml", "--write-baseline", "base.json")[0] == 0
    assert run("lint", "bad.yaml", "--baseline", "base.json")[0] == 0
    _, _, errors = run("lint", "good.yaml", "--baseline", "base.json")
    assert "1 of its findings are gone" in errors
    (tmp_path / "lokictl.toml").write_text('[lint]\nbaseline = "base.json"\n')
    assert run("lint", "bad.yaml")[0] == 0


def test_settings_of_the_folder_above(run, tmp_path: Path) -> None:
    (tmp_path / "lokictl.toml").write_text('[lint.paths."bad.yaml"]\nignore = ["logql"]\n')
    assert run("lint", "bad.yaml")[0] == 0
    (tmp_path / "lokictl.toml").write_text('[lint]\nignor = ["logql"]\n')
    ended, _, errors = run("lint", "bad.yaml")
    assert ended == 2
    assert 'did you mean "ignore"?' in errors


def test_without_a_project_the_current_folder_is_linted(run, tmp_path: Path) -> None:
    assert run("lint")[1].startswith("bad.yaml:5:15: warning:")
    (tmp_path / "prometheus.yaml").write_text(
        "groups:\n  - name: g\n    rules:\n      - {alert: A, expr: up == 0}\n"
    )
    (tmp_path / "c.jsonnet").write_text('{ expr: \'sum(rate({a="b"} |= "x" [5m]))\' }\n')
    (tmp_path / "d.tf").write_text('expr = "sum(rate({a=\\"b\\"} |= \\"x\\" [5m]))"\n')
    ended, output, _ = run("lint")
    assert ended == 1
    assert "2 files look like LogQL and were not read: ./c.jsonnet (Jsonnet), ./d.tf (Terraform)" in output
    ended, output, _ = run("lint", "prometheus.yaml", "c.jsonnet")
    assert ended == 0
    assert "promtool" in output
    assert "jsonnet FILE | lokictl lint -" in output
