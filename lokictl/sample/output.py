"""Where sample logs go: text, NDJSON, or a Loki; and where the metrics and traces of the same go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import orjson

from lokictl import loki_api
from lokictl.diagnostics import LokictlError, Problem
from lokictl.http import HttpClient, HttpError, access_of
from lokictl.loki_api import NEEDS_TENANT, PUSH_PATH, tenant_headers
from lokictl.model.sample import SampleEntry, SampleSource
from lokictl.sample.metrics import scrapes, to_open_metrics
from lokictl.sample.remote_write import push_metrics
from lokictl.sample.traces import push_traces, to_otlp
from lokictl.secrets import without_password

BATCH = 2_000
TIMEOUT_SECONDS = 30


def to_ndjson(entries: Iterable[SampleEntry]) -> Iterator[str]:
    """One JSON object a line: ``timestamp`` (ns, as text), ``labels``, ``metadata`` (where there is any), ``line``."""
    for entry in entries:
        record: dict[str, object] = {"timestamp": str(entry.timestamp), "labels": dict(entry.labels)}
        if entry.metadata:
            record["metadata"] = dict(entry.metadata)
        yield orjson.dumps({**record, "line": entry.line}).decode()


def to_text(entries: Iterable[SampleEntry]) -> Iterator[str]:
    """The bare lines, as the services wrote them."""
    return (entry.line for entry in entries)


def push_entries(url: str, entries: Iterable[SampleEntry], *, tenant: str = "") -> int:
    """Pushes to a Loki in batches, in the order of time; the number of lines.

    Raises `LokictlError` when Loki cannot be reached or refuses them.
    """
    client = HttpClient(*access_of(url), timeout=TIMEOUT_SECONDS)
    remaining, count = iter(entries), 0
    while batch := list(islice(remaining, BATCH)):
        try:
            # Loki keeps a line that it is given twice once, so trying again does no harm.
            client.request(
                "POST", PUSH_PATH, body=push_body(batch), headers=tenant_headers(tenant), idempotent=True
            )
        except HttpError as error:
            raise LokictlError(_problem(without_password(url), error)) from None
        count += len(batch)
    return count


def _problem(url: str, error: HttpError) -> Problem:
    if not error.status:
        return Problem("sample/push", f"cannot reach {url}: {error.message}", hint="is Loki running there?")
    message = f"{url} refused the logs ({error.status}): {error.message}"
    return Problem("sample/push", message, hint=_hint(error.status, error.message))


def push_body(entries: Iterable[SampleEntry]) -> dict[str, object]:
    """The body of a push request: the entries by stream."""
    streams: dict[tuple[tuple[str, str], ...], list[list[object]]] = {}
    for entry in entries:
        value: list[object] = [str(entry.timestamp), entry.line]
        if entry.metadata:
            value.append(dict(entry.metadata))
        streams.setdefault(tuple(entry.labels.items()), []).append(value)
    return loki_api.push_body((dict(labels), values) for labels, values in streams.items())


def write_metrics(
    where: str, sources: Iterable[SampleSource], entries: Iterable[SampleEntry], start: int, end: int
) -> str:
    """Writes the metrics of sample logs to a Prometheus (URL) or a file; what to tell about it.

    Raises `LokictlError` where that fails.
    """
    found = scrapes(sources, entries, start, end)
    if _is_url(where):
        return f"pushed {push_metrics(where, found)} samples to {without_password(where)}"
    return f"wrote {_write_lines(where, to_open_metrics(found))} lines of OpenMetrics to {where}"


def write_traces(where: str, entries: Iterable[SampleEntry]) -> str:
    """Writes the traces of sample logs to a receiver of OTLP (URL) or a file; what to tell about it.

    Raises `LokictlError` where that fails.
    """
    if _is_url(where):
        return f"pushed {push_traces(where, entries)} traces to {without_password(where)}"
    lines = (orjson.dumps(message).decode() for message in to_otlp(entries))
    return f"wrote {_write_lines(where, lines)} traces to {where}"


def _is_url(where: str) -> bool:
    return where.startswith(("http://", "https://"))


def _write_lines(path: str, lines: Iterable[str]) -> int:
    count = 0
    try:
        with Path(path).open("w", encoding="utf-8") as file:
            for line in lines:
                file.write(line + "\n")
                count += 1
    except OSError as error:
        raise LokictlError(
            Problem("sample/write", f"cannot write {path}: {error.strerror}", hint="name a file, or a URL")
        ) from None
    return count


def _hint(status: int, text: str) -> str:
    if status == 401:
        return f"{NEEDS_TENANT}: add --tenant NAME"
    if "too old" in text or "too far behind" in text:
        return "Loki only accepts recent lines: shorten --since, or push to a tenant without newer lines"
    return "lower --rate" if status == 429 else ""
