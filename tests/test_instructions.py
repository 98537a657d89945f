"""Short pieces of work take no more instructions than they did; see `benchmarks/instructions.py`."""

from __future__ import annotations

import shutil

import pytest

from benchmarks import instructions


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("valgrind"), reason="no valgrind on PATH")
@pytest.mark.skipif(not instructions.kept(), reason=f"no counts are kept for Python {instructions.PYTHON}")
def test_no_work_has_grown_by_a_fifth() -> None:
    found, kept = instructions.counted(), instructions.kept()
    assert found.keys() == kept.keys(), "renew the counts: python -m benchmarks.instructions --write"
    grown = {
        name: f"{ratio:.3f} × the reference, was {kept[name]:.3f}"
        for name, ratio in found.items()
        if ratio > kept[name] * instructions.GROWTH
    }
    assert not grown, (
        "find out why; if it must be, renew the counts: python -m benchmarks.instructions --write"
    )
