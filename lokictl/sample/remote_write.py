"""Writes metrics to Prometheus by its remote-write protocol (1.0): protobuf in snappy's block format."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from lokictl.diagnostics import LokictlError, Problem
from lokictl.sample.metrics import Labels, Scrape

TIMEOUT_SECONDS = 30
SAMPLES_PER_REQUEST = 5_000
MILLISECOND = 1_000_000

_HEADERS = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}


def push_metrics(url: str, scrapes: Iterable[Scrape]) -> int:
    """Pushes scrapes in the order of time; the number of samples.

    ``url`` is Prometheus' own, or that of its receiver.  Raises `LokictlError` when Prometheus cannot be reached or
    refuses them.
    """
    import requests  # noqa: PLC0415 - slow to import, and most commands ask no server

    base = url.rstrip("/")
    address = base if base.endswith(("/write", "/push")) else f"{base}/api/v1/write"
    session = requests.Session()
    count = 0
    for batch in _batches(scrapes):
        try:
            answer = session.post(
                address, data=snappy(write_request(batch)), headers=_HEADERS, timeout=TIMEOUT_SECONDS
            )
        except requests.RequestException as error:
            raise LokictlError(
                Problem(
                    "sample/push",
                    f"cannot reach {url}: {type(error).__name__}",
                    hint="is Prometheus running there?",
                )
            ) from None
        if not answer.ok:
            message = f"{url} refused the metrics ({answer.status_code}): {answer.text.strip()[:500]}"
            raise LokictlError(Problem("sample/push", message, hint=_hint(answer.status_code, answer.text)))
        count += sum(len(scrape.series) for scrape in batch)
    return count


def _hint(status: int, text: str) -> str:
    if status == 404:
        return "start Prometheus with --web.enable-remote-write-receiver"
    if "out of order" in text or "out of bounds" in text or "too old" in text:
        return "Prometheus has newer samples already: shorten --since, or use an empty one"
    return ""


def _batches(scrapes: Iterable[Scrape]) -> Iterator[list[Scrape]]:
    batch: list[Scrape] = []
    size = 0
    for scrape in scrapes:
        batch.append(scrape)
        size += len(scrape.series)
        if size >= SAMPLES_PER_REQUEST:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def write_request(scrapes: Iterable[Scrape]) -> bytes:
    """The message WriteRequest: field 1 are time series, of which 1 are labels (name, value) and 2 samples."""
    series: dict[Labels, bytearray] = {}
    for scrape in scrapes:
        for labels, value in scrape.series.items():
            sample = b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(scrape.time // MILLISECOND)
            series.setdefault(labels, bytearray()).extend(_field(2, sample))
    return b"".join(_field(1, _labels(labels) + bytes(samples)) for labels, samples in series.items())


def _labels(labels: Labels) -> bytes:
    return b"".join(_field(1, _field(1, name.encode()) + _field(2, value.encode())) for name, value in labels)


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    result = bytearray()
    while number > 0x7F:
        result.append(number & 0x7F | 0x80)
        number >>= 7
    result.append(number)
    return bytes(result)


def snappy(data: bytes) -> bytes:
    """``data`` in snappy's block format, as literals: valid for every reader, not smaller."""
    parts = [_varint(len(data))]
    for start in range(0, len(data), 1 << 16):
        piece = data[start : start + (1 << 16)]
        parts.append(bytes([61 << 2]) + struct.pack("<H", len(piece) - 1) + piece)
    return b"".join(parts)
