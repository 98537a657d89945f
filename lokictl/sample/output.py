"""Where sample logs go: text, NDJSON, or a Loki."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from lokictl.diagnostics import LokictlError, Problem
from lokictl.model.sample import SampleEntry

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


def _hint(status: int, text: str) -> str:
    if status == 401:
        return "this Loki wants a tenant: add --tenant NAME"
    if "too old" in text or "too far behind" in text:
        return "Loki takes recent lines only: shorten --since, or push to a tenant without newer lines"
    return "lower --rate" if status == 429 else ""
