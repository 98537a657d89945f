"""Loki's HTTP interface as far as the backends need it, with errors that say what to do."""

from __future__ import annotations

import gzip
from collections.abc import Mapping
from typing import Any, Unpack
from urllib.parse import urlencode

import orjson

from lokictl.backends.interface import BackendError, LogLine, QueryError, Result, UnreachableError
from lokictl.diagnostics import LokictlError
from lokictl.http import (
    CONNECT_TIMEOUT,
    READ_TIMEOUT,
    Answer,
    HttpClient,
    HttpError,
    RequestOptions,
    access_of,
)
from lokictl.logql.units import parse_float
from lokictl.loki_api import BUILDINFO_PATH, NEEDS_TENANT, PUSH_PATH, tenant_headers
from lokictl.secrets import without_password

LONG_QUERY = 2_000
FORM = "application/x-www-form-urlencoded"
ATTEMPTS = 3
# With the pauses between them about 16 s: as long as a push may take to get below a rate limit.
PUSH_ATTEMPTS = 7
FIRST_PAUSE = 0.25
NOT_AN_ANSWER = (401, 403, 404, 405, 429, 502, 503, 504)
"""Statuses that say something about the server, not about the query."""

REFUSALS = {
    "too old": "this Loki only accepts recent lines (limits_config.reject_old_samples): use recent times in the test",
    "greater than max": "this Loki only accepts recent lines (limits_config.reject_old_samples_max_age)",
    "too far behind": "the stream has newer lines already: Loki takes late lines up to half of "
    "ingester.max_chunk_age (1 h) behind the newest",
    "too new": "lines in the future are refused (limits_config.creation_grace_period)",
    "structured metadata": "allow structured metadata on this Loki: limits_config.allow_structured_metadata "
    "(schema v13, tsdb)",
    "rate limit": "push fewer lines, or raise limits_config.ingestion_rate_mb and per_stream_rate_limit",
    "no org id": NEEDS_TENANT,
}


class LokiClient:
    """One tenant of one Loki; "" for a Loki without tenants.

    A Loki that is busy is asked again (`lokictl.http`); one that is out of reach or does not answer within ``timeout``
    seconds is not.  A user and a password in the URL are its credentials.  Raises `BackendError` for
    anything but a URL.
    """

    def __init__(
        self,
        url: str,
        tenant: str = "",
        *,
        timeout: float = 30.0,
        attempts: int = ATTEMPTS,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        try:
            access, redactor = access_of(url, headers=headers)
        except LokictlError as error:
            problem = error.problems[0]
            raise BackendError(problem.message, hint=problem.hint) from None
        self.url = url.rstrip("/")
        self.shown = without_password(self.url)
        self.tenant = tenant
        self.timeout = timeout
        self._client = HttpClient(
            access, redactor, timeout=timeout, attempts=attempts, pause=FIRST_PAUSE, fail_fast=True
        )

    def close(self) -> None:
        """Closes the connection."""
        self._client.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        tenant: str | None = None,
        **options: Unpack[RequestOptions],
    ) -> Answer:
        """The answer, of any status, to a request as the tenant (or as another; "" for none).

        ``options`` are those of `HttpClient.request`.  Raises `BackendError` without an answer.
        """
        name = self.tenant if tenant is None else tenant
        try:
            options["headers"] = {**(options.get("headers") or {}), **tenant_headers(name)}
            return self._client.exchange(method, path, **options)
        except HttpError as error:
            raise self._no_answer(error) from None

    def _no_answer(self, error: HttpError) -> BackendError:
        if error.status:
            hint = "give the URL of Loki itself"
            return BackendError(f"{self.shown} {error.message}", hint=hint)
        if error.code == READ_TIMEOUT:
            message = f"{self.shown} did not answer within {self.timeout:g} s"
            return BackendError(message, hint="is it overloaded, or is a proxy in between?")
        if error.code == CONNECT_TIMEOUT:
            message = f"cannot reach {self.shown}: nothing answers within {self.timeout:g} s"
            return UnreachableError(message, hint="is Loki running there?")
        return UnreachableError(f"cannot reach {self.shown}: {error.message}", hint="is Loki running there?")

    def is_ready(self) -> bool:
        """Whether Loki says that it is ready."""
        return self.request("GET", "/ready").status == 200

    def version(self) -> str:
        """The version that Loki says it has; "" where it does not say."""
        answer = self.request("GET", BUILDINFO_PATH)
        try:
            return str(answer.json().get("version", "")) if answer.ok else ""
        except (ValueError, AttributeError):
            return ""

    def has_tenants(self) -> bool:
        """Whether Loki keeps tenants apart: then it refuses a request that names none."""
        answer = self.request("GET", "/loki/api/v1/labels", tenant="")
        if answer.status == 401 and "no org id" in answer.text():
            return True
        if answer.ok:
            return False
        raise self.unexpected(answer, "asked for its labels")

    def push(self, streams: list[dict[str, Any]]) -> Answer:
        """One push request; whatever the answer is.  A rate limit is waited for."""
        data = gzip.compress(orjson.dumps({"streams": streams}), compresslevel=1)
        headers = {"Content-Encoding": "gzip"}
        # Loki keeps a line that it is given twice once, so trying again does no harm.
        return self.request(
            "POST", PUSH_PATH, body=data, headers=headers, idempotent=True, attempts=PUSH_ATTEMPTS
        )

    def flush(self) -> str:
        """Asks Loki to write what it holds in memory to its store; "" or why it did not."""
        answer = self.request("POST", "/flush", tenant="")
        return "" if answer.ok else f"POST /flush was answered with {answer.status}"

    def query(self, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        """The ``data`` of a query's answer.  Raises `QueryError` with Loki's text, `BackendError`."""
        if len(parameters.get("query", "")) > LONG_QUERY:
            body = urlencode(dict(parameters))
            answer = self.request("POST", path, body=body, content_type=FORM, idempotent=True)
        else:
            answer = self.request("GET", path, query=dict(parameters))
        if answer.status in NOT_AN_ANSWER:
            raise self.unexpected(answer, "asked a query")
        if not answer.ok:
            raise QueryError(answer.text().strip(), status=answer.status)
        try:
            data: dict[str, Any] = answer.json()["data"]
        except (ValueError, KeyError, TypeError):
            raise self.unexpected(answer, "asked a query") from None
        return data

    def unexpected(self, answer: Answer, when: str) -> BackendError:
        """An error for an answer that no Loki should give."""
        text = " ".join(answer.text().split())[:300]
        message = f"{self.shown} answered {answer.status} when {when}: {text or answer.reason}"
        hint = {
            401: "credentials go into the URL: https://user:password@host",
            403: "the credentials lack the right to do this",
            404: "is this the base URL of a Loki (without /loki/api/v1)?",
            429: "Loki is busy: try again, or raise its limits",
        }.get(answer.status, "is this a Loki, and is it healthy?")
        return BackendError(message, hint=hint)


def refusal(client: LokiClient, answer: Answer) -> BackendError:
    """Why Loki did not take lines, and what to do about it."""
    text = " ".join(answer.text().split())[:500]
    hint = next((hint for word, hint in REFUSALS.items() if word in text), "")
    return BackendError(f"{client.shown} refused the lines ({answer.status}): {text}", hint=hint)


# --- answers ---------------------------------------------------------------------------------------------------


def to_result(data: Mapping[str, Any], time: int, shift: int = 0) -> Result:
    """Loki's ``data`` object as a `Result`; ``shift`` (ns) is taken off its times."""
    kind, result = str(data["resultType"]), data["result"]
    if kind == "scalar":
        return Result("scalar", time, scalar=parse_float(str(result[1])))
    if kind == "vector":
        vector = [(dict(item["metric"]), parse_float(item["value"][1])) for item in result]
        return Result("vector", time, vector=vector)
    if kind == "matrix":
        matrix = [
            (
                dict(item["metric"]),
                [
                    (round(float(moment) * 1000) * 1_000_000 - shift, parse_float(value))
                    for moment, value in item["values"]
                ],
            )
            for item in result
        ]
        matrix.sort(key=lambda item: sorted(item[0].items()))
        return Result("matrix", time, matrix=matrix)
    streams = [
        (
            dict(item["stream"]),
            [LogLine(int(value[0]) - shift, str(value[1])) for value in item["values"]],
        )
        for item in result
    ]
    streams.sort(key=lambda item: sorted(item[0].items()))
    return Result("streams", time, streams=streams)
