"""XXH64 by the examples of its specification, and the order of lines that it gives."""

from __future__ import annotations

import pytest

from lokictl.engine.label_hash import label_hash, xxh64


@pytest.mark.parametrize(
    "data, value",
    [
        (b"", 0xEF46DB3751D8E999),
        (b"a", 0xD24EC4F1A98C6E5B),
        (b"abc", 0x44BC2CF5AD770999),
        (b"Nobody inspects the spammish repetition", 0xFBCEA83C8A378BF1),
    ],
)
def test_examples(data: bytes, value: int) -> None:
    assert xxh64(data) == value


def test_order_of_streams_is_that_of_a_real_loki() -> None:
    asked = ["3", "6", "8", "11", "9", "2", "10", "0", "4", "1", "5", "7"]
    assert sorted(asked, key=lambda number: label_hash([("j", "x"), ("n", number)])) == asked
