"""The benchmarks can be found and start; none of them is run here."""

from __future__ import annotations

import pytest

from benchmarks.__main__ import found, run
from benchmarks.common import Ratio, machine, show, side_by_side


def test_benchmarks_are_modules_with_a_main() -> None:
    mains = found()
    assert "parse_print" in mains
    assert "common" not in mains
    assert all(callable(main) for main in mains.values())


def test_an_unknown_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["nonsense"]) == 2
    assert "no benchmark is called nonsense" in capsys.readouterr().err


def test_both_sides_are_called_in_turn() -> None:
    calls: list[str] = []
    ratio = side_by_side(lambda: calls.append("a"), lambda: calls.append("b"), rounds=3)
    assert calls == ["a", "b"] * 3
    assert ratio.value > 0


@pytest.mark.parametrize(
    "target, met, word", [(2.0, True, "met"), (0.5, False, "MISSED"), (None, True, "ratio 1.50")]
)
def test_what_is_shown(
    capsys: pytest.CaptureFixture[str], target: float | None, met: bool, word: str
) -> None:
    assert show("this", Ratio(3.0, 2.0), against="that", target=target) is met
    assert word in capsys.readouterr().out
    assert "CPython" in machine() or "PyPy" in machine()
