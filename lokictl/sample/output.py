"""Where sample logs go: text, NDJSON, or a Loki; and where the metrics and traces of the same go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from lokictl.diagnostics import LokictlError, Problem
from lokictl.model.sample import SampleEntry, SampleSource
from lokictl.sample.metrics import scrapes, to_open_metrics
from lokictl.sample.remote_write import push_metrics
from lokictl.sample.traces import push_traces, to_otlp

BATCH = 2_000
TIMEOUT_SECONDS = 30


def to_ndjson(entries: Iterable[SampleEntry]) -> Iterator[str]:
    """One JSON object a line: ``timestamp`` (ns, as text), ``labels``, ``metadata`` (where there is any), ``line``."""
    import orjson

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
    import requests

    session = requests.Session()
    if tenant:
        session.headers["X-Scope-OrgID"] = tenant
    address = url.rstrip("/") + "/loki/api/v1/push"
    remaining, count = iter(entries), 0
    while batch := list(islice(remaining, BATCH)):
        try:
            answer = session.post(address, json=push_body(batch), timeout=TIMEOUT_SECONDS)
        except requests.RequestException as error:
            raise LokictlError(
                Problem(
                    "sample/push",
                    f"cannot reach {url}: {type(error).__name__}",
                    hint="is Loki running there?",
                )
            ) from None
        if not answer.ok:
            message = f"{url} refused the logs ({answer.status_code}): {answer.text.strip()[:500]}"
            raise LokictlError(Problem("sample/push", message, hint=_hint(answer.status_code, answer.text)))
        count += len(batch)
    return count


def push_body(entries: Iterable[SampleEntry]) -> dict[str, object]:
    """The body of a push request: the entries by stream."""
    streams: dict[tuple[tuple[str, str], ...], list[list[object]]] = {}
    for entry in entries:
        value: list[object] = [str(entry.timestamp), entry.line]
        if entry.metadata:
            value.append(dict(entry.metadata))
        streams.setdefault(tuple(entry.labels.items()), []).append(value)
    return {"streams": [{"stream": dict(labels), "values": values} for labels, values in streams.items()]}


def write_metrics(
    where: str, sources: Iterable[SampleSource], entries: Iterable[SampleEntry], start: int, end: int
) -> str:
    """Writes the metrics of sample logs to a Prometheus (URL) or a file; what to tell about it.

    Raises `LokictlError` where that fails.
    """
    found = scrapes(sources, entries, start, end)
    if _is_url(where):
        return f"pushed {push_metrics(where, found)} samples to {where}"
    return f"wrote {_write_lines(where, to_open_metrics(found))} lines of OpenMetrics to {where}"


def write_traces(where: str, entries: Iterable[SampleEntry]) -> str:
    """Writes the traces of sample logs to a receiver of OTLP (URL) or a file; what to tell about it.

    Raises `LokictlError` where that fails.
    """
    import orjson

    if _is_url(where):
        return f"pushed {push_traces(where, entries)} traces to {where}"
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
        return "this Loki wants a tenant: add --tenant NAME"
    if "too old" in text or "too far behind" in text:
        return "Loki takes recent lines only: shorten --since, or push to a tenant without newer lines"
    return "lower --rate" if status == 429 else ""
