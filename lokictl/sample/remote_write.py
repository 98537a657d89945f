"""Writes metrics to Prometheus by its remote-write protocol (1.0): protobuf in snappy's block format."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator

from lokictl.diagnostics import LokictlError, Problem
from lokictl.durations import MILLISECOND
from lokictl.http import HttpClient, HttpError, access_of
from lokictl.sample.metrics import Labels, Scrape
from lokictl.secrets import without_password

TIMEOUT_SECONDS = 30
SAMPLES_PER_REQUEST = 5_000

_CONTENT_TYPE = "application/x-protobuf"
_HEADERS = {
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}


def push_metrics(url: str, scrapes: Iterable[Scrape]) -> int:
    """Pushes scrapes in the order of time; the number of samples.

    ``url`` is Prometheus' own, or that of its receiver.  Raises `LokictlError` when Prometheus cannot be reached or
    refuses them.
    """
    access, redactor = access_of(url)
    client = HttpClient(access, redactor, timeout=TIMEOUT_SECONDS)
    path = "" if access.url.endswith(("/write", "/push")) else "/api/v1/write"
    count = 0
    for batch in _batches(scrapes):
        body = snappy(write_request(batch))
        try:
            client.request(
                "POST", path, body=body, content_type=_CONTENT_TYPE, headers=_HEADERS, expect_json=False
            )
        except HttpError as error:
            raise LokictlError(_problem(without_password(url), error)) from None
        count += sum(len(scrape.series) for scrape in batch)
    return count


def _problem(url: str, error: HttpError) -> Problem:
    if not error.status:
        message = f"cannot reach {url}: {error.message}"
        return Problem("sample/push", message, hint="is Prometheus running there?")
    message = f"{url} refused the metrics ({error.status}): {error.message}"
    return Problem("sample/push", message, hint=_hint(error.status, error.message))


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
