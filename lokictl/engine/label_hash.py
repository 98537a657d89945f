"""The hash of a label set by which Loki orders lines of the same time: XXH64, as its public specification has it."""

from __future__ import annotations

from collections.abc import Iterable

_MASK = (1 << 64) - 1
_PRIME_1 = 0x9E3779B185EBCA87
_PRIME_2 = 0xC2B2AE3D27D4EB4F
_PRIME_3 = 0x165667B19E3779F9
_PRIME_4 = 0x85EBCA77C2B2AE63
_PRIME_5 = 0x27D4EB2F165667C5
_STRIPE = 32


def label_hash(labels: Iterable[tuple[str, str]]) -> int:
    """The hash of labels that are sorted by name; each name and value ends with a byte 0xFF."""
    parts = [part.encode("utf-8", "surrogateescape") for label in labels for part in label]
    return xxh64(b"\xff".join([*parts, b""]))


def xxh64(data: bytes) -> int:
    """XXH64 of ``data`` with the seed 0."""
    length = len(data)
    striped = length - length % _STRIPE
    total = (_of_stripes(data[:striped]) if striped else _PRIME_5) + length & _MASK
    place = striped
    while place + 8 <= length:
        total ^= _round(0, int.from_bytes(data[place : place + 8], "little"))
        total = _rotated(total, 27) * _PRIME_1 + _PRIME_4 & _MASK
        place += 8
    if place + 4 <= length:
        total ^= int.from_bytes(data[place : place + 4], "little") * _PRIME_1 & _MASK
        total = _rotated(total, 23) * _PRIME_2 + _PRIME_3 & _MASK
        place += 4
    for byte in data[place:]:
        total ^= byte * _PRIME_5 & _MASK
        total = _rotated(total, 11) * _PRIME_1 & _MASK
    total = (total ^ total >> 33) * _PRIME_2 & _MASK
    total = (total ^ total >> 29) * _PRIME_3 & _MASK
    return total ^ total >> 32


def _of_stripes(data: bytes) -> int:
    lanes = [_PRIME_1 + _PRIME_2 & _MASK, _PRIME_2, 0, -_PRIME_1 & _MASK]
    for place in range(0, len(data), 8):
        lane = place // 8 % 4
        lanes[lane] = _round(lanes[lane], int.from_bytes(data[place : place + 8], "little"))
    total = sum(_rotated(lane, turn) for lane, turn in zip(lanes, (1, 7, 12, 18), strict=True)) & _MASK
    for lane in lanes:
        total = (total ^ _round(0, lane)) * _PRIME_1 + _PRIME_4 & _MASK
    return total


def _round(lane: int, value: int) -> int:
    return _rotated(lane + value * _PRIME_2 & _MASK, 31) * _PRIME_1 & _MASK


def _rotated(value: int, turn: int) -> int:
    return (value << turn | value >> 64 - turn) & _MASK
