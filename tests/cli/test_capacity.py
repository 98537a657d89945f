"""`lokictl capacity`: the same numbers as a table, as JSON and as a picture."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ("--project", str(ROOT))


def test_the_table(lokictl: Callable[..., Any]) -> None:
    answer = lokictl("capacity", *PROJECT)
    assert answer.status == 0
    rows = [line.split() for line in answer.output.splitlines() if line]
    (total,) = [row for row in rows if row[0] == "total"]
    assert total[-4:] == ["17.0", "17.0", "20.0", "48"]
    (hot,) = [row for row in rows if row[:2] == ["hot", "0-7"]]
    assert hot[-2:] == ["30.00", "30.00"]
    assert "reached at" in answer.output


def test_json_has_the_same_numbers(lokictl: Callable[..., Any]) -> None:
    answer = lokictl("capacity", *PROJECT, "--format", "json")
    data = json.loads(answer.output)
    assert round(data["total"]["monthly_gigabytes"], 3) == 17
    assert [tier["tier"] for tier in data["tiers"]] == ["hot", "warm", "cold"]
    growth = [limit["growth"] for limit in data["limits"]]
    assert growth == sorted(growth)


def test_options_reach_the_calculation(lokictl: Callable[..., Any]) -> None:
    options = (
        "--rate",
        "ryot=500",
        "--line-bytes",
        "300",
        "--compression",
        "5",
        "--pods",
        "7",
        "--grow",
        "2",
    )
    data = json.loads(lokictl("capacity", *PROJECT, *options, "--format", "json").output)
    ryot = next(row for row in data["services"] if row["service"] == "ryot")
    assert ryot["lines_per_second"] == 1_000
    assert ryot["streams"] == 28
    assert round(ryot["monthly_gigabytes"], 3) == round(1_000 * 300 * 86_400 * 30 / 5 / 1e9, 3)


def test_the_plot(lokictl: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "capacity.svg"
    answer = lokictl("capacity", *PROJECT, "--plot", str(file))
    assert f"plot: {file}" in answer.output
    assert file.read_text().startswith("<svg ")


def test_without_volume_no_limit_is_reached(lokictl: Callable[..., Any]) -> None:
    answer = lokictl("capacity", *PROJECT, "--grow", "0")
    assert answer.output.count("never") == 3
    text = lokictl("capacity", *PROJECT, "--grow", "0", "--format", "json").output
    assert "Infinity" not in text


def test_quiet(lokictl: Callable[..., Any]) -> None:
    assert lokictl("capacity", *PROJECT, "-q").output == ""


@pytest.mark.parametrize(
    "options, message",
    [
        (("--rate", "ryot"), '"ryot" is not SERVICE=LINES'),
        (("--rate", "ryot=many"), '"ryot=many" is not SERVICE=LINES'),
        (("--rate", "rayot=1"), 'unknown service "rayot"'),
        (("--pods", "0"), "0 is not in the range"),
        (("--grow", "-1"), "the growth must be 0 or more, and is -1"),
        (("--line-bytes", "0"), "line bytes must be more than 0"),
        (("--compression", "nan"), "compression must be more than 0, and is nan"),
        (("--rate", "ryot=-5"), "the rate of ryot must be 0 or more"),
    ],
)
def test_wrong_use(lokictl: Callable[..., Any], options: tuple[str, ...], message: str) -> None:
    answer = lokictl("capacity", *PROJECT, *options)
    assert answer.status == 2
    assert message in answer.error
    assert "Traceback" not in answer.error
    assert "fault of lokictl" not in answer.error


def test_help_has_an_example(lokictl: Callable[..., Any]) -> None:
    assert "lokictl capacity --grow 10 --plot capacity.svg" in lokictl("capacity", "--help").output
