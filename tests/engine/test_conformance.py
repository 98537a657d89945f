"""The engine's answers, compared with recordings of a real Loki's: one test per topic."""

from __future__ import annotations

import pytest

from tests.engine.conformance import RECORDINGS, check_file

TOPICS = sorted(file.stem for file in RECORDINGS.glob("*.json"))


@pytest.mark.parametrize("topic", TOPICS)
def test_answers_are_lokis_own(topic: str) -> None:
    total, wrong = check_file(RECORDINGS / f"{topic}.json")
    print(f"{topic}: {total - len(wrong)} of {total} agree ({(total - len(wrong)) / total:.2%})")
    assert not wrong, f"{len(wrong)} of {total} differ\n\n" + "\n\n".join(wrong[:20])
