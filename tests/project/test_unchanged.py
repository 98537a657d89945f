"""A run is remembered only until anything changes that it depended on."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from lokictl.cli.main import cli
from lokictl.diagnostics import LokictlError
from lokictl.project import find_configuration
from lokictl.project.unchanged import LastRun

AGAIN = "nothing has changed since the last run"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project of every kind of content, that `lokictl check` has just found to be good."""
    folder = tmp_path_factory.mktemp("unchanged") / "mine"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder.parent / "cache"))
        patch.setattr("lokictl.project.unchanged.NO_MATTER", ("PYTEST_CURRENT_TEST",))
        assert CliRunner().invoke(cli, ["init", str(folder), "--service", "shop"]).exit_code == 0
        (folder / "rules" / "plain.yaml").write_text(
            "groups:\n  - name: plain\n    rules:\n      - {record: 'a:b', expr: 'sum(rate({service=\"shop\"}[5m]))'}\n"
        )
        (folder / "dashboards" / "empty").mkdir()
        outside = folder.parent / "outside.txt"
        outside.write_text("60")
        (folder / ".hidden").mkdir()
        (folder / ".hidden" / "number").write_text("1")
        code = (
            "from pathlib import Path\n"
            f"OUTSIDE = Path({str(outside)!r}).read_text()\n"
            "HIDDEN = (Path(__file__).parents[1] / '.hidden' / 'number').read_text()\n"
            f"try:\n    MISSING = open({str(folder.parent / 'missing.txt')!r}).read()\n"
            "except OSError:\n    MISSING = ''\n"
        )
        (folder / "services" / "reads.py").write_text(code)
        assert AGAIN not in check(folder)
        assert AGAIN in check(folder)
        yield folder


def check(folder: Path, *arguments: str) -> str:
    result = CliRunner().invoke(cli, ["check", "--project", str(folder), *arguments], standalone_mode=False)
    assert result.exception is None, result.output
    assert not result.return_value, result.output
    return result.output


def remembered(folder: Path) -> bool:
    try:
        return LastRun(find_configuration(folder), None).recall() is not None
    except LokictlError:
        return False


def files(folder: Path) -> list[Path]:
    everything = sorted(
        path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    )
    return [*everything, folder.parent / "outside.txt"]


def edited(file: Path) -> Callable[[], object]:
    """One character is another one; size and times stay.  Returns what takes it back."""
    before, times = file.read_bytes(), (file.stat().st_atime_ns, file.stat().st_mtime_ns)
    file.write_bytes(bytes([(before[0] + 1) % 128]) + before[1:] if before else b"x")
    os.utime(file, ns=times)
    return lambda: file.write_bytes(before)


def removed(file: Path) -> Callable[[], object]:
    before = file.read_bytes()
    file.unlink()
    return lambda: file.write_bytes(before)


def renamed(file: Path) -> Callable[[], object]:
    other = file.with_name(f"{file.name}2")
    file.rename(other)
    return lambda: other.rename(file)


def joined_by_another(file: Path) -> Callable[[], object]:
    other = file.with_name("another.txt")
    other.write_text("")
    return other.unlink


def joined_by_a_folder(file: Path) -> Callable[[], object]:
    other = file.with_name("another")
    other.mkdir()
    return other.rmdir


IN_ONE_FILE = [edited, removed, renamed]
BESIDE = [joined_by_another, joined_by_a_folder]


@settings(max_examples=30)
@given(st.data())
def test_any_change_of_any_file_is_noticed(project: Path, data: st.DataObject) -> None:
    file = data.draw(st.sampled_from(files(project)))
    # What lies beside a file that was opened by its name does not matter.
    by_name = file.parent == project.parent or ".hidden" in file.parts
    change = data.draw(st.sampled_from(IN_ONE_FILE if by_name else [*IN_ONE_FILE, *BESIDE]))
    take_back = change(file)
    try:
        assert not remembered(project), f"{file} is {change.__name__}"
    finally:
        take_back()
    assert remembered(project)


def test_every_file_of_the_project_is_among_the_changes(project: Path) -> None:
    for file in files(project):
        take_back = edited(file)
        try:
            assert not remembered(project), file
        finally:
            take_back()
    assert remembered(project)


def test_what_was_missing_and_is_there_now(project: Path) -> None:
    missing = project.parent / "missing.txt"
    missing.write_text("now")
    assert not remembered(project)
    missing.unlink()
    assert remembered(project)


def test_surroundings(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("SOMETHING", "else")
        assert not remembered(project)
    with monkeypatch.context() as patch:
        patch.chdir(project)
        assert not remembered(project)
    with monkeypatch.context() as patch:
        patch.setattr("time.strftime", lambda *arguments: "2999-01-01")
        assert not remembered(project)
    assert remembered(project)


@pytest.mark.parametrize("home", ["lokictl", ".venv/lib/lokictl", "build/lokictl", "../lokictl"])
def test_lokictl_itself_counts_wherever_it_is(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "root"
    (root / "services").mkdir(parents=True)
    code = root / home / "project" / "unchanged.py"
    code.parent.mkdir(parents=True)
    code.write_text("1")
    monkeypatch.setattr("lokictl.project.unchanged.__file__", str(code))

    def surroundings() -> str:
        return LastRun(find_configuration(root), root / "build", tmp_path)._surroundings()

    before = surroundings()
    assert surroundings() == before
    code.write_text("2")
    assert surroundings() != before


def test_another_run_than_the_last(project: Path, tmp_path: Path) -> None:
    assert AGAIN not in check(project, "--no-cache")
    assert AGAIN not in check(project, "-o", str(tmp_path / "elsewhere"))
    assert AGAIN in check(project)
    assert check(project, "--quiet") == ""


@pytest.mark.parametrize("content", ["", "{", "[]", '{"surroundings": 1}', "\x00"])
def test_a_broken_record_is_none(project: Path, content: str) -> None:
    record = LastRun(find_configuration(project), None).file
    before = record.read_text(encoding="utf-8")
    record.write_text(content, encoding="utf-8")
    try:
        assert not remembered(project)
    finally:
        record.write_text(before, encoding="utf-8")


@pytest.mark.parametrize(
    "code",
    [
        "import subprocess\nsubprocess.run(['true'], check=True)\n",
        "import socket\nsocket.socket().connect_ex(('127.0.0.1', 9))\n",
    ],
)
def test_a_run_that_depends_on_more_than_files_is_never_remembered(
    project: Path, tmp_path: Path, code: str
) -> None:
    folder = tmp_path / "mine"
    assert CliRunner().invoke(cli, ["init", str(folder), "--service", "shop"]).exit_code == 0
    (folder / "services" / "more.py").write_text(code)
    for _ in range(2):
        assert AGAIN not in check(folder)


def test_a_run_that_fails_is_not_remembered(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    assert CliRunner().invoke(cli, ["init", str(folder), "--service", "shop"]).exit_code == 0
    rules = folder / "rules" / "shop.py"
    rules.write_text(rules.read_text().replace("> 10", "> 1000"))
    for _ in range(2):
        result = CliRunner().invoke(cli, ["check", "--project", str(folder)], standalone_mode=False)
        assert result.return_value == 1
    assert not remembered(folder)
