"""Loki's HTTP interface as far as the backends need it, with errors that say what to do."""

from __future__ import annotations

import gzip
import logging
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson

from lokictl.backends.interface import BackendError, LogLine, QueryError, Result, UnreachableError
from lokictl.http import Access, connection_words
from lokictl.logql.units import parse_float
from lokictl.loki_api import NEEDS_TENANT, PUSH_PATH, tenant_headers
from lokictl.secrets import without_password

if TYPE_CHECKING:
    import requests

LONG_QUERY = 2_000
LOGGER = logging.getLogger(__name__)
NOT_AN_ANSWER = (401, 403, 404, 405, 429, 502, 503, 504)
"""Statuses that say something about the server, not about the query."""

REFUSALS = {
    "too old": "this Loki takes recent lines only (limits_config.reject_old_samples): use recent times in the test",
    "greater than max": "this Loki takes recent lines only (limits_config.reject_old_samples_max_age)",
    "too far behind": "the stream has newer lines already: Loki takes late lines up to half of "
    "ingester.max_chunk_age (1 h) behind the newest",
    "too new": "lines of the future are refused (limits_config.creation_grace_period)",
    "structured metadata": "allow structured metadata on this Loki: limits_config.allow_structured_metadata "
    "(schema v13, tsdb)",
    "rate limit": "push fewer lines, or raise limits_config.ingestion_rate_mb and per_stream_rate_limit",
    "no org id": NEEDS_TENANT,
}


class LokiClient:
    """One tenant of one Loki; "" for a Loki without tenants."""

    def __init__(self, url: str, tenant: str = "", *, timeout: float = 30.0) -> None:
        self.url = url.rstrip("/")
        self.shown = without_password(self.url)
        self.tenant = tenant
        self.timeout = timeout
        self._session: requests.Session | None = None

    @property
    def session(self) -> requests.Session:
        """The connection, made when it is first needed."""
        if self._session is None:
            import requests  # noqa: PLC0415 - slow to import, and most commands ask no server

            self._session = requests.Session()
        return self._session

    def close(self) -> None:
        """Closes the connection."""
        if self._session is not None:
            self._session.close()
            self._session = None

    def request(
        self, method: str, path: str, *, tenant: str | None = None, **options: Any
    ) -> requests.Response:
        """One request as the tenant (or as another; "" for none).  Raises `BackendError` without an answer."""
        import requests  # noqa: PLC0415 - slow to import, and most commands ask no server

        name = self.tenant if tenant is None else tenant
        headers = {**options.pop("headers", {}), **tenant_headers(name)}
        started = time.monotonic()
        try:
            answer = self.session.request(
                method, self.url + path, headers=headers, timeout=self.timeout, **options
            )
            took = time.monotonic() - started
            LOGGER.info("%s %s%s: %s in %.2f s", method, self.shown, path, answer.status_code, took)
            return answer
        except requests.exceptions.ConnectTimeout:
            message = f"cannot reach {self.shown}: nothing answers within {self.timeout:g} s"
            raise UnreachableError(message, hint="is Loki running there?") from None
        except requests.exceptions.Timeout:
            message = f"{self.shown} did not answer within {self.timeout:g} s"
            raise BackendError(message, hint="is it overloaded, or is a proxy in between?") from None
        except requests.exceptions.InvalidURL:
            raise BackendError(f"not a URL: {self.shown}", hint="write it as http://localhost:3100") from None
        except (requests.exceptions.MissingSchema, requests.exceptions.InvalidSchema):
            raise BackendError(f"not a URL: {self.shown}", hint="write it as http://localhost:3100") from None
        except requests.exceptions.RequestException as error:
            words, _ = connection_words(error, Access(self.url))
            message = f"cannot reach {self.shown}: {words}"
            raise UnreachableError(message, hint="is Loki running there?") from None

    def is_ready(self) -> bool:
        """Whether Loki says that it is ready."""
        return self.request("GET", "/ready").status_code == 200

    def version(self) -> str:
        """The version that Loki says it has; "" where it does not say."""
        answer = self.request("GET", "/loki/api/v1/status/buildinfo")
        try:
            return str(answer.json().get("version", "")) if answer.ok else ""
        except (ValueError, AttributeError):
            return ""

    def has_tenants(self) -> bool:
        """Whether Loki keeps tenants apart: then it refuses a request that names none."""
        answer = self.request("GET", "/loki/api/v1/labels", tenant="")
        if answer.status_code == 401 and "no org id" in answer.text:
            return True
        if answer.ok:
            return False
        raise self.unexpected(answer, "asked for its labels")

    def push(self, streams: list[dict[str, Any]]) -> requests.Response:
        """One push request; whatever the answer is."""
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        data = gzip.compress(orjson.dumps({"streams": streams}), compresslevel=1)
        return self.request("POST", PUSH_PATH, data=data, headers=headers)

    def flush(self) -> str:
        """Asks Loki to write what it holds in memory to its store; "" or why it did not."""
        answer = self.request("POST", "/flush", tenant="")
        return "" if answer.ok else f"POST /flush was answered with {answer.status_code}"

    def query(self, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        """The ``data`` of a query's answer.  Raises `QueryError` with Loki's text, `BackendError`."""
        if len(parameters.get("query", "")) > LONG_QUERY:
            answer = self.request("POST", path, data=dict(parameters))
        else:
            answer = self.request("GET", path, params=dict(parameters))
        if answer.status_code in NOT_AN_ANSWER:
            raise self.unexpected(answer, "asked a query")
        if not answer.ok:
            raise QueryError(answer.text.strip(), status=answer.status_code)
        try:
            data: dict[str, Any] = answer.json()["data"]
        except (ValueError, KeyError, TypeError):
            raise self.unexpected(answer, "asked a query") from None
        return data

    def unexpected(self, answer: requests.Response, when: str) -> BackendError:
        """An error for an answer that no Loki should give."""
        text = " ".join(answer.text.split())[:300]
        message = f"{self.shown} answered {answer.status_code} when {when}: {text or answer.reason}"
        hint = {
            401: "credentials go into the URL: https://user:password@host",
            403: "the credentials lack the right to do this",
            404: "is this the base URL of a Loki (without /loki/api/v1)?",
            429: "Loki is busy: try again, or raise its limits",
        }.get(answer.status_code, "is this a Loki, and is it healthy?")
        return BackendError(message, hint=hint)


def refusal(client: LokiClient, answer: requests.Response) -> BackendError:
    """Why Loki did not take lines, and what to do about it."""
    text = " ".join(answer.text.split())[:500]
    hint = next((hint for word, hint in REFUSALS.items() if word in text), "")
    return BackendError(f"{client.shown} refused the lines ({answer.status_code}): {text}", hint=hint)


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
